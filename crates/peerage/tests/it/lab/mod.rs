//! The network lab: every type of NAT maps and filters as its README says, and
//! what happens to a network happens.

mod faults;
mod letters;
mod nat;
mod ports;

use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::support::{PATIENCE, lab::Lab};

/// How long a connection that must not come about is waited for.
const IN_VAIN: Duration = Duration::from_millis(300);

/// Opens a UDP socket in a host, on its address of the same family as `like`.
fn socket(lab: &Lab, host: &str, like: IpAddr, port: u16) -> UdpSocket {
    let address = address(lab, host, like);
    lab.host(host).run(|| UdpSocket::bind((address, port)).unwrap())
}

/// The address of a host, of the same family as `like`.
fn address(lab: &Lab, host: &str, like: IpAddr) -> IpAddr {
    let addresses = lab.addresses(host);
    let address = addresses.into_iter().find(|address| address.is_ipv6() == like.is_ipv6());
    address.expect("the host speaks this version of IP")
}

/// Whether a TCP connection from a host comes about; `expected` says how long
/// it is worth waiting.
fn connects(lab: &Lab, host: &str, to: SocketAddr, expected: bool) -> bool {
    let patience = if expected { PATIENCE } else { IN_VAIN };
    lab.host(host).run(|| TcpStream::connect_timeout(&to, patience).is_ok())
}
