//! The hub: a peer that can be reached, and helps those that cannot.
//!
//! It relays, tells peers where they are seen, keeps who is where, is a boot
//! node, and can be a zone of the DNS. It is ordinary Peerage: anyone can run
//! one, none is special, and none can read what it relays.

mod address_discovery;
mod config;
mod door;
mod live;
mod metrics;
mod places;
mod relay;
mod web;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

pub use config::{
    Announced, AnnouncedError, ConnectionSettings, DEFAULT_CONFIG, HubConfig, HubPorts, OrOff,
    RegistrySettings, RelaySettings, ZoneScope, ZoneSettings,
};
pub use door::ClientLimits;
pub use relay::{RelayServer, RelayServerConfig, RelayServerError, RelayStatus, address_of};

use peerage_core::Advice;

use crate::discovery::tracker::{TrackerConfig, TrackerServer, TrackerStatus};
use crate::discovery::{ZoneError, ZoneServer, ZoneStatus};
use crate::exchange::Hosts;
use crate::node::{AcceptError, Node, NodeConfig, RefusedConnections, Services, SpawnError};
use crate::topology::kademlia::{self, AddressScope, Kademlia, KademliaConfig, Mode, Refused};
use live::Live;
use web::MetricsServer;

/// The file in a hub's folder in which its registry is kept over a restart.
pub const REGISTRY_FILE: &str = "hub-registry";

/// Why a hub did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The settings cannot be read.
    #[error("line {line} of the hub's settings: {reason}")]
    Config {
        /// Where.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A boot node has no peer at its end.
    #[error("the boot node {0} does not say which peer it is")]
    BootNode(Multiaddr),
    /// The system keeps this port for root.
    #[error("port {0} is kept for root")]
    Privileged(u16),
    /// The node could not start.
    #[error(transparent)]
    Node(#[from] SpawnError),
    /// The relay could not start.
    #[error(transparent)]
    Relay(#[from] RelayServerError),
    /// The tracker could not start.
    #[error(transparent)]
    Tracker(#[from] AcceptError),
    /// The zone could not start.
    #[error("the zone: {0}")]
    Zone(#[from] ZoneError),
    /// Metrics could not be served.
    #[error("metrics cannot be served at {0}: {1}")]
    Metrics(SocketAddr, io::Error),
}

impl Advice for HubError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Config { .. } => Some("run `peerage hub --print-config` to see all of them"),
            Self::BootNode(_) => Some("add /p2p/PEER at its end"),
            Self::Privileged(_) => Some(
                "use contrib/peerage-hub.service, `sudo setcap cap_net_bind_service=+ep`, or a port above 1023",
            ),
            Self::Node(error) => error.hint(),
            Self::Relay(error) => error.hint(),
            Self::Tracker(error) => error.hint(),
            Self::Zone(_) => Some("see docs/hub.md"),
            Self::Metrics(..) => Some("choose another port"),
        }
    }
}

/// What a hub has done, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStatus {
    /// Connected peers.
    pub peers: usize,
    /// Connections with them.
    pub connections: usize,
    /// Connections of others that were refused.
    pub refused_connections: RefusedConnections,
    /// The relay, if there is one.
    pub relay: Option<RelayStatus>,
    /// The tracker.
    pub tracker: TrackerStatus,
    /// What was refused in Kademlia, if the hub takes part.
    pub kademlia: Option<Refused>,
    /// The zone, if it has one.
    pub zone: Option<ZoneStatus>,
}

/// A running hub. It ends when this is dropped; [`shutdown`](Self::shutdown)
/// saves what it knows before.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use libp2p::identity::Keypair;
/// use peerage::hub::{Hub, HubConfig};
///
/// // Everything on this machine alone, at ports that the system chooses.
/// let config: HubConfig = "
///     listen = ['127.0.0.1']
///     metrics = '127.0.0.1:0'
///     ports = { peers = 0, websocket = 0, relay = 0, address_discovery = 0 }
/// ".parse()?;
/// let hub = Hub::start(Keypair::generate_ed25519(), &config, None).await?;
/// assert!(hub.addresses()[0].to_string().ends_with(&hub.peer_id().to_string()));
/// hub.shutdown().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Hub {
    parts: Arc<Parts>,
    metrics: Option<MetricsServer>,
}

