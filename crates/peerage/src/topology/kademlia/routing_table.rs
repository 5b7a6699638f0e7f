//! Which peers enter the routing table, and at which addresses.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_KADEMLIA_BUCKET_PEERS_PER_NETWORK};
use libp2p::kad::{self, KBucketKey};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use peerage_core::topology::kademlia::{AddressScope, Diversity, Network};

use super::config::Mode;
use super::store::Store;
use crate::routing::{ip, without_peer};

/// What a node knows of the network, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Whether this node answers others.
    pub mode: Mode,
    /// The buckets that are not empty, the nearest first.
    pub buckets: Vec<Bucket>,
    /// How many records of other peers are kept here.
    pub records: usize,
    /// How many provider records of other peers are kept here.
    pub providers: usize,
}

impl Table {
    /// How many peers are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.peers.len()).sum()
    }

    /// Whether no peer is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The peers of all buckets.
    pub fn peers(&self) -> impl Iterator<Item = &TablePeer> {
        self.buckets.iter().flat_map(|bucket| &bucket.peers)
    }
}

/// The peers at about one distance: from 2^`distance` to twice that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The binary logarithm of the distance, 0 to 255.
    pub distance: u32,
    /// Its peers, at most twenty.
    pub peers: Vec<TablePeer>,
}

/// A peer of the routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePeer {
    /// Who it is; proven when it was connected.
    pub peer: PeerId,
    /// Where it said to be, without the peer at the end.
    pub addresses: Vec<Multiaddr>,
    /// Whether it is connected now.
    pub connected: bool,
}

/// Why a peer does not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// It has no address that means anything here, or only a relayed one.
    Unreachable,
    /// Its network has its share of the bucket.
    Crowding,
}

/// A connected peer.
#[derive(Default)]
struct Connected {
    /// The far ends of its connections.
    ends: Vec<(ConnectionId, Multiaddr)>,
    /// Where it says it listens, as far as that is in scope.
    listed: Vec<Multiaddr>,
}

/// Guards the routing table of libp2p's behaviour.
pub(super) struct Guard {
    own: KBucketKey<PeerId>,
    scope: AddressScope,
    diversity: Diversity,
    connected: HashMap<PeerId, Connected>,
}

impl Guard {
    pub(super) fn new(own: PeerId, scope: AddressScope) -> Self {
        Self {
            own: KBucketKey::from(own),
            scope,
            diversity: Diversity::new(MAX_KADEMLIA_BUCKET_PEERS_PER_NETWORK),
            connected: HashMap::new(),
        }
    }

    /// Leaves the addresses that mean something on this network, without the
    /// peer at their end, and no more than are kept of one peer. Answers too
    /// how many were left out.
    pub(super) fn useful(&self, addresses: &[Multiaddr]) -> (Vec<Multiaddr>, usize) {
        let mut useful: Vec<Multiaddr> = Vec::new();
        let mut repeated = 0;
        for address in addresses.iter().filter(|address| self.scope.admits(address)) {
            match without_peer(address) {
                address if useful.contains(&address) => repeated += 1,
                address if useful.len() < MAX_ADDRESSES_PER_PEER => useful.push(address),
                _ => {}
            }
        }
        let left_out = addresses.len() - useful.len() - repeated;
        (useful, left_out)
    }

    /// A connection to a peer was set up.
    pub(super) fn connected(&mut self, peer: PeerId, id: ConnectionId, end: &Multiaddr) {
        self.connected.entry(peer).or_default().ends.push((id, end.clone()));
    }

    /// A connection to a peer has ended.
    pub(super) fn disconnected(&mut self, peer: &PeerId, id: ConnectionId) {
        let Some(connected) = self.connected.get_mut(peer) else { return };
        connected.ends.retain(|(known, _)| *known != id);
        if connected.ends.is_empty() {
            self.connected.remove(peer);
        }
    }

