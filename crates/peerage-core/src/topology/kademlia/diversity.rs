//! Keeps a bucket of the routing table from being filled by one network.
//!
//! Peer ids cost nothing, addresses do. Whoever makes a thousand peer ids on
//! one machine must not become all that a node knows of a part of the key
//! space.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use libp2p_identity::PeerId;

/// What is given to one customer: an IPv4 network of 256 addresses, an IPv6
/// one of 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// The first 24 bits.
    V4([u8; 3]),
    /// The first 64 bits.
    V6([u8; 8]),
}

impl Network {
    /// The network that an address belongs to.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// Which networks the peers of each bucket belong to.
///
/// ```
/// use peerage_core::topology::kademlia::{Diversity, Network};
/// # use libp2p_identity::Keypair;
/// # let peer = |n| Keypair::ed25519_from_bytes([n; 32]).map(|key| key.public().to_peer_id());
///
/// let mut diversity = Diversity::new(2);
/// let network = [Network::of([192, 0, 2, 1].into())].into();
/// diversity.insert(peer(1)?, 255, network);
/// diversity.insert(peer(2)?, 255, [Network::of([192, 0, 2, 2].into())].into());
/// assert!(!diversity.admits(&peer(3)?, 255, &[Network::of([192, 0, 2, 3].into())].into()));
/// assert!(diversity.admits(&peer(3)?, 254, &[Network::of([192, 0, 2, 3].into())].into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Diversity {
    limit: usize,
    members: HashMap<PeerId, Member>,
}

#[derive(Clone, Debug)]
struct Member {
    bucket: u32,
    networks: BTreeSet<Network>,
}

impl Diversity {
    /// An empty table that takes `limit` peers of one network to a bucket.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, members: HashMap::new() }
    }

    /// Whether a peer at addresses of these networks may enter a bucket, or
    /// stay in it: each network has room.
    #[must_use]
    pub fn admits(&self, peer: &PeerId, bucket: u32, networks: &BTreeSet<Network>) -> bool {
        networks.iter().all(|network| self.count(peer, bucket, network) < self.limit)
    }

    /// How many others of a network are in the bucket.
    fn count(&self, peer: &PeerId, bucket: u32, network: &Network) -> usize {
        let others = self.members.iter().filter(|(other, _)| *other != peer);
        let there = others.filter(|(_, member)| member.bucket == bucket);
        there.filter(|(_, member)| member.networks.contains(network)).count()
    }

    /// Notes that a peer is in a bucket.
    pub fn insert(&mut self, peer: PeerId, bucket: u32, networks: BTreeSet<Network>) {
        self.members.insert(peer, Member { bucket, networks });
    }

    /// Whether a peer is noted.
    #[must_use]
    pub fn contains(&self, peer: &PeerId) -> bool {
        self.members.contains_key(peer)
    }

    /// How many peers are noted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether no peer is noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Notes that a peer is in no bucket any more.
    pub fn remove(&mut self, peer: &PeerId) {
        self.members.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use libp2p_identity::Keypair;

    use super::*;

    const K: u16 = 20;

    fn peer(number: u16) -> PeerId {
        let mut secret = [7; 32];
        secret[..2].copy_from_slice(&number.to_be_bytes());
        Keypair::ed25519_from_bytes(secret).unwrap().public().to_peer_id()
    }

    fn networks(addresses: &[&str]) -> BTreeSet<Network> {
        addresses.iter().map(|text| Network::of(text.parse().unwrap())).collect()
    }

    /// Lets peers in as far as they are admitted; how many are.
    fn crowd(diversity: &mut Diversity, bucket: u32, of: impl Fn(u16) -> Vec<String>) -> usize {
        let mut inside = 0;
        for number in 0..K {
            let addresses = of(number);
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            let networks = networks(&addresses);
            if diversity.admits(&peer(number), bucket, &networks) {
                diversity.insert(peer(number), bucket, networks);
                inside += 1;
            }
        }
        inside
    }

    #[test]
    fn a_crowd_of_one_network_does_not_fill_a_bucket() {
        let mut diversity = Diversity::new(2);
        assert_eq!(crowd(&mut diversity, 255, |n| vec![format!("198.51.100.{n}")]), 2);
        // The rest of the world still comes in.
        let world = networks(&["203.0.113.5"]);
        assert!(diversity.admits(&peer(1000), 255, &world));
        // One that leaves makes room for one.
        diversity.remove(&peer(0));
        assert_eq!(crowd(&mut diversity, 255, |n| vec![format!("198.51.100.{n}")]), 2);
    }

    #[test]
    fn a_crowd_does_not_hide_behind_a_second_address() {
        let mut diversity = Diversity::new(2);
        let of = |n: u16| vec![format!("198.51.100.{n}"), format!("10.{n}.0.1")];
        assert_eq!(crowd(&mut diversity, 255, of), 2);
    }

    #[test]
    fn ipv6_counts_by_the_first_64_bits() {
        let mut diversity = Diversity::new(3);
        assert_eq!(crowd(&mut diversity, 255, |n| vec![format!("2001:db8:1:2::{n:x}")]), 3);
        let mut diversity = Diversity::new(3);
        let all = usize::from(K);
        assert_eq!(crowd(&mut diversity, 255, |n| vec![format!("2001:db8:1:{n:x}::1")]), all);
        // IPv4 in IPv6's clothes is IPv4.
        let mut diversity = Diversity::new(3);
        assert_eq!(crowd(&mut diversity, 255, |n| vec![format!("::ffff:198.51.100.{n}")]), 3);
    }

    #[test]
    fn a_member_is_not_in_its_own_way() {
        let mut diversity = Diversity::new(1);
        diversity.insert(peer(1), 3, networks(&["198.51.100.1"]));
        assert!(diversity.admits(&peer(1), 3, &networks(&["198.51.100.9"])));
        assert!(!diversity.admits(&peer(2), 3, &networks(&["198.51.100.9"])));
    }
}
