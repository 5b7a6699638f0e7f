//! The relay of roaming connections, and what tells peers their addresses.

use std::future::{Ready, pending, ready};
use std::io;
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use peerage_core::Advice;

use crate::limits::{RELAY_CLIENT_BYTES_PER_SECOND, RELAY_HANDSHAKE_SECONDS};
use futures::FutureExt as _;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use iroh_relay::KeyCache;
use iroh_relay::defaults::{DEFAULT_KEY_CACHE_CAPACITY, DEFAULT_RELAY_QUIC_PORT};
use iroh_relay::http::RELAY_PROBE_PATH;
use iroh_relay::server::http_server::{BytesBody, HyperError, RelayServiceWithNotify};
use iroh_relay::server::streams::MaybeTlsStream;
use iroh_relay::server::{ClientRateLimit, Handlers, Metrics, RelayService};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use rustix::io::Errno;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::address_discovery::AddressDiscovery;
use super::door::{self, ClientLimits, Door};
use crate::routing::Share;

/// How long a connection may take to become a client's.
const HANDSHAKE_TIME: Duration = Duration::from_secs(RELAY_HANDSHAKE_SECONDS);

/// What to wait after no connection could be accepted, so that a lasting fault
/// does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Where a relay listens, and how much it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayServerConfig {
    /// Where it relays: HTTP, upgraded to a WebSocket. Port 80 or 443 passes
    /// where little else does.
    pub http: Vec<SocketAddr>,
    /// Where peers learn, over QUIC, at which address they are seen; UDP. Peers
    /// ask at port 7842.
    pub address_discovery: Vec<SocketAddr>,
    /// How many bytes a second one peer may send through it.
    pub bytes_per_second: u32,
    /// How many peers it relays for.
    pub clients: ClientLimits,
}

impl RelayServerConfig {
    /// A relay at the usual ports of an address, for HTTP `port`.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self {
            http: vec![(ip, port).into()],
            address_discovery: vec![(ip, DEFAULT_RELAY_QUIC_PORT).into()],
            bytes_per_second: RELAY_CLIENT_BYTES_PER_SECOND,
            clients: ClientLimits::default(),
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
    #[error("the relay cannot listen on {place}: {reason}")]
    Listen {
        /// Where.
        place: SocketAddr,
        /// What the system says.
        reason: String,
    },
}

impl Advice for RelayServerError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Certificate(_) => Some("try again"),
            Self::Listen { .. } => Some("choose another port, or end what has it"),
        }
    }
}

/// What a relay has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStatus {
    /// Peers that are connected with it now.
    pub clients: usize,
    /// Peers that it let in.
    pub accepted: u64,
    /// Connections that it refused.
    pub refused: u64,
    /// Bytes that peers sent to it.
    pub bytes_received: u64,
    /// Bytes that it passed on.
    pub bytes_sent: u64,
    /// Packets that it dropped, because who they were for was not there.
    pub packets_dropped: u64,
    /// Bytes that had to wait, because their sender took more than its share.
    pub bytes_slowed: u64,
    /// Peers that had to wait.
    pub clients_slowed: u64,
    /// Peers that were told at which address they are seen.
    pub questions: u64,
}

/// A running relay; dropping it ends it.
///
/// It sees who talks to whom and how much, and nothing of what: the peers
/// encrypt end to end.
#[derive(Debug)]
pub struct RelayServer {
    service: RelayService,
    metrics: Arc<Metrics>,
    door: Arc<Door>,
    places: Vec<SocketAddr>,
    accepting: JoinSet<()>,
    discovery: AddressDiscovery,
}