    /// Whether a peer is connected.
    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.connected.contains_key(peer)
    }

    /// Whether nobody is connected.
    pub(super) fn is_alone(&self) -> bool {
        self.connected.is_empty()
    }

    /// Notes where a connected peer says that it listens.
    pub(super) fn listed(&mut self, peer: &PeerId, addresses: &[Multiaddr]) {
        if let Some(connected) = self.connected.get_mut(peer) {
            connected.listed = addresses.to_vec();
        }
    }

    /// Where a connected peer says that it listens.
    pub(super) fn listed_of(&self, peer: &PeerId) -> &[Multiaddr] {
        self.connected.get(peer).map_or(&[], |connected| &connected.listed)
    }

    /// Whether a peer may enter the routing table, or stay, at these addresses.
    pub(super) fn judge(&self, peer: &PeerId, addresses: &[Multiaddr]) -> Result<(), Barred> {
        let ends = self.connected.get(peer).map(|connected| &connected.ends);
        let relayed = ends.is_some_and(|ends| ends.iter().all(|(_, end)| is_relayed(end)));
        if addresses.iter().all(is_relayed) || relayed {
            return Err(Barred::Unreachable);
        }
        let networks = self.networks(peer, addresses);
        match self.diversity.admits(peer, self.bucket(peer), &networks) {
            true => Ok(()),
            false => Err(Barred::Crowding),
        }
    }

    /// Notes that a peer is in the routing table.
    pub(super) fn entered(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let networks = self.networks(&peer, addresses);
        self.diversity.insert(peer, self.bucket(&peer), networks);
    }

    /// Whether a peer is noted as being in the routing table.
    pub(super) fn has(&self, peer: &PeerId) -> bool {
        self.diversity.contains(peer)
    }

    /// How many peers are noted as being in the routing table.
    pub(super) fn len(&self) -> usize {
        self.diversity.len()
    }

    /// Notes that a peer is in the routing table no more.
    pub(super) fn left(&mut self, peer: &PeerId) {
        self.diversity.remove(peer);
    }

    /// The networks that count against a peer: of the public addresses that it
    /// names, and of those that it is really connected from, which it cannot
    /// choose. In networks that are private, being neighbours is no sign of a
    /// crowd.
    fn networks(&self, peer: &PeerId, addresses: &[Multiaddr]) -> BTreeSet<Network> {
        let ends = self.connected.get(peer).into_iter().flat_map(|connected| &connected.ends);
        let ends = ends.map(|(_, end)| end);
        let direct = addresses.iter().chain(ends).filter(|address| !is_relayed(address));
        let public = |ip: &IpAddr| AddressScope::of(*ip) == Some(AddressScope::Internet);
        direct.filter_map(ip).filter(public).map(Network::of).collect()
    }

    fn bucket(&self, peer: &PeerId) -> u32 {
        // The own id alone has no distance; it never enters.
        KBucketKey::from(*peer).distance(&self.own).ilog2().unwrap_or(0)
    }

    /// The routing table as it is.
    pub(super) fn buckets(&self, kademlia: &mut kad::Behaviour<Store>) -> Vec<Bucket> {
        let connected = &self.connected;
        let peer = |entry: kad::EntryView<KBucketKey<PeerId>, kad::Addresses>| {
            let peer = entry.node.key.into_preimage();
            TablePeer {
                peer,
                addresses: entry.node.value.iter().map(without_peer).collect(),
                connected: connected.contains_key(&peer),
            }
        };
        let buckets = kademlia.kbuckets().map(|bucket| Bucket {
            distance: bucket.range().0.ilog2().unwrap_or(0),
            peers: bucket.iter().map(|entry| peer(entry.to_owned())).collect(),
        });
        buckets.collect()
    }
}

/// Whether an address leads through a relay.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn useful_addresses_are_in_scope_different_and_few() {
        let guard = Guard::new(PeerId::random(), AddressScope::Internet);
        let peer = PeerId::random();
        let mut addresses = vec![address("/ip4/10.0.0.1/tcp/1"), address("/ip4/1.2.3.4/tcp/1")];
        addresses.push(addresses[1].clone().with(Protocol::P2p(peer)));
        let (useful, left_out) = guard.useful(&addresses);
        assert_eq!((useful.as_slice(), left_out), (&addresses[1..2], 1));

        let many: Vec<_> = (1..100).map(|n| address(&format!("/ip4/1.2.3.4/tcp/{n}"))).collect();
        let (useful, left_out) = guard.useful(&many);
        assert_eq!((useful.len(), left_out), (MAX_ADDRESSES_PER_PEER, 99 - MAX_ADDRESSES_PER_PEER));
    }

    #[test]
    fn a_crowd_from_one_place_is_seen_whatever_addresses_it_names() {
        let own = PeerId::random();
        let mut guard = Guard::new(own, AddressScope::Internet);
        let end = address("/ip4/198.51.100.7/tcp/5000");
        let (mut inside, mut barred) = (HashMap::<u32, usize>::new(), 0);
        for number in 0..200 {
            let peer = PeerId::random();
            guard.connected(peer, ConnectionId::new_unchecked(number), &end);
            let named = [address(&format!("/ip4/1.{number}.3.4/tcp/1"))];
            match guard.judge(&peer, &named) {
                Ok(()) => {
                    *inside.entry(guard.bucket(&peer)).or_default() += 1;
                    guard.entered(peer, &named);
                    // It counts after it has gone too.
                    guard.disconnected(&peer, ConnectionId::new_unchecked(number));
                }
                Err(why) => {
                    assert_eq!(why, Barred::Crowding);
                    barred += 1;
                }
            }
        }
        assert!(inside.values().all(|count| *count <= MAX_KADEMLIA_BUCKET_PEERS_PER_NETWORK));
        assert!(barred > 150, "{barred}");
    }

    #[test]
    fn neighbours_on_a_private_network_are_no_crowd() {
        let mut guard = Guard::new(PeerId::random(), AddressScope::Private);
        for number in 0..100 {
            let (peer, place) = (PeerId::random(), address(&format!("/ip4/10.0.0.{number}/tcp/1")));
            guard.connected(peer, ConnectionId::new_unchecked(number), &place);
            assert_eq!(guard.judge(&peer, std::slice::from_ref(&place)), Ok(()));
            guard.entered(peer, &[place]);
        }
    }

    #[test]
    fn who_is_reached_through_a_relay_alone_stays_out() {
        let mut guard = Guard::new(PeerId::random(), AddressScope::Internet);
        let (peer, relay) = (PeerId::random(), PeerId::random());
        let direct = [address("/ip4/1.2.3.4/tcp/1")];
        let relayed = direct[0].clone().with(Protocol::P2p(relay)).with(Protocol::P2pCircuit);
        assert_eq!(guard.judge(&peer, std::slice::from_ref(&relayed)), Err(Barred::Unreachable));
        guard.connected(peer, ConnectionId::new_unchecked(1), &relayed);
        assert_eq!(guard.judge(&peer, &direct), Err(Barred::Unreachable));
        guard.connected(peer, ConnectionId::new_unchecked(2), &direct[0]);
        assert_eq!(guard.judge(&peer, &direct), Ok(()));
    }
}
