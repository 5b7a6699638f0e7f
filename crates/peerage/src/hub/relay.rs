//! The relay of roaming connections, and what tells peers their addresses.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use iroh_relay::server::{
    ClientRateLimit, Limits, QuicConfig, RelayConfig, Server, ServerConfig, SpawnError,
};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_core::limits::RELAY_CLIENT_BYTES_PER_SECOND;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Where a relay listens, and how much it carries.
#[derive(Debug, Clone, Copy)]
pub struct RelayServerConfig {
    /// Where it relays: HTTP, upgraded to a WebSocket. Port 80 or 443 passes
    /// where little else does.
    pub http: SocketAddr,
    /// Where peers learn, over QUIC, at which address they are seen; UDP. Peers
    /// ask at port 7842.
    pub address_discovery: SocketAddr,
    /// How many bytes a second one peer may send through it.
    pub bytes_per_second: u32,
}

impl RelayServerConfig {
    /// A relay at the usual ports of an address, for HTTP `port`.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self {
            http: (ip, port).into(),
            address_discovery: (ip, iroh_relay::defaults::DEFAULT_RELAY_QUIC_PORT).into(),
            bytes_per_second: RELAY_CLIENT_BYTES_PER_SECOND,
        }
    }
}

/// Why a relay could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayServerError {
    /// No certificate could be made for it.
    #[error("no certificate could be made: {0}")]
    Certificate(String),
    /// A socket could not be bound.
    #[error("the relay cannot listen: {0}; choose other ports, or end what has them")]
    Listen(#[from] SpawnError),
}

/// A running relay; dropping it ends it.
///
/// It sees who talks to whom and how much, and nothing of what: the peers
/// encrypt end to end.
#[derive(Debug)]
pub struct RelayServer(Server);

impl RelayServer {
    /// Starts a relay.
    ///
    /// # Errors
    ///
    /// When a port is taken.
    pub async fn spawn(config: RelayServerConfig) -> Result<Self, RelayServerError> {
        let mut relay = RelayConfig::new(config.http);
        let per_second = NonZeroU32::new(config.bytes_per_second).unwrap_or(NonZeroU32::MIN);
        let mut rate = ClientRateLimit::new(per_second);
        rate.max_burst_bytes = Some(per_second);
        let mut limits = Limits::default();
        limits.client_rx = Some(rate);
        relay.limits = limits;
        let mut discovery = QuicConfig::new(config.address_discovery);
        discovery.server_config = Some(tls()?);
        let mut server = ServerConfig::default();
        (server.relay, server.quic) = (Some(relay), Some(discovery));
        Ok(Self(Server::spawn(server).await?))
    }

    /// The port at which it relays.
    pub fn port(&self) -> Option<u16> {
        self.0.http_addr().map(|address| address.port())
    }

    /// The counters of what it relays.
    pub fn metrics(&self) -> &iroh_relay::server::RelayMetrics {
        self.0.metrics()
    }

    /// Ends it in order.
    pub async fn shutdown(self) {
        if let Err(error) = self.0.shutdown().await {
            tracing::debug!(%error, "the relay did not end in order");
        }
    }
}

/// The address under which a relay at a host is told to peers.
pub fn address_of(host: Protocol<'_>, port: u16) -> Multiaddr {
    [host, Protocol::Tcp(port), Protocol::Http, Protocol::P2pCircuit].into_iter().collect()
}

/// A certificate of its own making: nobody checks it, as `AnyCertificate` of
/// the roaming transport explains.
fn tls() -> Result<rustls::ServerConfig, RelayServerError> {
    let failed = |error: &dyn std::fmt::Display| RelayServerError::Certificate(error.to_string());
    let made = rcgen::generate_simple_self_signed(vec!["relay.invalid".to_owned()])
        .map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let certificate: CertificateDer<'static> = made.cert.into();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    rustls::ServerConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|error| failed(&error))
}
