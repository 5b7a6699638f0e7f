//! What happens to a network while it is used.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::letters::{arrives, is_lost, receive};
use super::socket;
use crate::support::{PATIENCE, lab::Lab, lab_or_skip};

/// Two public hosts and the relay, with a socket each.
struct Pair {
    lab: Lab,
    one: UdpSocket,
    other: UdpSocket,
    relay: UdpSocket,
}

impl Pair {
    fn new(test: &str) -> Option<Self> {
        let lab = lab_or_skip(test, &["pair"])?;
        let open = |host| socket(&lab, host, lab.addresses(host)[0], 9000);
        let (one, other, relay) = (open("p1"), open("p2"), open("relay"));
        Some(Self { one, other, relay, lab })
    }

    fn meet(&self) {
        arrives(&self.one, self.other.local_addr().unwrap(), &self.other);
        arrives(&self.other, self.one.local_addr().unwrap(), &self.one);
    }

    /// That nothing comes from one to the other, while the relay reaches it.
    fn are_apart(&self) {
        let other = self.other.local_addr().unwrap();
        is_lost((&self.one, other), &self.other, (&self.relay, other));
    }
}

/// Sends one datagram there and one back.
fn round_trip(from: &UdpSocket, to: &UdpSocket) -> Duration {
    let start = Instant::now();
    let seen = arrives_once(from, to);
    to.send_to(b"back", seen).unwrap();
    receive(from).unwrap();
    start.elapsed()
}

fn arrives_once(from: &UdpSocket, to: &UdpSocket) -> std::net::SocketAddr {
    for socket in [from, to] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    from.send_to(b"there", to.local_addr().unwrap()).unwrap();
    receive(to).unwrap().1
}

#[test]
fn a_round_trip_takes_the_delay_twice() {
    let Some(pair) = Pair::new("a delay") else { return };
    pair.meet();
    pair.lab.run("shape", &["p1", "delay=30"]);
    assert!(round_trip(&pair.one, &pair.other) >= Duration::from_millis(60));
    assert!(round_trip(&pair.other, &pair.one) >= Duration::from_millis(60));
    pair.lab.run("shape", &["p1", "delay=5"]);
    assert!(round_trip(&pair.one, &pair.other) >= Duration::from_millis(10));
    pair.lab.run("unshape", &["p1"]);
    pair.meet();
}

#[test]
fn the_delay_of_a_home_is_on_its_uplink() {
    let Some(lab) = lab_or_skip("the uplink of a home", &["nat", "cone", "cgnat"]) else { return };
    let relay = socket(&lab, "relay", lab.addresses("relay")[0], 9000);
    for home in ["a", "b"] {
        lab.run("shape", &[home, "delay=20"]);
        let host = socket(&lab, home, lab.addresses(home)[0], 9000);
        assert!(round_trip(&host, &relay) >= Duration::from_millis(40));
    }
}

