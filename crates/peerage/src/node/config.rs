//! Settings of a node.

use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use peerage_core::limits;

use crate::discovery::kademlia::KademliaConfig;
use crate::routing::{Multiplexer, Security};

/// What a node is started with; [`presets`](crate::presets) makes some.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Who the node is.
    pub keypair: Keypair,
    /// Where it listens; starting fails unless all of them work.
    pub listen: Vec<Multiaddr>,
    /// Where it listens as well, if the machine can.
    pub listen_if_possible: Vec<Multiaddr>,
    /// What it tells other peers about its software: `name/version`.
    pub agent: String,
    /// How much of the machine others may take.
    pub limits: NodeLimits,
    /// How long a connection is kept on which no stream is open.
    pub idle_timeout: Duration,
    /// What secures connections over TCP and WebSocket; the first is
    /// preferred when dialling.
    pub security: Vec<Security>,
    /// What carries many streams on them; the first is preferred when
    /// dialling.
    pub multiplexers: Vec<Multiplexer>,
    /// Which network of Kademlia it takes part in, if in any.
    pub kademlia: Option<KademliaConfig>,
}

impl NodeConfig {
    /// Settings of a node that listens nowhere, and can dial.
    pub fn new(keypair: Keypair) -> Self {
        Self {
            keypair,
            listen: Vec::new(),
            listen_if_possible: Vec::new(),
            agent: concat!("peerage/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: NodeLimits::default(),
            idle_timeout: Duration::from_secs(60),
            security: Security::preferred(),
            multiplexers: vec![Multiplexer::Yamux, Multiplexer::Mplex],
            kademlia: None,
        }
    }
}

/// How much of the machine other peers may take. The defaults are the
/// constants of [`peerage_core::limits`], which give the reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLimits {
    /// Connections that others opened.
    pub incoming_connections: u32,
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
            outgoing_connections: limits::MAX_OUTGOING_CONNECTIONS,
            connections_per_peer: limits::MAX_CONNECTIONS_PER_PEER,
            pending_connections: limits::MAX_PENDING_CONNECTIONS,
            streams_per_connection: limits::MAX_STREAMS_PER_CONNECTION,
            incoming_streams: limits::MAX_INCOMING_STREAMS,
            unaccepted_streams: limits::MAX_UNACCEPTED_STREAMS,
        }
    }
}
