//! What each type of NAT maps and filters.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::letters::{arrives, is_lost};
use super::{IN_VAIN, address, connects, socket};
use crate::support::{lab::Lab, lab_or_skip};

/// A port that `remap` maps to another.
const INSIDE: u16 = 4001;

/// Where packets come from that a host behind a NAT has sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mapping {
    /// From the same port, for every destination.
    SamePort,
    /// From this port, for every destination.
    Port(u16),
    /// From another port for every destination.
    ByDestination,
}

/// Who may answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Filter {
    Anyone,
    Address,
    AddressAndPort,
}

/// Three sockets of the internet: one, one on the same address, and one elsewhere.
struct Internet {
    one: UdpSocket,
    same_address: UdpSocket,
    elsewhere: UdpSocket,
}

impl Internet {
    fn new(lab: &Lab, like: IpAddr) -> Self {
        Self {
            one: socket(lab, "relay", like, 9000),
            same_address: socket(lab, "relay", like, 9001),
            elsewhere: socket(lab, "relay2", like, 9000),
        }
    }
}

/// A lab with host a behind a NAT of this type, with a's address.
fn behind(nat: &str) -> Option<(Lab, IpAddr)> {
    let lab = lab_or_skip(&format!("a host behind {nat}"), &["nat", nat, "none"])?;
    let inside = lab.addresses("a")[0];
    Some((lab, inside))
}

/// Checks the mapping and the filter of a type for UDP; and that a TCP
/// connection out comes about, and none in, where there is a filter.
fn check(nat: &str, public: &str, mapping: Mapping, filter: Filter) {
    let Some((lab, inside)) = behind(nat) else { return };
    let internet = Internet::new(&lab, inside);
    let public: IpAddr = public.parse().unwrap();
    check_mapping(&lab, inside, public, mapping, &internet);
    let outside = check_filter(&lab, inside, filter, &internet);
    assert_eq!(outside.ip(), public);
    check_tcp(&lab, inside, filter);
}

fn check_mapping(lab: &Lab, inside: IpAddr, public: IpAddr, mapping: Mapping, internet: &Internet) {
    let a = socket(lab, "a", inside, INSIDE);
    let seen = [&internet.one, &internet.same_address, &internet.elsewhere]
        .map(|there| arrives(&a, there.local_addr().unwrap(), there));
    assert!(seen.iter().all(|from| from.ip() == public), "{seen:?}");
    let ports = seen.map(|from| from.port());
    match mapping {
        Mapping::SamePort => assert_eq!(ports, [INSIDE; 3]),
        Mapping::Port(port) => assert_eq!(ports, [port; 3]),
        Mapping::ByDestination => {
            assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
        }
    }
}

/// Sends from a fresh port to one place, and lets others answer. Gives where
/// that port is seen.
fn check_filter(lab: &Lab, inside: IpAddr, filter: Filter, internet: &Internet) -> SocketAddr {
    let a = socket(lab, "a", inside, INSIDE + 1);
    let outside = arrives(&a, internet.one.local_addr().unwrap(), &internet.one);
    let answers = [
        (&internet.one, true),
        (&internet.same_address, filter != Filter::AddressAndPort),
        (&internet.elsewhere, filter == Filter::Anyone),
    ];
    for (from, passes) in answers {
        if passes {
            arrives(from, outside, &a);
        } else {
            is_lost((from, outside), &a, (&internet.one, outside));
        }
    }
    outside
}

fn check_tcp(lab: &Lab, inside: IpAddr, filter: Filter) {
    let relay = SocketAddr::new(address(lab, "relay", inside), 9000);
    let _listening = lab.host("relay").run(|| TcpListener::bind(relay).unwrap());
    assert!(connects(lab, "a", relay, true));
    if filter == Filter::AddressAndPort {
        let a = SocketAddr::new(inside, INSIDE);
        let _listening = lab.host("a").run(|| TcpListener::bind(a).unwrap());
        assert!(!connects(
            lab,
            "relay",
            SocketAddr::new("44.128.7.11".parse().unwrap(), INSIDE),
            false
        ));
        assert!(!connects(lab, "relay", a, false));
    }
}

#[test]
fn a_public_host_is_itself() {
    check("none", "44.128.7.11", Mapping::SamePort, Filter::Anyone);
}

#[test]
fn cone_keeps_the_port_and_filters_by_address_and_port() {
    check("cone", "44.128.7.11", Mapping::SamePort, Filter::AddressAndPort);
}

#[test]
fn conereject_is_a_cone() {
    check("conereject", "44.128.7.11", Mapping::SamePort, Filter::AddressAndPort);
}

#[test]
fn coneopen_is_a_cone() {
    check("coneopen", "44.128.7.11", Mapping::SamePort, Filter::AddressAndPort);
}

#[test]
fn addrcone_filters_by_address() {
    check("addrcone", "44.128.7.11", Mapping::SamePort, Filter::Address);
}

#[test]
fn fullcone_does_not_filter() {
    check("fullcone", "44.128.7.11", Mapping::SamePort, Filter::Anyone);
}

#[test]
fn remap_maps_to_another_port_for_all() {
    check("remap", "44.128.7.11", Mapping::Port(INSIDE + 10_000), Filter::AddressAndPort);
}

#[test]
fn sym_maps_by_destination() {
    check("sym", "44.128.7.11", Mapping::ByDestination, Filter::AddressAndPort);
}

