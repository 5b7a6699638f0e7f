//! A router that maps ports on request.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::letters::{arrives, receive};
use super::socket;
use crate::support::{lab_or_skip, skip};

/// How long an answer is waited for before the request is sent again.
const AGAIN: Duration = Duration::from_millis(250);

/// Asks a router by NAT-PMP (RFC 6886) for its public address and for a port
/// of its own, for UDP.
fn map_port(host: &UdpSocket, router: IpAddr, inside: u16) -> u16 {
    let [high, low] = inside.to_be_bytes();
    // Version, operation, two reserved, port inside, any port outside, 120 s.
    let request = [0, 1, 0, 0, high, low, 0, 0, 0, 0, 0, 120];
    host.set_read_timeout(Some(AGAIN)).unwrap();
    for _ in 0..40 {
        host.send_to(&request, (router, 5351)).unwrap();
        if let Some((answer, _)) = receive(host) {
            assert_eq!(answer[..4], [0, 129, 0, 0], "a mapping, and no error");
            return u16::from_be_bytes([answer[10], answer[11]]);
        }
    }
    panic!("the router does not answer");
}

#[test]
fn a_router_maps_ports_on_request_whatever_its_type() {
    let test = "a router that maps ports";
    if let Err(error) = Command::new("miniupnpd").arg("--version").output() {
        return skip(test, &format!("miniupnpd: {error} (Debian: miniupnpd-nftables)"));
    }
    for nat in ["cone", "sym"] {
        let Some(lab) = lab_or_skip(test, &["nat", nat, "none"]) else { return };
        lab.run("igd", &["a"]);
        let a = socket(&lab, "a", lab.addresses("a")[0], 4001);
        let port = map_port(&a, "10.1.0.1".parse().unwrap(), 4001);
        let public = SocketAddr::new("44.128.7.11".parse().unwrap(), port);
        let stranger = socket(&lab, "relay2", lab.addresses("relay2")[0], 9000);
        assert_eq!(arrives(&stranger, public, &a), stranger.local_addr().unwrap());
    }
}
