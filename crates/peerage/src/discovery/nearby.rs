//! The peers that announce themselves nearby, as far as is known now.

use std::{collections::HashMap, net::IpAddr, time::Instant};

use crate::limits::{MAX_NEARBY_ADDRESSES, MAX_NEARBY_PEERS, MAX_NEARBY_PER_PEER};
use libp2p::{Multiaddr, PeerId};
use peerage_core::discovery::Announcement;

/// A peer that announces itself on the local network.
///
/// Everything here is what somebody on the network says, and unproven: a
/// connection proves the peer id, nothing proves the names. The texts are cut
/// to length but else as they came: pass them through
/// [`peerage_core::text::for_terminal`] where they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearbyPeer {
    /// Whom it claims to be.
    pub peer_id: PeerId,
    /// The name of its device.
    pub name: String,
    /// Its operating system.
    pub os: String,
    /// The version of its software.
    pub version: String,
    /// Where it says it can be reached, without `/p2p`, in the order to try
    /// them; at most [`MAX_NEARBY_ADDRESSES`].
    pub addresses: Vec<Multiaddr>,
    /// The full DNS-SD name of its announcement, which tells apart two that
    /// claim one peer id.
    pub service: String,
    /// When the announcement was last new or changed. It is confirmed again
    /// and again after that, and gone when it is not.
    pub last_seen: Instant,
}

impl NearbyPeer {
    fn says_the_same_as(&self, other: &Self) -> bool {
        Self { last_seen: other.last_seen, ..self.clone() } == *other
    }
}

/// What changed among the nearby peers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer is there that was not.
    Found(NearbyPeer),
    /// A peer announces something else than before.
    Changed(NearbyPeer),
    /// A peer said goodbye, or was not heard of for too long.
    Lost(NearbyPeer),
    /// Events came faster than they were read and some were dropped: read
    /// [`super::LanDiscovery::nearby`] for the whole.
    Missed,
}

/// The nearby peers by the names of their announcements, within the limits.
#[derive(Debug, Default)]
pub(super) struct Nearby {
    peers: HashMap<String, NearbyPeer>,
}

impl Nearby {
    pub(super) fn all(&self) -> Vec<NearbyPeer> {
        let mut peers: Vec<_> = self.peers.values().cloned().collect();
        peers.sort_by(|a, b| a.service.cmp(&b.service));
        peers
    }

    /// Takes in an announcement. One beyond the limits is not kept, so that a
    /// flood of new ones does not push out those that are there.
    pub(super) fn announced(&mut self, peer: NearbyPeer) -> Option<Event> {
        let others = self.peers.values().filter(|other| other.service != peer.service);
        let (all, same) = others.fold((0, 0), |(all, same), other| {
            (all + 1, same + usize::from(other.peer_id == peer.peer_id))
        });
        if all >= MAX_NEARBY_PEERS || same >= MAX_NEARBY_PER_PEER {
            return self.withdrawn(&peer.service);
        }
        match self.peers.insert(peer.service.clone(), peer.clone()) {
            None => Some(Event::Found(peer)),
            Some(known) if known.says_the_same_as(&peer) => None,
            Some(_) => Some(Event::Changed(peer)),
        }
    }

    pub(super) fn withdrawn(&mut self, service: &str) -> Option<Event> {
        self.peers.remove(service).map(Event::Lost)
    }

    pub(super) fn all_withdrawn(&mut self) -> Vec<Event> {
        self.peers.drain().map(|(_, peer)| Event::Lost(peer)).collect()
    }
}

/// A peer from its announcement and its host's addresses. `loopback` says
/// whether addresses of this machine alone count.
pub(super) fn peer(
    service: String,
    announcement: Announcement,
    hosts: impl Iterator<Item = IpAddr>,
    loopback: bool,
    now: Instant,
) -> NearbyPeer {
    let mut hosts: Vec<_> = hosts.filter(|host| is_dialable(*host, loopback)).collect();
    hosts.sort_unstable();
    let addresses = hosts.into_iter().flat_map(|host| announcement.ports.at(host));
    NearbyPeer {
        addresses: addresses.take(MAX_NEARBY_ADDRESSES).collect(),
        peer_id: announcement.peer_id,
        name: announcement.name,
        os: announcement.os,
        version: announcement.version,
        service,
        last_seen: now,
    }
}

