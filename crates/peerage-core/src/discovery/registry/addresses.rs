//! Which of the addresses that a peer announces are handed on.
//!
//! A registry makes a crowd dial what it hands out, so it hands out only what
//! the announcer plausibly has, judged by where its connections come from:
//!
//! | address | what becomes of it |
//! | --- | --- |
//! | public, where a connection of the announcer comes from (IPv6: the same /64) | handed out |
//! | public, of a family of which another address is seen | the announcement is refused |
//! | public, of a family that is not seen | kept back |
//! | private (RFC 1918, RFC 6598, `fc00::/7`) | handed out; on more than [`MAX_REGISTRY_PRIVATE_HOSTS`] hosts the announcement is refused |
//! | loopback | handed out if the announcer is seen there, else kept back |
//! | link-local, a DNS name, what is no [`Place`], anything else | kept back |
//! | multicast, unspecified, reserved | the announcement is refused |
//! | over a relay that the registry knows at that host (one of roaming connections: itself, or one that was set) | handed out; loopback as above |
//! | over another relay | kept back |
//! | with another peer at its end | the announcement is refused |
//!
//! The signed record is handed out only while nothing of it is kept back.

use std::collections::HashSet;
use std::net::IpAddr;

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

use super::Refusal;
use super::network::{Scope, same_host};
use crate::limits::MAX_REGISTRY_PRIVATE_HOSTS;
use crate::routing::address::{Host, Place};

/// What may be handed out, and whether that is all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) vouched: Vec<Multiaddr>,
    pub(super) complete: bool,
}

/// The host of a place, by one name.
pub(super) fn host_of(address: &Multiaddr) -> Option<Host> {
    Some(Place::try_from(address).ok()?.host().plain())
}

/// Judges what `peer`, whose connections come from `seen`, says of itself.
/// `knows_relay` says whether a relay is at a host; one of roaming connections
/// has no name.
///
/// # Errors
///
/// When an address can only be there to mislead, or none is left.
pub(super) fn judge(
    peer: &PeerId,
    addresses: &[Multiaddr],
    seen: &[IpAddr],
    knows_relay: impl Fn(Option<&PeerId>, &Host) -> bool,
) -> Result<Judgement, Refusal> {
    let mut vouched = Vec::new();
    let mut private = HashSet::new();
    for address in addresses {
        if of_one(peer, address, seen, &mut private, &knows_relay)? {
            vouched.push(address.clone());
        }
    }
    match vouched.len() {
        0 => Err(Refusal::NoAddress),
        count => Ok(Judgement { complete: count == addresses.len(), vouched }),
    }
}

/// Whether an address is handed out.
fn of_one(
    peer: &PeerId,
    address: &Multiaddr,
    seen: &[IpAddr],
    private: &mut HashSet<IpAddr>,
    knows_relay: &impl Fn(Option<&PeerId>, &Host) -> bool,
) -> Result<bool, Refusal> {
    // What is no place either may mean another host to others: it is kept back.
    let Some(place) = place_of(address) else { return Ok(false) };
    let relay = relay_of(peer, &place)?;
    let host = place.host().plain();
    if matches!(host, Host::Ip(ip) if Scope::of(ip) == Scope::Nobody) {
        return Err(Refusal::Unroutable);
    }
    match (relay, host) {
        (relay @ (Relay::Some(_) | Relay::Roaming), host) => {
            let here = match host {
                Host::Ip(ip) => Scope::of(ip).includes(seen),
                Host::Name { .. } => true,
            };
            Ok(here && knows_relay(relay.named(), &host))
        }
        (Relay::None, Host::Name { .. }) => Ok(false),
        (Relay::None, Host::Ip(ip)) => of_ip(ip, seen, private),
    }
}

enum Relay {
    None,
    Some(PeerId),
    /// One of roaming connections, which is named by its place alone.
    Roaming,
}

impl Relay {
    fn named(&self) -> Option<&PeerId> {
        match self {
            Self::Some(relay) => Some(relay),
            _ => None,
        }
    }
}