impl RelayServer {
    /// Starts a relay. A machine without IPv6 leaves out `::`, as long as it
    /// listens elsewhere.
    ///
    /// # Errors
    ///
    /// When a port is taken.
    pub async fn spawn(config: RelayServerConfig) -> Result<Self, RelayServerError> {
        let metrics = Arc::new(Metrics::default());
        let door = Arc::new(Door::new(config.clients));
        let rate = rate_limit(config.bytes_per_second);
        let service = service(rate, Arc::clone(&door), Arc::clone(&metrics));
        let (mut places, mut accepting) = (Vec::new(), JoinSet::new());
        for place in &config.http {
            let bound = bind(*place).and_then(|listener| Ok((listener.local_addr()?, listener)));
            let (bound, listener) = match bound {
                Ok(bound) => bound,
                Err(error) if may_be_absent(*place, &config.http, &error) => continue,
                Err(error) => return Err(failure(*place, &error)),
            };
            places.push(bound);
            accepting.spawn(accept(listener, service.clone(), Arc::clone(&door)));
        }
        let discovery = AddressDiscovery::start(&config.address_discovery)?;
        Ok(Self { service, metrics, door, places, accepting, discovery })
    }

    /// The port at which it relays.
    pub fn port(&self) -> Option<u16> {
        self.places.first().map(SocketAddr::port)
    }

    /// Where it relays.
    pub fn places(&self) -> &[SocketAddr] {
        &self.places
    }

    /// What it has done.
    pub fn status(&self) -> RelayStatus {
        let metrics = &self.metrics;
        RelayStatus {
            clients: self.door.clients(),
            accepted: metrics.accepts.get(),
            refused: self.door.refused() + self.discovery.refused(),
            bytes_received: metrics.bytes_recv.get(),
            bytes_sent: metrics.bytes_sent.get(),
            packets_dropped: metrics.send_packets_dropped.get(),
            bytes_slowed: metrics.bytes_rx_ratelimited_total.get(),
            clients_slowed: metrics.conns_rx_ratelimited_total.get(),
            questions: self.discovery.told(),
        }
    }

    /// Ends it in order.
    pub async fn shutdown(mut self) {
        self.accepting.shutdown().await;
        self.service.shutdown().await;
        self.discovery.shutdown().await;
    }
}

/// The address under which a relay at a host is told to peers.
pub fn address_of(host: Protocol<'_>, port: u16) -> Multiaddr {
    [host, Protocol::Tcp(port), Protocol::Http, Protocol::P2pCircuit].into_iter().collect()
}

pub(super) fn failure(place: SocketAddr, reason: &dyn std::fmt::Display) -> RelayServerError {
    RelayServerError::Listen { place, reason: reason.to_string() }
}

fn rate_limit(bytes_per_second: u32) -> ClientRateLimit {
    let per_second = NonZeroU32::new(bytes_per_second).unwrap_or(NonZeroU32::MIN);
    let mut rate = ClientRateLimit::new(per_second);
    rate.max_burst_bytes = Some(per_second);
    rate
}

fn service(rate: ClientRateLimit, door: Arc<Door>, metrics: Arc<Metrics>) -> RelayService {
    let keys = KeyCache::new(DEFAULT_KEY_CACHE_CAPACITY);
    RelayService::new(handlers(), HeaderMap::new(), Some(rate), keys, door, metrics)
}

/// What else peers ask a relay for: how far it is, and whether the network
/// shows its own page first.
fn handlers() -> Handlers {
    let mut handlers = Handlers::default();
    for (path, status) in
        [(RELAY_PROBE_PATH, StatusCode::OK), ("/generate_204", StatusCode::NO_CONTENT)]
    {
        let answer = move |_, answer: http::response::Builder| {
            let answer = answer.status(status).header("access-control-allow-origin", "*");
            let body = Empty::new();
            answer.body(Box::new(body) as _).map_err(Into::into)
        };
        handlers.insert((Method::GET, path), Box::new(answer));
    }
    handlers
}

/// Whether all IPv6 addresses are meant, on a machine that has none.
fn may_be_absent(place: SocketAddr, all: &[SocketAddr], error: &io::Error) -> bool {
    let absent = error.kind() == io::ErrorKind::AddrNotAvailable
        || Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT);
    absent && place.ip() == Ipv6Addr::UNSPECIFIED && all.iter().any(SocketAddr::is_ipv4)
}

