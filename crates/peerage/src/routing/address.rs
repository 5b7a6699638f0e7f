//! Addresses: whether they can be dialled, and in which order.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::address::{Host, Place, direct_ip, dns_list, ip};
use peerage_core::routing::pool::{Origin, Relay};

use super::TransportKind;
use crate::limits::{MAX_HUBS, MAX_RELAYS};
use crate::sync::lock;

/// The relays of our own hubs; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct OurRelays(Arc<Mutex<HashSet<Relay>>>);

impl OurRelays {
    /// The hubs of a node as relays of circuits.
    pub(crate) fn of_hubs(hubs: impl Iterator<Item = PeerId>) -> Self {
        Self(Arc::new(Mutex::new(hubs.map(Relay::Peer).collect())))
    }

    /// Takes a hub's relay of roaming connections for ours.
    pub(crate) fn add(&self, relay: Multiaddr) {
        let mut relays = lock(&self.0);
        if relays.len() < MAX_RELAYS + MAX_HUBS {
            relays.insert(Relay::At(relay));
        }
    }

    fn contains(&self, relay: &Relay) -> bool {
        lock(&self.0).contains(relay)
    }
}

/// As whom a peer counts that is connected from one address to one of ours.
pub(crate) fn origin(
    peer: PeerId,
    remote: &Multiaddr,
    local: &Multiaddr,
    ours: &OurRelays,
) -> Origin {
    if let Some(ip) = direct_ip(remote) {
        return Origin::peer_at(ip, peer);
    }
    match relay_of(remote).or_else(|| relay_of(local)) {
        Some(relay) if ours.contains(&relay) => Origin::through(relay, peer),
        Some(relay) => Origin::through_stranger(relay),
        None => Origin::peer(peer),
    }
}

/// As whom somebody counts who has not proven yet who it is.
pub(crate) fn origin_before(remote: &Multiaddr, local: &Multiaddr) -> Option<Origin> {
    let relay = || relay_of(remote).or_else(|| relay_of(local));
    direct_ip(remote).map(Origin::address).or_else(|| relay().map(Origin::through_stranger))
}

/// The relay that an address leads through.
fn relay_of(address: &Multiaddr) -> Option<Relay> {
    let mut before = Multiaddr::empty();
    let mut parts = address.iter();
    let last = parts.by_ref().take_while(|part| *part != Protocol::P2pCircuit).inspect(|part| {
        before.push(part.clone());
    });
    let last = last.last();
    match last {
        Some(Protocol::P2p(relay)) if before.len() < address.len() => Some(Relay::Peer(relay)),
        Some(_) if before.len() < address.len() => {
            Some(Relay::At(before.with(Protocol::P2pCircuit)))
        }
        _ => None,
    }
}

/// Whether the address can be dialled at all: it is a place, or a name in the
/// DNS that leads to some.
pub(crate) fn dialable(address: &Multiaddr) -> bool {
    if dns_list(address).is_some() {
        return true;
    }
    let Ok(place) = Place::try_from(address) else { return false };
    match place.host() {
        Host::Ip(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        Host::Name { .. } => true,
    }
}

/// Sorts addresses into the order in which they are tried: the transport that
/// is cheapest for bulk data first, and among equals the nearest place.
pub(crate) fn preference(address: &Multiaddr) -> impl Ord + use<> {
    (Reverse(TransportKind::of(address)), distance(address))
}

/// How far away an address is, roughly.
fn distance(address: &Multiaddr) -> u8 {
    ip(address).map_or(3, ip_distance)
}

fn ip_distance(ip: IpAddr) -> u8 {
    match ip {
        _ if ip.is_loopback() => 0,
        IpAddr::V4(ip) if ip.is_private() => 1,
        IpAddr::V6(ip) if ip.is_unique_local() => 1,
        // Without its interface's name it leads nowhere on most machines.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_nearest_tcp_address_comes_first() {
        let mut addresses = [
            "/ip4/192.0.2.7/udp/1/quic-v1",
            "/ip4/203.0.113.5/tcp/1",
            "/ip4/127.0.0.1/tcp/1/ws",
            "/ip4/10.0.0.3/tcp/1",
            "/ip4/127.0.0.1/udp/1/quic-v1",
            "/ip4/127.0.0.1/tcp/1",
        ]
        .map(address);
        addresses.sort_by_key(preference);
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "/ip4/127.0.0.1/tcp/1",
                "/ip4/10.0.0.3/tcp/1",
                "/ip4/203.0.113.5/tcp/1",
                "/ip4/127.0.0.1/udp/1/quic-v1",
                "/ip4/192.0.2.7/udp/1/quic-v1",
                "/ip4/127.0.0.1/tcp/1/ws",
            ]
        );
    }

    #[test]
    fn addresses_that_lead_nowhere_are_told() {
        for text in [
            "/ip4/0.0.0.0/tcp/1",
            "/memory/1",
            "/ip4/192.0.2.1/sctp/9",
            "/ip6/::/tcp/1",
            "/ip4/192.0.2.1/tcp/1/ip4/127.0.0.1/tcp/22",
            "/dnsaddr/example.org/tcp/1",
        ] {
            assert!(!dialable(&address(text)), "{text}");
        }
        for text in ["/dns4/example.org/tcp/1", "/dnsaddr/example.org", "/ip6/::1/udp/1/quic-v1"] {
            assert!(dialable(&address(text)), "{text}");
        }
    }
}
