//! From a bare socket to a secured connection of many streams.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::limits::{MAX_MPLEX_STREAMS, MAX_MPLEX_UNREAD_FRAMES};
use futures::{AsyncRead, AsyncWrite};
use futures_rustls::TlsStream;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise};
use libp2p_mplex::MaxBufferBehaviour;
use multistream_select::{Negotiated, NegotiationError, Version};
use multistream_select::{dialer_select_proto, listener_select_proto};

use super::error::TransportError;
use super::{Multiplexer, Path, Security, TransportKind, tls, yamux};

/// Frames of mplex may not be larger than 1 MiB; JavaScript peers keep 4 MiB
/// for each stream before they reset it, so frames stay well below.
const MPLEX_FRAME_BYTES: usize = 64 * 1024;

/// Why a socket did not become a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// No protocol in common, or the other end broke off meanwhile.
    #[error("the two ends found no {layer} protocol in common: {source}")]
    Negotiation {
        /// What was being agreed on.
        layer: &'static str,
        /// What came in between.
        source: NegotiationError,
    },
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    /// The Noise handshake failed.
    #[error("the Noise handshake failed: {0}")]
    Noise(noise::Error),
    /// The multiplexer could not begin.
    #[error("the multiplexer could not begin: {0}")]
    Multiplexer(io::Error),
}

/// What a node offers when it secures and multiplexes a socket.
#[derive(Clone)]
pub(crate) struct Upgrade {
    tls: tls::Config,
    noise: noise::Config,
    security: Arc<[Security]>,
    multiplexers: Arc<[Multiplexer]>,
}

/// A secured socket; there is one for each connection, boxed soon after.
#[allow(clippy::large_enum_variant, reason = "a box more would be read through for every byte")]
enum Secured<S> {
    Tls(TlsStream<S>),
    Noise(noise::Output<S>),
}

impl Upgrade {
    /// Prepares the keys of both security protocols.
    pub(crate) fn new(
        identity: &Keypair,
        security: &[Security],
        multiplexers: &[Multiplexer],
    ) -> Result<Self, TransportError> {
        Ok(Self {
            tls: tls::Config::new(identity)?,
            noise: noise::Config::new(identity)?,
            security: security.into(),
            multiplexers: multiplexers.iter().copied().filter(|m| m.protocol().is_some()).collect(),
        })
    }

    fn security_offers(&self) -> Vec<Offer<Security>> {
        self.security.iter().map(|one| Offer(*one, one.protocol())).collect()
    }

    fn multiplexer_offers(&self) -> Vec<Offer<Multiplexer>> {
        self.multiplexers.iter().filter_map(|one| Some(Offer(*one, one.protocol()?))).collect()
    }

    /// Agrees with the other end on security and a multiplexer.
    pub(crate) async fn apply<S>(
        self,
        socket: S,
        endpoint: ConnectedPoint,
    ) -> Result<(PeerId, Path, StreamMuxerBox), UpgradeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let dials = match endpoint {
            ConnectedPoint::Dialer { role_override, .. } => role_override == Endpoint::Dialer,
            ConnectedPoint::Listener { .. } => false,
        };
        let transport = TransportKind::of(endpoint.get_remote_address());
        let (peer, security, secured) = self.secure(socket, dials).await?;
        let (multiplexer, muxer) = self.multiplex(secured, dials).await?;
        let path = Path { transport, security: Some(security), multiplexer: Some(multiplexer) };
        Ok((peer, path, muxer))
    }

    async fn secure<S>(
        &self,
        socket: S,
        dials: bool,
    ) -> Result<(PeerId, Security, Secured<Negotiated<S>>), UpgradeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (security, socket) = agree(socket, self.security_offers(), dials, "security").await?;
        let (peer, secured) = match (security, dials) {
            (Security::Tls, true) => tls_done(self.tls.connect(socket).await)?,
            (Security::Tls, false) => tls_done(self.tls.accept(socket).await)?,
            (Security::Noise, true) => noise_done(
                self.noise.clone().upgrade_outbound(socket, Security::Noise.protocol()).await,
            )?,
            (Security::Noise, false) => noise_done(
                self.noise.clone().upgrade_inbound(socket, Security::Noise.protocol()).await,
            )?,
        };
        Ok((peer, security, secured))
    }

    async fn multiplex<S>(
        &self,
        socket: Secured<S>,
        dials: bool,
    ) -> Result<(Multiplexer, StreamMuxerBox), UpgradeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (multiplexer, socket) =
            agree(socket, self.multiplexer_offers(), dials, "multiplexing").await?;
        let muxer = if multiplexer == Multiplexer::Mplex {
            let name = MPLEX_NAME;
            let muxer = match dials {
                true => mplex().upgrade_outbound(socket, name).await,
                false => mplex().upgrade_inbound(socket, name).await,
            };
            StreamMuxerBox::new(muxer.map_err(UpgradeError::Multiplexer)?)
        } else {
            StreamMuxerBox::new(yamux::Muxer::new(socket, dials))
        };
        Ok((multiplexer, muxer))
    }
}

const MPLEX_NAME: &str = "/mplex/6.7.0";

fn mplex() -> libp2p_mplex::Config {
    let mut config = libp2p_mplex::Config::new();
    config
        .set_max_num_streams(MAX_MPLEX_STREAMS)
        // The frame that fills it is taken, too.
        .set_max_buffer_size(MAX_MPLEX_UNREAD_FRAMES - 1)
        .set_max_buffer_behaviour(MaxBufferBehaviour::Block)
        .set_split_send_size(MPLEX_FRAME_BYTES);
    config
}

fn tls_done<S>(
    done: io::Result<(PeerId, TlsStream<S>)>,
) -> Result<(PeerId, Secured<S>), UpgradeError> {
    let (peer, stream) = done.map_err(UpgradeError::Tls)?;
    Ok((peer, Secured::Tls(stream)))
}

fn noise_done<S>(
    done: Result<(PeerId, noise::Output<S>), noise::Error>,
) -> Result<(PeerId, Secured<S>), UpgradeError> {
    let (peer, stream) = done.map_err(UpgradeError::Noise)?;
    Ok((peer, Secured::Noise(stream)))
}

/// A choice and its name on the wire.
struct Offer<T>(T, &'static str);

impl<T> AsRef<str> for Offer<T> {
    fn as_ref(&self) -> &str {
        self.1
    }
}

impl<T: Clone> Clone for Offer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1)
    }
}

/// Runs multistream-select: the dialler proposes in its order.
async fn agree<S, T: Clone>(
    socket: S,
    offers: Vec<Offer<T>>,
    dials: bool,
    layer: &'static str,
) -> Result<(T, Negotiated<S>), UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let done = if dials {
        dialer_select_proto(socket, offers, Version::V1).await
    } else {
        listener_select_proto(socket, offers).await
    };
    let (Offer(choice, _), socket) =
        done.map_err(|source| UpgradeError::Negotiation { layer, source })?;
    Ok((choice, socket))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Noise(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Noise(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Noise(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_close(cx),
            Self::Noise(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