/// The place that an address is, or of which others make more than we: records of
/// Kubo and js-libp2p hold WebTransport's and WebRTC's beside QUIC's.
fn place_of(address: &Multiaddr) -> Option<Place> {
    let more = |part: &Protocol<'_>| {
        matches!(part, Protocol::WebTransport | Protocol::WebRTCDirect | Protocol::Certhash(_))
    };
    let known: Multiaddr = address.iter().filter(|part| !more(part)).collect();
    Place::try_from(&known).ok()
}

/// The relay of a place, whose end must be no other peer than `peer`.
fn relay_of(peer: &PeerId, place: &Place) -> Result<Relay, Refusal> {
    match (place.peer(), place.relay()) {
        (Some(other), _) if other != *peer => Err(Refusal::OtherPeer),
        (_, Some(relay)) => Ok(Relay::Some(relay)),
        _ if place.is_relayed() => Ok(Relay::Roaming),
        _ => Ok(Relay::None),
    }
}

fn of_ip(ip: IpAddr, seen: &[IpAddr], private: &mut HashSet<IpAddr>) -> Result<bool, Refusal> {
    let of_this_family = |other: &&IpAddr| other.is_ipv4() == ip.is_ipv4();
    match Scope::of(ip) {
        Scope::Nobody => Err(Refusal::Unroutable),
        scope @ Scope::Machine { .. } => Ok(scope.includes(seen)),
        Scope::Private => {
            private.insert(ip);
            match private.len() {
                many if many > MAX_REGISTRY_PRIVATE_HOSTS => Err(Refusal::PrivateHosts),
                _ => Ok(true),
            }
        }
        Scope::Public if seen.iter().any(|other| same_host(*other, ip)) => Ok(true),
        Scope::Public => {
            let mut public = seen.iter().filter(|other| Scope::of(**other) == Scope::Public);
            match public.find(of_this_family) {
                Some(_) => Err(Refusal::ForeignAddress),
                None => Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p_identity::Keypair;

    use super::*;

    const RELAY_HOST: &str = "198.51.100.9";

    fn peer(secret: u8) -> PeerId {
        Keypair::ed25519_from_bytes([secret; 32]).unwrap().public().to_peer_id()
    }

    /// What peer 1 may have handed out when it is seen at these places; peer 9
    /// is a relay.
    fn judged(addresses: &[&str], seen: &[&str]) -> Result<(usize, bool), Refusal> {
        let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let seen: Vec<_> = seen.iter().map(|text| text.parse().unwrap()).collect();
        let relay_host = Host::Ip(RELAY_HOST.parse().unwrap());
        let here = Host::Ip([127, 0, 0, 1].into());
        let hosts = [relay_host, here];
        let knows = |relay: Option<&PeerId>, host: &Host| {
            relay.is_none_or(|relay| *relay == peer(9)) && hosts.contains(host)
        };
        let judged = judge(&peer(1), &addresses, &seen, knows)?;
        Ok((judged.vouched.len(), judged.complete))
    }

    #[test]
    fn public_addresses_are_the_announcers_own() {
        let home = ["192.0.2.1", "2001:db8::1"];
        let own = ["/ip4/192.0.2.1/tcp/1", "/ip6/2001:db8::2/udp/1/quic-v1"];
        assert_eq!(judged(&own, &home), Ok((2, true)));
        // Of the other family nothing is known; it is kept back.
        assert_eq!(judged(&own, &home[..1]), Ok((1, false)));

        for foreign in ["/ip4/192.0.2.2/tcp/1", "/ip6/2001:db8:0:1::1/tcp/1"] {
            let mixed = [own[0], own[1], foreign];
            assert_eq!(judged(&mixed, &home), Err(Refusal::ForeignAddress), "{foreign}");
        }
        assert_eq!(judged(&["/ip4/192.0.2.1/tcp/1"], &["10.0.0.2"]), Err(Refusal::NoAddress));
    }

    #[test]
    fn private_addresses_are_few() {
        let hosts = |count: usize| -> Vec<String> {
            (0..count)
                .flat_map(|n| [format!("/ip4/10.0.0.{n}/tcp/1"), format!("/ip4/10.0.0.{n}/tcp/2")])
                .collect()
        };
        let count = |count| {
            let texts = hosts(count);
            judged(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &["192.0.2.1"])
        };
        let limit = MAX_REGISTRY_PRIVATE_HOSTS;
        assert_eq!(count(limit), Ok((2 * limit, true)));
        assert_eq!(count(limit + 1), Err(Refusal::PrivateHosts));
    }

    #[test]
    fn what_means_something_else_elsewhere_is_kept_back() {
        let seen = ["192.0.2.1"];
        let good = "/ip4/192.0.2.1/tcp/1";
        for text in [
            "/ip4/127.0.0.1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/dns4/example.com/tcp/443/wss",
            "/ip4/192.0.2.1/tcp/0",
            "/ip4/192.0.2.1",
            "/memory/1",
        ] {
            assert_eq!(judged(&[good, text], &seen), Ok((1, false)), "{text}");
        }
        for more in ["/ip4/198.51.100.1/tcp/22", "/tcp/22", "/ws/ws", "/sctp/5"] {
            assert_eq!(judged(&[good, &format!("{good}{more}")], &seen), Ok((1, false)), "{more}");
        }
        assert_eq!(judged(&["/ip4/127.0.0.1/tcp/1"], &["127.0.0.1"]), Ok((1, true)));
        for text in ["/ip4/0.0.0.0/tcp/1", "/ip4/224.0.0.1/udp/1/quic-v1", "/ip6/ff02::1/tcp/1"] {
            assert_eq!(judged(&[good, text], &seen), Err(Refusal::Unroutable), "{text}");
        }
    }

    #[test]
    fn what_others_dial_beside_us_is_judged_by_its_host() {
        let hash = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";
        let seen = ["192.0.2.1"];
        for end in ["quic-v1/webtransport", "webrtc-direct"] {
            let at = |host: &str| format!("/ip4/{host}/udp/1/{end}/certhash/{hash}");
            assert_eq!(judged(&[&at("192.0.2.1")], &seen), Ok((1, true)), "{end}");
            assert_eq!(judged(&[&at("198.51.100.1")], &seen), Err(Refusal::ForeignAddress));
        }
    }

    #[test]
    fn relays_must_be_known_and_at_their_place() {
        let (own, relay, other) = (peer(1), peer(9), peer(2));
        let seen = ["192.0.2.1"];
        let via = |host: &str, relay: PeerId, end: &str| {
            let text = format!("/ip4/{host}/tcp/1/p2p/{relay}/p2p-circuit{end}");
            judged(&["/ip4/10.0.0.1/tcp/1", &text], &seen)
        };
        assert_eq!(via(RELAY_HOST, relay, ""), Ok((2, true)));
        assert_eq!(via(RELAY_HOST, relay, &format!("/p2p/{own}")), Ok((2, true)));
        assert_eq!(via("203.0.113.1", relay, ""), Ok((1, false)), "not where the relay is");
        assert_eq!(via(RELAY_HOST, other, ""), Ok((1, false)), "no relay");
        assert_eq!(via("127.0.0.1", relay, ""), Ok((1, false)), "another one's own");
        assert_eq!(via(RELAY_HOST, relay, &format!("/p2p/{other}")), Err(Refusal::OtherPeer));
        let twice = format!("/p2p/{relay}/p2p-circuit");
        assert_eq!(via(RELAY_HOST, relay, &twice), Ok((1, false)));

        let roaming = |host: &str, end: &str| {
            let text = format!("/ip4/{host}/tcp/80/http/p2p-circuit{end}");
            judged(&["/ip4/10.0.0.1/tcp/1", &text], &seen)
        };
        assert_eq!(roaming(RELAY_HOST, ""), Ok((2, true)));
        assert_eq!(roaming(RELAY_HOST, &format!("/p2p/{own}")), Ok((2, true)));
        assert_eq!(roaming("203.0.113.1", ""), Ok((1, false)), "not where a relay is");
        assert_eq!(roaming(RELAY_HOST, &format!("/p2p/{other}")), Err(Refusal::OtherPeer));
        assert_eq!(roaming(RELAY_HOST, "/p2p-circuit"), Ok((1, false)));

        let direct = format!("/ip4/192.0.2.1/tcp/1/p2p/{other}");
        assert_eq!(judged(&[&direct], &seen), Err(Refusal::OtherPeer));
    }
}
