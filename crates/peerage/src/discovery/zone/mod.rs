//! The zone of a hub in the DNS: an authoritative name server for just that
//! zone, which says where live peers are. [`peerage_core::discovery::zone`]
//! has the names and what they say.
//!
//! The loops around the sockets are our own, over hickory's codec: a server of
//! hickory's takes any number of TCP connections and a task for every packet.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{
    MAX_DNS_UDP_BYTES, MAX_ZONE_CONNECTIONS, MAX_ZONE_CONNECTIONS_PER_NETWORK,
    ZONE_CONNECTION_SECONDS, ZONE_SILENCE_SECONDS,
};
use libp2p::PeerId;
use peerage_core::Advice;
use peerage_core::discovery::{Scope, SignedPeerRecord};
use peerage_core::routing::pool::{Origin, PoolLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use answer::{Answers, Carrier};

use crate::routing::{Share, SharedPool};

mod answer;

/// How long a TCP connection may be silent, and may last.
const SILENCE: Duration = Duration::from_secs(ZONE_CONNECTION_SECONDS);
const LIFETIME: Duration = Duration::from_secs(6 * ZONE_CONNECTION_SECONDS);

/// How the TCP connections are shared out.
const POOL: PoolLimits = PoolLimits {
    one: MAX_ZONE_CONNECTIONS_PER_NETWORK,
    silence: Duration::from_secs(ZONE_SILENCE_SECONDS),
    ..PoolLimits::of(MAX_ZONE_CONNECTIONS)
};

/// What to wait after a socket failed, so that a lasting fault does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// How many ports are tried for one that is free for UDP and TCP.
const PORT_TRIES: usize = 16;

/// Who is there now: what a zone is made from.
pub trait LivePeers: Send + Sync + 'static {
    /// The records of all live peers that want to be listed.
    fn live(&self) -> Vec<SignedPeerRecord>;

    /// The record of one live peer.
    fn record(&self, peer: &PeerId) -> Option<SignedPeerRecord>;
}

/// What zone to serve, and where.
#[derive(Clone, Debug)]
pub struct ZoneConfig {
    /// The zone's name, such as `peers.example.org`.
    pub zone: String,
    /// The host names of its name servers, as the zone above has them; outside
    /// of the zone, whose own addresses are those of peers. The first is said
    /// to be the primary one.
    pub name_servers: Vec<String>,
    /// Where to listen, over UDP and TCP. On a machine of several addresses
    /// name the addresses, so that answers come from the one that was asked.
    pub listen: Vec<SocketAddr>,
    /// For how long resolvers may keep an answer: as long as it may be wrong
    /// after a peer has left.
    pub ttl: Duration,
    /// From how far away the addresses of the texts must be reachable.
    pub scope: Scope,
}

impl ZoneConfig {
    /// A zone for the internet on the DNS's own port, of answers that hold a
    /// minute.
    #[must_use]
    pub fn new(zone: &str, name_server: &str) -> Self {
        Self {
            zone: zone.to_owned(),
            name_servers: vec![name_server.to_owned()],
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 53))],
            ttl: Duration::from_secs(60),
            scope: Scope::Relayed,
        }
    }
}

/// Why a zone cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// The zone or a name server has no name of the DNS.
    #[error("{0:?} is not a name of the DNS")]
    Name(String),
    /// There is no name server.
    #[error("a zone needs the host name of at least one name server")]
    NoNameServer,
    /// A socket cannot be bound.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
}

impl Advice for ZoneError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Name(_) => Some("check its spelling"),
            Self::NoNameServer => Some("name one"),
            Self::Listen(..) => Some("choose another port, or end what has it"),
        }
    }
}

/// What a zone was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZoneStatus {
    /// Questions that could be read.
    pub questions: u64,
    /// Those of sources that asked too much.
    pub rate_limited: u64,
    /// Those that are not for this zone, or not for a name server like this.
    pub refused: u64,
}

/// A name server that runs until it is stopped or dropped.
pub struct ZoneServer {
    answers: Arc<Answers>,
    tasks: JoinSet<()>,
    addresses: Vec<SocketAddr>,
}

impl ZoneServer {
    /// Binds and begins to answer.
    ///
    /// # Errors
    ///
    /// When a name is none, or a socket cannot be bound.
    pub async fn start(config: &ZoneConfig, peers: Arc<dyn LivePeers>) -> Result<Self, ZoneError> {
        let answers = Arc::new(Answers::new(config, peers)?);
        let connections = SharedPool::new(POOL);
        let (mut tasks, mut addresses) = (JoinSet::new(), Vec::new());
        for place in &config.listen {
            let bound = bind(*place).await.map_err(|error| ZoneError::Listen(*place, error))?;
            addresses.push(bound.2);
            tasks.spawn(serve_udp(bound.0, answers.clone()));
            tasks.spawn(serve_tcp(bound.1, answers.clone(), connections.clone()));
        }
        Ok(Self { answers, tasks, addresses })
    }

    /// Where it listens, over UDP and TCP.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it was asked so far.
    #[must_use]
    pub fn status(&self) -> ZoneStatus {
        self.answers.status()
    }

    /// Ends, and waits for it.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// One port for UDP and TCP, also where the system chooses it.
async fn bind(place: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let mut tries = if place.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let udp = UdpSocket::bind(place).await?;
        let address = udp.local_addr()?;
        tries -= 1;
        match TcpListener::bind(address).await {
            Ok(tcp) => return Ok((udp, tcp, address)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// One question after the other: an answer is made in less time than a task.
async fn serve_udp(socket: UdpSocket, answers: Arc<Answers>) {
    let mut buffer = vec![0; MAX_DNS_UDP_BYTES + 1];
    loop {
        let Ok((length, source)) = socket.recv_from(&mut buffer).await else {
            sleep(PAUSE).await;
            continue;
        };
        if length > MAX_DNS_UDP_BYTES {
            continue;
        }
        if let Some(answer) = answers.answer(&buffer[..length], source.ip(), Carrier::Udp) {
            let _ = socket.send_to(&answer, source).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, answers: Arc<Answers>, room: SharedPool) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, source)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        // Without room it is closed, and the resolver asks another server.
        let Ok(place) = room.enter(&Origin::address(source.ip()), 1) else { continue };
        let answers = answers.clone();
        connections.spawn(async move {
            let serving = serve_connection(stream, source, &answers, &place);
            tokio::select! {
                _ = timeout(LIFETIME, serving) => {}
                () = place.lost() => {}
            }
        });
    }
}

/// Questions and answers with two bytes of length before each (RFC 7766).
async fn serve_connection(
    mut stream: TcpStream,
    source: SocketAddr,
    answers: &Answers,
    place: &Share,
) -> io::Result<()> {
    let mut buffer = vec![0; MAX_DNS_UDP_BYTES];
    loop {
        let length = usize::from(timeout(SILENCE, stream.read_u16()).await??);
        if length > buffer.len() {
            return Ok(());
        }
        timeout(SILENCE, stream.read_exact(&mut buffer[..length])).await??;
        place.heard();
        let answer = answers.answer(&buffer[..length], source.ip(), Carrier::Tcp);
        let Some(answer) = answer else { return Ok(()) };
        let size = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let framed = [&size.to_be_bytes()[..], &answer].concat();
        timeout(SILENCE, stream.write_all(&framed)).await??;
    }
}