/// A listener for one family of addresses alone.
fn bind(place: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(place), Type::STREAM, None)?;
    if place.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&place.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(listener: TcpListener, service: RelayService, door: Arc<Door>) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = handshakes.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, from)) = accepted else {
                    sleep(PAUSE).await;
                    continue;
                };
                // Without a pass it is closed.
                if let Some(pass) = door.enter(from.ip()) {
                    handshakes.spawn(serve(stream, from.ip(), service.clone(), pass, HANDSHAKE_TIME));
                }
            }
        }
    }
}

/// The relay's service, told where requests come from; notes an upgrade.
struct Marking {
    relay: RelayServiceWithNotify,
    from: IpAddr,
    upgraded: Arc<AtomicBool>,
}

impl Service<Request<Incoming>> for Marking {
    type Response = Response<BytesBody>;
    type Error = HyperError;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        door::mark(request.headers_mut(), self.from);
        let answer = self.relay.call(request).into_inner();
        let status = answer.as_ref().map(Response::status);
        let upgrades = matches!(status, Ok(StatusCode::SWITCHING_PROTOCOLS));
        self.upgraded.fetch_or(upgrades, Ordering::Relaxed);
        ready(answer)
    }
}

/// Serves one connection until it has ended, or is a client's: from then on
/// the relay's own tasks do. One that is neither in `time` is ended.
async fn serve(
    stream: TcpStream,
    from: IpAddr,
    service: RelayService,
    pass: Share,
    time: Duration,
) {
    // For what upgrades and then says nothing: its task ends with the socket.
    let Ok(socket) = SockRef::from(&stream).try_clone() else { return };
    let (established, upgraded) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let client = established.notified();
    let relay = RelayServiceWithNotify::new(service, Arc::clone(&established));
    let answer = Marking { relay, from, upgraded: Arc::clone(&upgraded) };
    let stream = TokioIo::new(MaybeTlsStream::Plain(stream));
    let connection = http1::Builder::new().serve_connection(stream, answer).with_upgrades().boxed();
    let served = async {
        if let Err(error) = connection.await {
            tracing::debug!(%from, %error, "a connection to the relay failed");
        }
        if upgraded.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        () = client => {}
        () = served => {}
        () = pass.lost() => {
            let _ = socket.shutdown(Shutdown::Both);
        }
        () = sleep(time) => {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// A certificate of its own making: nobody checks it, as `AnyCertificate` of
/// the roaming transport explains.
pub(super) fn tls() -> Result<rustls::ServerConfig, RelayServerError> {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A connection to a relay that waits a moment for a handshake, after it
    /// has said this; what is answered until the end.
    async fn answered(said: &str) -> String {
        let door = Arc::new(Door::new(ClientLimits::default()));
        let service = service(rate_limit(1000), Arc::clone(&door), Arc::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, from) = listener.accept().await.unwrap();
        let pass = door.enter(from.ip()).unwrap();
        let serving = serve(stream, from.ip(), service, pass, Duration::from_millis(100));
        client.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let reading =
            tokio::time::timeout(Duration::from_secs(30), client.read_to_end(&mut answer));
        let (_, read) = tokio::join!(serving, reading);
        read.expect("it is ended").unwrap();
        assert_eq!(door.clients(), 0);
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn who_says_nothing_is_ended_before_and_after_the_upgrade() {
        assert_eq!(answered("").await, "");
        assert_eq!(answered("GET /relay HTTP/1.1\r\n").await, "");
        let upgrade = "GET /relay HTTP/1.1\r\nhost: hub\r\nconnection: upgrade\r\n\
            upgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            sec-websocket-protocol: iroh-relay-v1\r\n\r\n";
        assert!(answered(upgrade).await.starts_with("HTTP/1.1 101"));
    }

    #[tokio::test]
    async fn peers_can_ask_how_far_it_is() {
        let probe = "GET /ping HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n";
        assert!(answered(probe).await.starts_with("HTTP/1.1 200"));
        let portal = "GET /generate_204 HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n";
        assert!(answered(portal).await.starts_with("HTTP/1.1 204"));
    }
}
