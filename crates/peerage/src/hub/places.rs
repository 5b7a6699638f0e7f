//! Where a hub is reached: what it tells peers, and what people hand on.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::limits::MAX_RELAYS;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::{Announced, HubConfig, address_of};
use crate::routing::{TransportKind, with_peer};

/// What a hub tells peers of itself besides where it listens: where its relay
/// is, which listens at `relay`; and if it was told under which names others
/// reach it, all its ports there.
pub(super) fn announced(config: &HubConfig, relay: Option<u16>) -> Vec<Multiaddr> {
    let mut told = Vec::new();
    for announced in &config.announce {
        match announced {
            Announced::Host(host) => told.extend(ports_of(config, host, relay)),
            Announced::Address(address) => told.push(address.clone()),
        }
    }
    if let (true, Some(port)) = (config.announce.is_empty(), relay) {
        let hosts = own_hosts(&config.listen).into_iter().take(MAX_RELAYS);
        told.extend(hosts.map(|ip| address_of(Protocol::from(ip), port)));
    }
    told
}

/// Every port of a host whose number is known before it is bound.
fn ports_of(config: &HubConfig, host: &Protocol<'static>, relay: Option<u16>) -> Vec<Multiaddr> {
    let known = |port: Option<u16>| port.filter(|port| *port != 0);
    let at = |parts: &[Protocol<'static>]| -> Multiaddr {
        std::iter::once(host).chain(parts).cloned().collect()
    };
    let mut addresses = Vec::new();
    if let Some(port) = known(config.ports.peers.on()) {
        addresses.push(at(&[Protocol::Tcp(port)]));
        addresses.push(at(&[Protocol::Udp(port), Protocol::QuicV1]));
    }
    if let Some(port) = known(config.ports.websocket.on()) {
        addresses.push(at(&[Protocol::Tcp(port), Protocol::Ws("/".into())]));
    }
    addresses.extend(relay.map(|port| address_of(host.clone(), port)));
    addresses
}

/// The addresses of this machine at which a hub listens; that of the machine
/// alone only where there is no other.
fn own_hosts(listen: &[IpAddr]) -> Vec<IpAddr> {
    let mut hosts: Vec<IpAddr> = Vec::new();
    for ip in listen {
        match ip.is_unspecified() {
            true => {
                hosts.extend(interfaces().into_iter().filter(|own| own.is_ipv4() == ip.is_ipv4()))
            }
            false => hosts.push(*ip),
        }
    }
    hosts.sort_unstable();
    hosts.dedup();
    if hosts.iter().any(|ip| !ip.is_loopback()) {
        hosts.retain(|ip| !ip.is_loopback());
    }
    hosts
}

/// The addresses of interfaces that are up, without those that mean something
/// only with the interface's name.
fn interfaces() -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the system does not list its interfaces; set `announce`");
        Vec::new()
    });
    let usable = all.into_iter().filter(|one| one.is_oper_up() && !one.is_link_local());
    usable.map(|one| one.ip()).collect()
}

/// What people hand on: addresses with the peer at their end, names first and
/// those of this machine only where there is nothing else.
pub(super) fn to_hand_on(addresses: &[Multiaddr], peer: PeerId) -> Vec<Multiaddr> {
    let whole = addresses.iter().filter(|address| !TransportKind::of(address).is_relayed());
    let mut whole: Vec<_> = whole.map(|address| (rank(address), address)).collect();
    if whole.iter().any(|((near, _), _)| !near) {
        whole.retain(|((near, _), _)| !near);
    }
    whole.sort_by_key(|(rank, _)| *rank);
    whole.into_iter().map(|(_, address)| with_peer(address, peer)).collect()
}

/// Whether it is near, and how late it comes in the list.
fn rank(address: &Multiaddr) -> (bool, (u8, Reverse<TransportKind>)) {
    let (near, late) = match address.iter().next() {
        Some(Protocol::Ip4(ip)) => (ip.is_loopback(), 1),
        Some(Protocol::Ip6(ip)) => (ip.is_loopback() || ip.is_unicast_link_local(), 2),
        _ => (false, 0),
    };
    (near, (late, Reverse(TransportKind::of(address))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(addresses: &[Multiaddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_stands_for_all_ports() {
        let config: HubConfig =
            "announce = [\"hub.example\", \"/ip4/192.0.2.1/tcp/9\"]".parse().unwrap();
        assert_eq!(
            texts(&announced(&config, Some(80))),
            [
                "/dns/hub.example/tcp/4001",
                "/dns/hub.example/udp/4001/quic-v1",
                "/dns/hub.example/tcp/443/ws",
                "/dns/hub.example/tcp/80/http/p2p-circuit",
                "/ip4/192.0.2.1/tcp/9",
            ]
        );
    }

    #[test]
    fn without_a_name_the_relay_is_told_where_the_hub_listens() {
        let config: HubConfig = "listen = [\"127.0.0.1\", \"192.0.2.1\"]".parse().unwrap();
        let told = texts(&announced(&config, Some(8080)));
        assert_eq!(told, ["/ip4/192.0.2.1/tcp/8080/http/p2p-circuit"]);
        let config: HubConfig = "listen = [\"127.0.0.1\"]".parse().unwrap();
        let told = texts(&announced(&config, Some(8080)));
        assert_eq!(told, ["/ip4/127.0.0.1/tcp/8080/http/p2p-circuit"]);
        assert!(announced(&config, None).is_empty());
    }

    #[test]
    fn names_are_handed_on_first_and_the_machine_alone_last() {
        let peer = PeerId::random();
        let all = [
            "/ip4/127.0.0.1/tcp/4001",
            "/ip4/192.0.2.1/tcp/443/ws",
            "/ip4/192.0.2.1/tcp/4001",
            "/ip4/192.0.2.1/tcp/80/http/p2p-circuit",
            "/dns/hub.example/tcp/4001",
        ]
        .map(|text| text.parse().unwrap());
        let with = |text: &str| format!("{text}/p2p/{peer}");
        assert_eq!(
            texts(&to_hand_on(&all, peer)),
            ["/dns/hub.example/tcp/4001", "/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/443/ws"]
                .map(with)
        );
        assert_eq!(texts(&to_hand_on(&all[..1], peer)), [with("/ip4/127.0.0.1/tcp/4001")]);
    }
}
