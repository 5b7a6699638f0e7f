//! Settings of Kademlia.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::limits;
use libp2p::{Multiaddr, PeerId, StreamProtocol, kad};
use peerage_core::topology::kademlia::AddressScope;

use crate::routing::{peer_suffix, without_peer};

/// The boot nodes of the public IPFS network, as Kubo ships them.
pub const IPFS_BOOT_NODES: [&str; 5] = [
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
    "/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
];

/// The protocol of Peerage's own network.
const PEERAGE: StreamProtocol = StreamProtocol::new("/peerage/kad/1.0.0");

/// The protocol of the public IPFS network.
const IPFS: StreamProtocol = StreamProtocol::new("/ipfs/kad/1.0.0");

/// The protocol of IPFS nodes on a local network.
const IPFS_LAN: StreamProtocol = StreamProtocol::new("/ipfs/lan/kad/1.0.0");

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Whether a node answers others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It asks, and is in nobody's routing table.
    Client,
    /// It answers too, and keeps records of others.
    Server,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// How a node takes part in a network of Kademlia.
#[derive(Clone, Debug)]
pub struct KademliaConfig {
    /// The name of the network: peers of another one are not seen.
    pub protocol: StreamProtocol,
    /// Whom to ask first.
    pub boot_nodes: Vec<(PeerId, Multiaddr)>,
    /// Which addresses are dialled, kept and passed on.
    pub scope: AddressScope,
    /// Whether others are answered; unless it is said, from the moment on when
    /// an address is confirmed at which anybody reaches this node.
    pub mode: Option<Mode>,
    /// Whether signed peer records are kept under peer ids. The IPFS networks
    /// refuse them; there a peer announces itself as a provider of its own id.
    pub records: bool,
    /// On how many peers each record is kept.
    pub replication: NonZeroUsize,
    /// How many peers one look-up asks at the same time.
    pub parallelism: NonZeroUsize,
    /// How often this node looks itself up, and refreshes its routing table.
    pub bootstrap_interval: Duration,
    /// How often it looks up what nobody has, to meet more of the network.
    pub random_walk_interval: Option<Duration>,
    /// How long records and provider records of others are kept.
    pub record_lifetime: Duration,
    /// How often this node says its own again, to those that are closest then.
    pub republish_interval: Duration,
}

impl Default for KademliaConfig {
    /// Peerage's own network, without a boot node.
    fn default() -> Self {
        Self {
            protocol: PEERAGE,
            boot_nodes: Vec::new(),
            scope: AddressScope::Private,
            mode: None,
            records: true,
            replication: kad::K_VALUE,
            parallelism: NonZeroUsize::MIN.saturating_add(5),
            bootstrap_interval: 10 * MINUTE,
            random_walk_interval: Some(10 * MINUTE),
            record_lifetime: 24 * HOUR,
            republish_interval: 2 * HOUR,
        }
    }
}

impl KademliaConfig {
    /// Peerage's own network on this machine alone, where every node answers:
    /// for tests and trials.
    #[must_use]
    pub fn machine() -> Self {
        Self { scope: AddressScope::Machine, mode: Some(Mode::Server), ..Self::default() }
    }

    /// The public IPFS network, by its boot nodes. This node only asks there:
    /// it cannot judge the records that others would keep with it.
    #[must_use]
    pub fn ipfs() -> Self {
        let mut config = Self {
            protocol: IPFS,
            scope: AddressScope::Internet,
            mode: Some(Mode::Client),
            records: false,
            ..Self::default()
        };
        let addresses = IPFS_BOOT_NODES.iter().filter_map(|text| text.parse().ok());
        addresses.for_each(|address| {
            config.add_boot_node(&address);
        });
        config
    }

    /// IPFS nodes on the local network, as Kubo joins it beside the public one.
    #[must_use]
    pub fn ipfs_lan() -> Self {
        Self { protocol: IPFS_LAN, records: false, ..Self::default() }
    }

    /// Adds a boot node by an address that ends in `/p2p/PEER`; `false` when it
    /// does not.
    pub fn add_boot_node(&mut self, address: &Multiaddr) -> bool {
        let Some(peer) = peer_suffix(address) else { return false };
        self.boot_nodes.push((peer, without_peer(address)));
        true
    }

    /// What libp2p's behaviour is to know of it. Bootstrapping is left out: it
    /// is [`Behaviour`](super::Behaviour)'s, which tries again soon when nobody
    /// answered. So is saying the own record again: libp2p's job for it notes
    /// the key of every record that anybody sends, without a limit. It would
    /// pass on others' records too, which their own peers say often enough.
    pub(super) fn to_libp2p(&self) -> kad::Config {
        let mut config = kad::Config::new(self.protocol.clone());
        config
            .set_query_timeout(Duration::from_secs(limits::KADEMLIA_LOOK_UP_SECONDS))
            .set_substreams_timeout(Duration::from_secs(limits::KADEMLIA_REQUEST_SECONDS))
            .set_max_packet_size(limits::MAX_KADEMLIA_MESSAGE_BYTES)
            .set_replication_factor(self.replication)
            .set_parallelism(self.parallelism)
            .set_record_ttl(Some(self.record_lifetime))
            .set_provider_record_ttl(Some(self.record_lifetime))
            .set_publication_interval(None)
            .set_replication_interval(None)
            .set_provider_publication_interval(Some(self.republish_interval))
            .set_periodic_bootstrap_interval(None)
            .set_record_filtering(kad::StoreInserts::FilterBoth)
            .set_kbucket_inserts(kad::BucketInserts::Manual)
            .set_caching(kad::Caching::Disabled);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_boot_node_is_understood() {
        let config = KademliaConfig::ipfs();
        assert_eq!(config.boot_nodes.len(), IPFS_BOOT_NODES.len());
        assert!(config.boot_nodes.iter().all(|(_, address)| config.scope.admits(address)));
    }

    #[test]
    fn a_boot_node_needs_a_name() {
        let mut config = KademliaConfig::default();
        assert!(!config.add_boot_node(&"/ip4/192.0.2.1/tcp/1".parse().unwrap()));
        assert!(config.boot_nodes.is_empty());
    }
}