#[test]
fn a_link_loses_doubles_and_slows_down() {
    let Some(pair) = Pair::new("a bad link") else { return };
    pair.meet();
    pair.lab.run("shape", &["p1", "loss=100"]);
    pair.are_apart();
    pair.lab.run("shape", &["p1", "dup=100"]);
    arrives_once(&pair.one, &pair.other);
    assert_eq!(receive(&pair.other).unwrap().0, b"there");
    // 20 frames of 1,292 bytes at 1 Mbit/s.
    pair.lab.run("shape", &["p1", "rate=1"]);
    let start = Instant::now();
    for _ in 0..20 {
        pair.one.send_to(&[0; 1250], pair.other.local_addr().unwrap()).unwrap();
    }
    for _ in 0..20 {
        receive(&pair.other).unwrap();
    }
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_partition_cuts_two_groups_apart_until_it_heals() {
    let Some(pair) = Pair::new("a partition") else { return };
    pair.meet();
    pair.lab.run("partition", &["p1", "p2"]);
    pair.are_apart();
    arrives(&pair.relay, pair.one.local_addr().unwrap(), &pair.one);
    pair.lab.run("heal", &[]);
    pair.meet();
}

#[test]
fn loss_in_the_kernel_is_what_comes_in() {
    let Some(pair) = Pair::new("loss in the kernel") else { return };
    pair.meet();
    pair.lab.run("loss", &["p1", "100"]);
    // One's own datagrams go out.
    arrives(&pair.one, pair.other.local_addr().unwrap(), &pair.other);
    pair.one.set_nonblocking(true).unwrap();
    while receive(&pair.one).is_some() {}
    pair.other.send_to(b"lost", pair.one.local_addr().unwrap()).unwrap();
    pair.one.set_nonblocking(false).unwrap();
    pair.lab.run("loss", &["p1", "0"]);
    pair.one.set_read_timeout(Some(PATIENCE)).unwrap();
    pair.other.send_to(b"found", pair.one.local_addr().unwrap()).unwrap();
    assert_eq!(receive(&pair.one).unwrap().0, b"found");
}

#[test]
fn a_cable_is_pulled_out_and_put_in() {
    let Some(pair) = Pair::new("a cable") else { return };
    pair.meet();
    pair.lab.run("unplug", &["p1"]);
    pair.are_apart();
    pair.lab.run("plug", &["p1"]);
    pair.meet();
}

#[test]
fn a_host_moves_to_another_address() {
    let Some(lab) = lab_or_skip("a host that moves", &["nat", "cone", "v6only"]) else { return };
    for (host, network) in [("a", "10.1.0.77/24"), ("b", "3ffe:9:0:2::77/64")] {
        lab.run("roam", &[host, network]);
        let address: IpAddr = network.split('/').next().unwrap().parse().unwrap();
        assert_eq!(lab.addresses(host), [address]);
        let relay = socket(&lab, "relay", address, 9000);
        let moved = socket(&lab, host, address, 4001);
        arrives(&moved, relay.local_addr().unwrap(), &relay);
    }
}

#[test]
fn a_router_gets_another_public_address() {
    let Some(lab) = lab_or_skip("a new public address", &["nat", "remap", "cgnat"]) else { return };
    let relay = socket(&lab, "relay", lab.addresses("relay")[0], 9000);
    for (home, public, port) in [("a", "44.128.7.50", 14_001), ("b", "44.128.7.60", 4001)] {
        let host = socket(&lab, home, lab.addresses(home)[0], 4001);
        let before = arrives(&host, relay.local_addr().unwrap(), &relay);
        assert_eq!(before.port(), port);
        lab.run("rewan", &[home, public]);
        let after = arrives(&host, relay.local_addr().unwrap(), &relay);
        assert_eq!(after, (public.parse::<IpAddr>().unwrap(), port).into());
    }
}

#[test]
fn a_router_that_restarts_forgets_its_mappings() {
    for nat in ["cone", "fullcone", "cgnat"] {
        let Some(lab) = lab_or_skip("a router that restarts", &["nat", nat, "none"]) else {
            return;
        };
        let relay = socket(&lab, "relay", lab.addresses("relay")[0], 9000);
        let a = socket(&lab, "a", lab.addresses("a")[0], 4001);
        let outside = arrives(&a, relay.local_addr().unwrap(), &relay);
        lab.run("renat", &["a"]);
        // A mapping from before; one from after would show that it is open.
        let fresh = socket(&lab, "a", lab.addresses("a")[0], 4002);
        let open = arrives(&fresh, relay.local_addr().unwrap(), &relay);
        relay.send_to(b"lost", outside).unwrap();
        arrives(&relay, open, &fresh);
        a.set_nonblocking(true).unwrap();
        assert!(receive(&a).is_none(), "{nat}");
    }
}

#[test]
fn a_home_gets_another_host() {
    let Some(lab) = lab_or_skip("another host", &["nat", "cone", "none"]) else { return };
    lab.run("addhost", &["a", "a2", "7"]);
    assert_eq!(lab.addresses("a2"), ["10.1.0.7".parse::<IpAddr>().unwrap()]);
    let hosts = lab.run("hosts", &[]);
    assert!(hosts.lines().any(|host| host == "a2"), "{hosts}");
    let relay = socket(&lab, "relay", lab.addresses("relay")[0], 9000);
    let new = socket(&lab, "a2", lab.addresses("a2")[0], 4001);
    arrives(&new, relay.local_addr().unwrap(), &relay);
}
