//! What the network around this host lets through.

use std::net::SocketAddr;
use std::time::Duration;

use libp2p::Multiaddr;

/// What the network lets through, as measured with the relays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Network {
    /// Packets of UDP get through over IPv4, IPv6.
    pub udp: (bool, bool),
    /// As which addresses the node is seen.
    pub seen_as: Vec<SocketAddr>,
    /// The router gives each destination another address or port; unknown with
    /// a single relay to ask.
    pub varies: Option<bool>,
    /// The relays, and how far each is.
    pub relays: Vec<(Multiaddr, Option<Duration>)>,
    /// The relay over which this node is reached.
    pub home: Option<Multiaddr>,
}