/// Whether a host's address can be dialled as it is. IPv6 addresses of the
/// link cannot: they mean nothing without their interface, for which the
/// transports' addresses have no place.
fn is_dialable(host: IpAddr, loopback: bool) -> bool {
    let usable = match host {
        IpAddr::V4(host) => !host.is_broadcast(),
        IpAddr::V6(host) => !host.is_unicast_link_local(),
    };
    usable && !host.is_unspecified() && !host.is_multicast() && (loopback || !host.is_loopback())
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;
    use peerage_core::discovery::Ports;

    use super::*;

    fn announcement(seed: u16) -> Announcement {
        let mut secret = [1; 32];
        secret[..2].copy_from_slice(&seed.to_be_bytes());
        let key = Keypair::ed25519_from_bytes(secret).unwrap();
        let mut announcement = Announcement::new(key.public().to_peer_id(), "device");
        announcement.ports = Ports { quic: Some(1), tcp: Some(2), websocket: Some(3) };
        announcement
    }

    fn nearby(service: &str, seed: u16, hosts: &[&str]) -> NearbyPeer {
        let hosts = hosts.iter().map(|host| host.parse().unwrap());
        peer(service.to_owned(), announcement(seed), hosts, false, Instant::now())
    }

    #[test]
    fn addresses_that_cannot_be_dialled_are_dropped_and_the_rest_limited() {
        let hosts =
            ["fe80::1", "127.0.0.1", "::1", "0.0.0.0", "224.0.0.251", "10.0.0.1", "fd00::1"];
        let found = nearby("a", 1, &hosts).addresses;
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "/ip4/10.0.0.1/udp/1/quic-v1",
            "/ip4/10.0.0.1/tcp/2",
            "/ip4/10.0.0.1/tcp/3/ws",
            "/ip6/fd00::1/udp/1/quic-v1",
            "/ip6/fd00::1/tcp/2",
            "/ip6/fd00::1/tcp/3/ws",
        ];
        assert_eq!(found, expected);

        let many = (0..100).map(|n| IpAddr::from([10, 0, 0, n]));
        let flooded = peer("a".into(), announcement(1), many, false, Instant::now());
        assert_eq!(flooded.addresses.len(), MAX_NEARBY_ADDRESSES);
    }

    #[test]
    fn a_peer_is_found_changed_and_lost_once_each() {
        let mut table = Nearby::default();
        let first = nearby("a", 1, &["10.0.0.1"]);
        assert_eq!(table.announced(first.clone()), Some(Event::Found(first.clone())));
        assert_eq!(table.announced(nearby("a", 1, &["10.0.0.1"])), None);

        let moved = nearby("a", 1, &["10.0.0.2"]);
        assert_eq!(table.announced(moved.clone()), Some(Event::Changed(moved.clone())));
        assert_eq!(table.all(), std::slice::from_ref(&moved));

        assert_eq!(table.withdrawn("a"), Some(Event::Lost(moved)));
        assert_eq!(table.withdrawn("a"), None);
    }

    #[test]
    fn a_flood_does_not_push_out_those_that_are_there() {
        let mut table = Nearby::default();
        for number in 0..1000 {
            table.announced(nearby(&format!("{number:04}"), number, &["10.0.0.1"]));
        }
        let kept = table.all();
        assert_eq!(kept.len(), MAX_NEARBY_PEERS);
        assert_eq!(kept[0].service, "0000");
        assert_eq!(table.all_withdrawn().len(), MAX_NEARBY_PEERS);
    }

    #[test]
    fn liars_neither_replace_a_peer_nor_fill_the_list_with_it() {
        let mut table = Nearby::default();
        let truth = nearby("truth", 1, &["10.0.0.1"]);
        table.announced(truth.clone());
        for number in 0..100 {
            table.announced(nearby(&format!("lie {number}"), 1, &["10.6.6.6"]));
        }
        assert_eq!(table.all().len(), MAX_NEARBY_PER_PEER);
        assert!(table.all().contains(&truth));
    }
}