#[test]
fn two_cones_are_a_cone() {
    check("cgnat", "44.128.7.11", Mapping::SamePort, Filter::AddressAndPort);
}

#[test]
fn a_symmetric_provider_maps_by_destination() {
    check("cgnatsym", "44.128.7.11", Mapping::ByDestination, Filter::AddressAndPort);
}

#[test]
fn v6only_has_a_firewall_and_no_translation() {
    check("v6only", "3ffe:9:0:1::2", Mapping::SamePort, Filter::AddressAndPort);
}

#[test]
fn the_hosts_of_two_v6only_homes_have_a_way() {
    let test = "two IPv6-only homes";
    let Some(lab) = lab_or_skip(test, &["nat", "v6only", "v6only"]) else { return };
    assert!(["a", "b"].iter().all(|host| lab.addresses(host).iter().all(IpAddr::is_ipv6)));
    let a = socket(&lab, "a", lab.addresses("a")[0], INSIDE);
    let b = socket(&lab, "b", lab.addresses("b")[0], INSIDE);
    // Each opens its own firewall for the other.
    a.send_to(b"open", b.local_addr().unwrap()).unwrap();
    assert_eq!(arrives(&b, a.local_addr().unwrap(), &a), b.local_addr().unwrap());
    assert_eq!(arrives(&a, b.local_addr().unwrap(), &b), a.local_addr().unwrap());
}

/// Host a's port as one sees it, and as another does who sent there before.
fn seen_after_an_early_packet(nat: &str) -> Option<[u16; 2]> {
    let (lab, inside) = behind(nat)?;
    let internet = Internet::new(&lab, inside);
    let a = socket(&lab, "a", inside, INSIDE);
    let outside = arrives(&a, internet.one.local_addr().unwrap(), &internet.one);
    is_lost((&internet.elsewhere, outside), &a, (&internet.one, outside));
    let later = arrives(&a, internet.elsewhere.local_addr().unwrap(), &internet.elsewhere);
    Some([outside.port(), later.port()])
}

#[test]
fn an_early_packet_spoils_the_mapping_of_coneopen_alone() {
    if let Some([one, other]) = seen_after_an_early_packet("cone") {
        assert_eq!(one, other);
    }
    if let Some([one, other]) = seen_after_an_early_packet("coneopen") {
        assert_ne!(one, other);
    }
}

#[test]
fn conereject_answers_and_cone_is_silent() {
    for (nat, kind) in [("conereject", ErrorKind::ConnectionRefused), ("cone", ErrorKind::TimedOut)]
    {
        let Some((lab, _)) = behind(nat) else { return };
        let router = "44.128.7.11:9000".parse().unwrap();
        let patience = if nat == "cone" { IN_VAIN } else { crate::support::PATIENCE };
        let refused =
            lab.host("relay").run(|| TcpStream::connect_timeout(&router, patience).unwrap_err());
        assert_eq!(refused.kind(), kind, "{nat}");
    }
}

#[test]
fn without_udp_only_tcp_gets_out_and_with_the_web_alone_two_ports_of_it() {
    for (nat, other_ports) in [("udpblock", true), ("web", false)] {
        let Some((lab, inside)) = behind(nat) else { return };
        let internet = Internet::new(&lab, inside);
        let a = socket(&lab, "a", inside, INSIDE);
        let relay = internet.one.local_addr().unwrap();
        is_lost((&a, relay), &internet.one, (&internet.elsewhere, relay));
        for (port, open) in [(443, true), (80, true), (9000, other_ports)] {
            let relay = SocketAddr::new(relay.ip(), port);
            let _listening = lab.host("relay").run(|| TcpListener::bind(relay).unwrap());
            assert_eq!(connects(&lab, "a", relay, open), open, "{nat}, port {port}");
        }
    }
}

#[test]
fn two_hosts_of_one_network_meet_there_and_look_alike_from_outside() {
    let test = "two hosts of one network";
    let Some(lab) = lab_or_skip(test, &["nat", "cone", "same"]) else { return };
    let inside = lab.addresses("a")[0];
    let internet = Internet::new(&lab, inside);
    let (a, b) = (socket(&lab, "a", inside, INSIDE), socket(&lab, "b", inside, INSIDE + 1));
    let relay = internet.one.local_addr().unwrap();
    let seen = [&a, &b].map(|host| arrives(host, relay, &internet.one));
    assert_eq!(seen[0].ip(), seen[1].ip());
    assert_eq!(arrives(&a, b.local_addr().unwrap(), &b), a.local_addr().unwrap());
    // What is sent to the other's public address does not come back.
    is_lost((&a, seen[1]), &b, (&internet.one, seen[1]));
}

#[test]
fn a_hairpin_joins_two_networks_at_the_public_address_alone() {
    let test = "two networks behind one router";
    let Some(lab) = lab_or_skip(test, &["nat", "cone", "hairpin"]) else { return };
    let inside = lab.addresses("a")[0];
    let internet = Internet::new(&lab, inside);
    let (a, b) = (socket(&lab, "a", inside, INSIDE), socket(&lab, "b", inside, INSIDE + 1));
    let relay = internet.one.local_addr().unwrap();
    let [public_a, public_b] = [&a, &b].map(|host| arrives(host, relay, &internet.one));
    assert_eq!(public_a.ip(), public_b.ip());
    is_lost((&a, b.local_addr().unwrap()), &b, (&internet.one, public_b));
    assert_eq!(arrives(&a, public_b, &b), public_a);
    assert_eq!(arrives(&b, public_a, &a), public_b);
}
