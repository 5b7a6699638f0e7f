//! Asks the router to let connections in, and follows what it grants.

use std::net::SocketAddrV4;
use std::num::NonZeroU16;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use portmapper::{Client, Config};

/// The addresses that a router maps to one of ours, as they change; none while
/// it maps nothing. By PCP, NAT-PMP or `UPnP`, whichever it speaks, over IPv4.
/// Dropping it takes the mapping back.
pub(crate) fn map_port(listening: &Multiaddr) -> Option<BoxStream<'static, Option<Multiaddr>>> {
    let (protocol, port) = local_port(listening)?;
    let client = Client::new(Config { protocol, ..Config::default() });
    client.update_local_port(port);
    client.procure_mapping();
    let outside = client.watch_external_address();
    let listening = listening.clone();
    let changes = stream::unfold((client, outside), move |(client, mut outside)| {
        let listening = listening.clone();
        async move {
            outside.changed().await.ok()?;
            let seen = *outside.borrow_and_update();
            Some((seen.map(|seen| as_seen(&listening, seen)), (client, outside)))
        }
    });
    Some(changes.boxed())
}

/// The port of an address of IPv4 by TCP or QUIC that other hosts may use.
fn local_port(address: &Multiaddr) -> Option<(portmapper::Protocol, NonZeroU16)> {
    let mut parts = address.iter();
    match parts.next()? {
        Protocol::Ip4(ip) if !ip.is_loopback() => {}
        _ => return None,
    }
    let (protocol, port) = match parts.next()? {
        Protocol::Tcp(port) => (portmapper::Protocol::Tcp, port),
        Protocol::Udp(port) => (portmapper::Protocol::Udp, port),
        _ => return None,
    };
    let web = parts.any(|part| !matches!(part, Protocol::QuicV1));
    Some((protocol, NonZeroU16::new(port)?)).filter(|_| !web)
}

/// The same address, as it is seen from outside.
fn as_seen(address: &Multiaddr, seen: SocketAddrV4) -> Multiaddr {
    let parts = address.iter().map(|part| match part {
        Protocol::Ip4(_) => Protocol::Ip4(*seen.ip()),
        Protocol::Tcp(_) => Protocol::Tcp(seen.port()),
        Protocol::Udp(_) => Protocol::Udp(seen.port()),
        other => other,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_and_quic_of_ipv4_are_mapped() {
        for (text, mapped) in [
            ("/ip4/10.0.0.2/tcp/1", true),
            ("/ip4/10.0.0.2/udp/1/quic-v1", true),
            ("/ip4/10.0.0.2/tcp/1/ws", false),
            ("/ip4/127.0.0.1/tcp/1", false),
            ("/ip6/2001:db8::1/tcp/1", false),
        ] {
            assert_eq!(local_port(&text.parse().unwrap()).is_some(), mapped, "{text}");
        }
    }

    #[test]
    fn the_outside_differs_in_host_and_port() {
        let inside = "/ip4/10.0.0.2/udp/1/quic-v1".parse().unwrap();
        let outside = as_seen(&inside, "192.0.2.7:9".parse().unwrap());
        assert_eq!(outside.to_string(), "/ip4/192.0.2.7/udp/9/quic-v1");
    }
}
