//! All transports of a node as one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{MAX_QUIC_STREAM_WINDOW, MAX_STREAMS_PER_CONNECTION, MAX_WINDOW_GROWTH};
use libp2p::core::Transport as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::dns::{ResolverConfig, ResolverOpts};
use libp2p::identity::Keypair;
use libp2p::{PeerId, dns, quic, relay, tcp, websocket};

use super::closing::Closing;
use super::roaming::{self, Roaming};
use super::socket::tune;
use super::upgrade::Upgrade;
use super::{Gate, Known, Multiplexer, Path, PathTable, Security, error::TransportError};

/// What the swarm runs on.
pub(crate) type Transport = Boxed<(PeerId, StreamMuxerBox)>;

/// How long a connection may take to be set up, from the first packet to the
/// multiplexer, either way.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a QUIC connection may be silent before it is dead; with
/// [`QUIC_KEEP_ALIVE`] a living one never is.
const QUIC_IDLE_TIMEOUT: Duration = Duration::from_millis(4_500);

/// How often a silent QUIC connection is probed: twice may be lost.
const QUIC_KEEP_ALIVE: Duration = Duration::from_millis(1_400);

/// What a node offers.
pub(crate) struct TransportConfig<'a> {
    pub(crate) keypair: &'a Keypair,
    pub(crate) security: &'a [Security],
    pub(crate) multiplexers: &'a [Multiplexer],
    pub(crate) roaming: Option<Roaming>,
}

/// Builds TCP, QUIC and WebSocket under DNS, and beside them circuits through
/// relays and what roams. What is known of every connection that is set up
/// goes into `paths`. `gate` stands before all of them, and below the resolver.
pub(crate) fn build(
    config: TransportConfig<'_>,
    circuits: relay::client::Transport,
    paths: Arc<PathTable>,
    gate: &Gate,
) -> Result<Transport, TransportError> {
    let upgrade = Upgrade::new(config.keypair, config.security, config.multiplexers)?;
    let over_websocket = upgrade.clone();
    // WebSocket resolves names below itself: with TLS it needs them.
    let websocket = websocket::Config::new(resolving(|| gate.below(tcp_sockets())))
        .and_then(move |socket, endpoint| over_websocket.apply(socket, endpoint))
        .boxed();
    let tcp_or_quic = resolving(|| {
        let over_tcp = upgrade.clone();
        let tcp = tcp_sockets().and_then(move |socket, endpoint| over_tcp.apply(socket, endpoint));
        let quic = quic::tokio::Transport::new(quic_config(config.keypair))
            .map(|(peer, muxer), _| (peer, Path::QUIC, StreamMuxerBox::new(Closing::new(muxer))));
        gate.below(tcp.or_transport(quic).map(|either, _| either.into_inner()).boxed())
    });
    let circuits =
        circuits.and_then(move |socket, endpoint| upgrade.apply(socket, endpoint)).boxed();
    let fixed = websocket.or_transport(tcp_or_quic).map(|either, _| either.into_inner()).boxed();
    let fixed = circuits.or_transport(fixed).map(|either, _| {
        let (peer, path, muxer) = either.into_inner();
        (peer, Known::from(path), muxer)
    });
    let roaming = roaming::Transport::new(config.roaming).map(|(peer, place, moves, muxer), _| {
        let path = Path::roaming(&place);
        (peer, Known { path, roams: Some((place, moves)) }, muxer)
    });
    let all = roaming.or_transport(fixed).map(move |either, endpoint| {
        let (peer, known, muxer) = either.into_inner();
        paths.note(peer, &endpoint, known);
        (peer, muxer)
    });
    Ok(TransportTimeout::new(gate.above(all), HANDSHAKE_TIMEOUT).boxed())
}

/// TCP with its options set.
fn tcp_sockets() -> impl libp2p::core::Transport<
    Output = tcp::tokio::TcpStream,
    Error = io::Error,
    Dial: Send,
    ListenerUpgrade: Send,
> + Send
+ Unpin {
    tcp::tokio::Transport::new(tcp::Config::new().nodelay(true)).map(|socket, _| {
        tune(&socket);
        socket
    })
}

/// Resolves names by the system's settings; a machine without any resolves
/// none, and still reaches addresses.
fn resolving<T>(inner: impl Fn() -> T) -> dns::tokio::Transport<T> {
    dns::tokio::Transport::system(inner()).unwrap_or_else(|error| {
        tracing::warn!(%error, "names of hosts cannot be resolved on this machine");
        let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        dns::tokio::Transport::custom(inner(), none, ResolverOpts::default())
    })
}

/// QUIC keeps the cipher order of `libp2p-tls` (ChaCha20-Poly1305 first):
/// `libp2p-quic` 0.14 lets nobody choose.
fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = HANDSHAKE_TIMEOUT;
    config.max_idle_timeout = millis(QUIC_IDLE_TIMEOUT);
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    config.max_concurrent_stream_limit = count(2 * MAX_STREAMS_PER_CONNECTION);
    config.max_stream_data = count(MAX_QUIC_STREAM_WINDOW);
    config.max_connection_data = count(MAX_WINDOW_GROWTH);
    config
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