/// What a hub is made of; the page of metrics looks at it too.
struct Parts {
    node: Node,
    kademlia: Option<Kademlia>,
    tracker: Arc<TrackerServer>,
    relay: Option<RelayServer>,
    zone: Option<ZoneServer>,
}

impl Hub {
    /// Starts a hub, which goes on with the registry in `folder`. Without one
    /// the registry is lost when it ends.
    ///
    /// # Errors
    ///
    /// When it may not listen where it shall, or cannot.
    pub async fn start(
        keypair: Keypair,
        config: &HubConfig,
        folder: Option<&Path>,
    ) -> Result<Self, HubError> {
        let kademlia = config.kademlia.then(|| kademlia_config(config)).transpose()?;
        ensure_permitted(config)?;
        let relay = start_relay(config).await?;
        let announce = places::announced(config, relay.as_ref().and_then(RelayServer::port));
        let node = node_config(keypair, config, &announce);
        let (part, kademlia) = kademlia::optional_part(node.peer_id(), kademlia);
        let node = Node::spawn_with(node, part).await?;
        let tracker = TrackerConfig {
            limits: config.registry.limits(),
            addresses: announce,
            snapshot: folder.map(|folder| folder.join(REGISTRY_FILE)),
        };
        let tracker = Arc::new(TrackerServer::start(&node, tracker)?);
        let zone = match &config.zone {
            Some(zone) => {
                let live = Arc::new(Live(Arc::clone(&tracker)));
                Some(ZoneServer::start(&zone.config(), live).await?)
            }
            None => None,
        };
        let parts = Arc::new(Parts { node, kademlia, tracker, relay, zone });
        let metrics = match config.metrics.on() {
            Some(place) => {
                let hosts = Hosts::new(config.metrics_hosts.iter().cloned());
                let started = MetricsServer::start(place, hosts, Arc::clone(&parts)).await;
                Some(started.map_err(|error| HubError::Metrics(place, error))?)
            }
            None => None,
        };
        Ok(Self { parts, metrics })
    }

    /// Who it is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.parts.node.peer_id()
    }

    /// What to hand to others: where it is reached, with its peer id at the
    /// end; the best first.
    #[must_use]
    pub fn addresses(&self) -> Vec<Multiaddr> {
        places::to_hand_on(&self.parts.node.listen_addresses(), self.peer_id())
    }

    /// Its node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.parts.node
    }

    /// Its part in Kademlia, if it has one.
    #[must_use]
    pub fn kademlia(&self) -> Option<&Kademlia> {
        self.parts.kademlia.as_ref()
    }

    /// Its tracker.
    #[must_use]
    pub fn tracker(&self) -> &TrackerServer {
        &self.parts.tracker
    }

    /// Where it relays roaming connections.
    #[must_use]
    pub fn relay(&self) -> &[SocketAddr] {
        self.parts.relay.as_ref().map_or(&[], RelayServer::places)
    }

    /// Where its zone answers.
    #[must_use]
    pub fn zone(&self) -> &[SocketAddr] {
        self.parts.zone.as_ref().map_or(&[], ZoneServer::addresses)
    }

    /// Where it serves metrics.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(MetricsServer::address)
    }

    /// What it has done, and what it holds.
    #[must_use]
    pub fn status(&self) -> HubStatus {
        self.parts.status()
    }

    /// Ends it in order: the registry is saved first, then peers are told.
    ///
    /// # Errors
    ///
    /// When the registry cannot be saved. The hub has ended then, too.
    pub async fn shutdown(self) -> io::Result<()> {
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
        // Nobody else has the parts now.
        let Some(parts) = Arc::into_inner(self.parts) else { return Ok(()) };
        if let Some(zone) = parts.zone {
            zone.stop().await;
        }
        let saved = match Arc::try_unwrap(parts.tracker) {
            Ok(tracker) => tracker.shutdown().await,
            // Somebody who asks the zone is just being answered.
            Err(tracker) => tracker.save().await,
        };
        parts.node.shutdown().await;
        if let Some(relay) = parts.relay {
            relay.shutdown().await;
        }
        saved
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Hub").field(&self.peer_id()).finish()
    }
}

