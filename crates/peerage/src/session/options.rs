//! How a session is to run.

use std::{net::SocketAddr, sync::Arc};

use libp2p::Multiaddr;

use crate::{
    access::{Everybody, Policy},
    discovery::{DnsConfig, MainlineConfig, Way},
    exchange::Hosts,
    node::NodeConfig,
    topology::kademlia::KademliaConfig,
};

/// How a session is to run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The identity, the addresses to listen on, and the limits.
    pub node: NodeConfig,
    /// The device's name, for the peers nearby.
    pub name: String,
    /// Whether to announce this peer on the local network and look for others.
    pub lan: bool,
    /// Where to serve the gateway to this machine by plain HTTP.
    pub http: Option<SocketAddr>,
    /// Under which names, besides that address and `localhost`.
    pub http_hosts: Hosts,
    /// By which ways to find peers and be found, besides the local network.
    /// Ways that need the running node come later, by
    /// [`Finder::add`](crate::discovery::Finder::add).
    pub ways: Vec<Arc<dyn Way>>,
    /// By which of those that need the running node.
    pub wide: Wide,
    /// Who may read what the store holds: [`Everybody`], if nothing else is
    /// said.
    pub policy: Arc<dyn Policy>,
}

/// Ways of finding peers anywhere that need the running node.
#[derive(Clone, Debug, Default)]
pub struct Wide {
    /// Trackers to announce to and to ask, each address with its peer at the
    /// end. Every hub is one.
    pub trackers: Vec<Multiaddr>,
    /// Zones of hubs in the DNS.
    pub dns: Option<DnsConfig>,
    /// Which network of Kademlia to take part in, if in any.
    pub kademlia: Option<KademliaConfig>,
    /// `BitTorrent`'s Mainline DHT: this peer's addresses are public there.
    pub mainline: Option<MainlineConfig>,
}

impl SessionOptions {
    /// A session that is found on the local network and serves no plain HTTP.
    #[must_use]
    pub fn new(node: NodeConfig) -> Self {
        Self {
            node,
            name: String::from("peerage"),
            lan: true,
            http: None,
            http_hosts: Hosts::default(),
            ways: Vec::new(),
            wide: Wide::default(),
            policy: Arc::new(Everybody),
        }
    }

    /// Uses a hub for all that it does: it relays for this peer, and keeps where
    /// it is and what it shares. Its address has its peer at the end.
    pub fn add_hub(&mut self, address: Multiaddr) {
        self.wide.trackers.push(address.clone());
        self.node.hubs.push(address);
    }
}
