//! Settings of a node.

use std::time::Duration;

use crate::limits;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use crate::routing::{Multiplexer, Security};

/// The version of identify's family of protocols that libp2p's public networks
/// have.
const PROTOCOL_VERSION: &str = "ipfs/0.1.0";

/// What a node is started with; [`presets`](crate::presets) makes some.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Who the node is.
    pub keypair: Keypair,
    /// Where it listens; starting fails unless all of them work.
    pub listen: Vec<Multiaddr>,
    /// Where it listens as well, if the machine can.
    pub listen_if_possible: Vec<Multiaddr>,
    /// Where others reach it besides, though it cannot see that itself: behind
    /// a router with a fixed mapping, or under a name.
    pub announce: Vec<Multiaddr>,
    /// Hubs that it keeps a connection with, each with its peer id at the end:
    /// they relay for it while there is no direct path.
    pub hubs: Vec<Multiaddr>,
    /// Whether connections may roam: over the hubs' relays at once, then
    /// straight, and along when an address changes. Needs an Ed25519 key.
    pub roaming: bool,
    /// The UDP port of connections that roam; 0 lets the system choose.
    pub roaming_port: u16,
    /// Whether to ask the router to let packets in (PCP, NAT-PMP, `UPnP`).
    pub map_ports: bool,
    /// What it does for other peers.
    pub services: Services,
    /// What it tells other peers about its software: `name/version`.
    pub agent: String,
    /// The family of protocols that it says it belongs to (identify's
    /// `protocolVersion`): a network that is none of libp2p's public ones may
    /// have its own. Peers of another are connected all the same.
    pub protocol_version: String,
    /// How much of the machine others may take.
    pub limits: NodeLimits,
    /// How long a connection is kept on which no stream is open.
    pub idle_timeout: Duration,
    /// What secures connections over TCP, WebSocket and circuits; the first is
    /// preferred when dialling. QUIC has TLS 1.3 built in, and so has what roams.
    pub security: Vec<Security>,
    /// What carries many streams on them; the first is preferred when
    /// dialling. [`Multiplexer::Mplex`] has no flow control: whoever is connected
    /// by it may have [`limits::MAX_MPLEX_UNREAD_BYTES`] wait here, so it is
    /// offered only where peers that know nothing else are to be reached.
    pub multiplexers: Vec<Multiplexer>,
}

impl NodeConfig {
    /// Who a node with these settings is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    /// Settings of a node that listens nowhere, and can dial.
    pub fn new(keypair: Keypair) -> Self {
        Self {
            keypair,
            listen: Vec::new(),
            listen_if_possible: Vec::new(),
            announce: Vec::new(),
            hubs: Vec::new(),
            roaming: false,
            roaming_port: 0,
            map_ports: false,
            services: Services::default(),
            agent: concat!("peerage/", env!("CARGO_PKG_VERSION")).to_owned(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            limits: NodeLimits::default(),
            idle_timeout: Duration::from_secs(60),
            security: Security::preferred(),
            multiplexers: vec![Multiplexer::Yamux],
        }
    }
}

/// What a node does for peers that cannot be reached directly; a hub does all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Services {
    /// Relays streams between peers ([circuit relay v2]), within these limits.
    ///
    /// [circuit relay v2]: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
    pub relay: Option<RelayLimits>,
    /// Tells peers whether they can be reached, by dialling them (`AutoNAT` v2).
    pub dial_back: bool,
}

/// How much a relay carries for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// Peers that may be reached through it at once.
    pub reservations: usize,
    /// Of those, how many one IP address may hold.
    pub reservations_per_ip: u32,
    /// Circuits at once.
    pub circuits: usize,
    /// Of those, how many one peer may hold.
    pub circuits_per_peer: usize,
    /// How many bytes a circuit carries each way before it ends.
    pub circuit_bytes: u64,
    /// How long a circuit lives.
    pub circuit_duration: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            reservations: limits::MAX_RELAY_RESERVATIONS,
            reservations_per_ip: limits::MAX_RELAY_RESERVATIONS_PER_IP,
            circuits: limits::MAX_RELAY_CIRCUITS,
            circuits_per_peer: limits::MAX_RELAY_CIRCUITS_PER_PEER,
            circuit_bytes: limits::MAX_RELAY_CIRCUIT_BYTES,
            circuit_duration: Duration::from_secs(limits::MAX_RELAY_CIRCUIT_SECONDS),
        }
    }
}

/// How much of the machine other peers may take. The defaults are the
/// constants of [`crate::limits`], which give the reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLimits {
    /// Connections that others opened.
    pub incoming_connections: u32,
    /// Those of them from one network: an IPv4 address, or the /56 of an IPv6
    /// one. Unbounded in plain nodes, which have few anyway.
    pub connections_per_network: Option<u32>,
    /// Connections that we opened.
    pub outgoing_connections: u32,
    /// Connections of one peer, opened by either side.
    pub connections_per_peer: u32,
    /// Connections in their handshake, each way.
    pub pending_connections: u32,
    /// Streams on one connection, each way.
    pub streams_per_connection: usize,
    /// Streams that others opened, over all connections.
    pub incoming_streams: usize,
    /// Streams of one protocol that wait to be accepted.
    pub unaccepted_streams: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            incoming_connections: limits::MAX_INCOMING_CONNECTIONS,
            connections_per_network: None,
            outgoing_connections: limits::MAX_OUTGOING_CONNECTIONS,
            connections_per_peer: limits::MAX_CONNECTIONS_PER_PEER,
            pending_connections: limits::MAX_PENDING_CONNECTIONS,
            streams_per_connection: limits::MAX_STREAMS_PER_CONNECTION,
            incoming_streams: limits::MAX_INCOMING_STREAMS,
            unaccepted_streams: limits::MAX_UNACCEPTED_STREAMS,
        }
    }
}

impl NodeLimits {
    /// The limits of a hub: many connections, few of any one network.
    pub fn hub() -> Self {
        Self {
            incoming_connections: limits::MAX_HUB_CONNECTIONS,
            connections_per_network: Some(limits::MAX_HUB_CONNECTIONS_PER_NETWORK),
            pending_connections: limits::MAX_HUB_PENDING_CONNECTIONS,
            ..Self::default()
        }
    }
}