impl Parts {
    fn status(&self) -> HubStatus {
        let peers = self.node.peers();
        HubStatus {
            peers: peers.len(),
            connections: peers.iter().map(|peer| peer.connections.len()).sum(),
            refused_connections: self.node.refused_connections(),
            relay: self.relay.as_ref().map(RelayServer::status),
            tracker: self.tracker.status(),
            kademlia: self.kademlia.as_ref().map(Kademlia::refused),
            zone: self.zone.as_ref().map(ZoneServer::status),
        }
    }
}

/// Finds out whether the ports below 1024 are ours to use: what the parts say
/// of it later is less clear.
fn ensure_permitted(config: &HubConfig) -> Result<(), HubError> {
    let ports = &config.ports;
    let tcp = [ports.peers, ports.websocket, ports.relay].map(config::OrOff::on);
    let udp = [ports.peers, ports.address_discovery].map(config::OrOff::on);
    let refused = |outcome: io::Result<()>| {
        outcome.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let at = |port: Option<u16>| port.filter(|port| (1..1024).contains(port));
    for ip in &config.listen {
        for port in tcp.into_iter().filter_map(at) {
            if refused(TcpListener::bind((*ip, port)).map(drop)) {
                return Err(HubError::Privileged(port));
            }
        }
        for port in udp.into_iter().filter_map(at) {
            if refused(UdpSocket::bind((*ip, port)).map(drop)) {
                return Err(HubError::Privileged(port));
            }
        }
    }
    for place in config.zone.iter().flat_map(|zone| &zone.listen) {
        if at(Some(place.port())).is_some() && refused(UdpSocket::bind(place).map(drop)) {
            return Err(HubError::Privileged(place.port()));
        }
    }
    Ok(())
}

async fn start_relay(config: &HubConfig) -> Result<Option<RelayServer>, HubError> {
    let Some(port) = config.ports.relay.on() else { return Ok(None) };
    let at = |port: u16| config.listen.iter().map(|ip| (*ip, port).into()).collect();
    let relay = RelayServerConfig {
        http: at(port),
        address_discovery: config.ports.address_discovery.on().map(at).unwrap_or_default(),
        bytes_per_second: config.relay.bytes_per_second,
        clients: config.relay.clients(),
    };
    Ok(Some(RelayServer::spawn(relay).await?))
}

fn node_config(keypair: Keypair, config: &HubConfig, announce: &[Multiaddr]) -> NodeConfig {
    let mut node = NodeConfig::new(keypair);
    for ip in &config.listen {
        let is_spare = *ip == Ipv6Addr::UNSPECIFIED && config.listen.iter().any(IpAddr::is_ipv4);
        let places = if is_spare { &mut node.listen_if_possible } else { &mut node.listen };
        let at = |parts: &[Protocol<'static>]| -> Multiaddr {
            std::iter::once(&Protocol::from(*ip)).chain(parts).cloned().collect()
        };
        if let Some(port) = config.ports.peers.on() {
            places.push(at(&[Protocol::Tcp(port)]));
            places.push(at(&[Protocol::Udp(port), Protocol::QuicV1]));
        }
        if let Some(port) = config.ports.websocket.on() {
            places.push(at(&[Protocol::Tcp(port), Protocol::Ws("/".into())]));
        }
    }
    node.announce = announce.to_vec();
    node.services = Services { relay: Some(config.relay.circuits()), dial_back: true };
    node.limits = config.node_limits();
    node
}

/// A hub answers from the start: it was started to be reached.
fn kademlia_config(config: &HubConfig) -> Result<KademliaConfig, HubError> {
    let mut kademlia = KademliaConfig { mode: Some(Mode::Server), ..KademliaConfig::default() };
    if config.listen.iter().all(IpAddr::is_loopback) {
        kademlia.scope = AddressScope::Machine;
    }
    for address in &config.boot_nodes {
        if !kademlia.add_boot_node(address) {
            return Err(HubError::BootNode(address.clone()));
        }
    }
    Ok(kademlia)
}
