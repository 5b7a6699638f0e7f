//! Addresses: which peer they name, whether they can be dialled, and in
//! which order.

use std::cmp::Reverse;
use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::TransportKind;

/// The peer that the last part of an address names.
pub(crate) fn peer_suffix(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// The address without the peer at its end.
pub(crate) fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if peer_suffix(&address).is_some() {
        address.pop();
    }
    address
}

/// The host of a direct address; none where a relay is in between.
pub(crate) fn direct_ip(address: &Multiaddr) -> Option<IpAddr> {
    if address.iter().any(|part| part == Protocol::P2pCircuit) {
        return None;
    }
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Whether the address can be dialled at all: it names a place and a
/// transport that we speak.
pub(crate) fn dialable(address: &Multiaddr) -> bool {
    let place = match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified() && !ip.is_multicast(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified() && !ip.is_multicast(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_)) => {
            true
        }
        _ => false,
    };
    let dnsaddr = matches!(address.iter().next(), Some(Protocol::Dnsaddr(_)));
    place && (dnsaddr || !matches!(TransportKind::of(address), TransportKind::Other))
}

/// Sorts addresses into the order in which they are tried: the transport that
/// is cheapest for bulk data first, and among equals the nearest place.
pub(crate) fn preference(address: &Multiaddr) -> impl Ord + use<> {
    (Reverse(TransportKind::of(address)), distance(address))
}

/// How far away an address is, roughly.
fn distance(address: &Multiaddr) -> u8 {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip_distance(IpAddr::V4(ip)),
        Some(Protocol::Ip6(ip)) => ip_distance(IpAddr::V6(ip)),
        _ => 3,
    }
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
    fn a_relayed_peer_is_seen_nowhere() {
        let ip = |text: &str| direct_ip(&address(text));
        assert_eq!(ip("/ip4/192.0.2.1/tcp/1"), Some([192, 0, 2, 1].into()));
        assert_eq!(ip("/ip4/192.0.2.1/tcp/80/http/p2p-circuit"), None);
        let relay = "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit";
        assert_eq!(ip(&format!("/ip4/192.0.2.1/tcp/1{relay}")), None);
        assert_eq!(ip("/dns4/example.com/tcp/1"), None);
    }

    #[test]
    fn addresses_that_lead_nowhere_are_told() {
        for text in ["/ip4/0.0.0.0/tcp/1", "/memory/1", "/ip4/192.0.2.1/sctp/9", "/ip6/::/tcp/1"] {
            assert!(!dialable(&address(text)), "{text}");
        }
        for text in ["/dns4/example.org/tcp/1", "/dnsaddr/example.org", "/ip6/::1/udp/1/quic-v1"] {
            assert!(dialable(&address(text)), "{text}");
        }
    }

    #[test]
    fn the_peer_is_cut_off() {
        let peer = PeerId::random();
        let full = address("/ip4/127.0.0.1/tcp/1").with(Protocol::P2p(peer));
        assert_eq!(peer_suffix(&full), Some(peer));
        assert_eq!(without_peer(&full), address("/ip4/127.0.0.1/tcp/1"));
    }
}
