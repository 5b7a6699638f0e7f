//! Asks the router to let connections in, and follows what it grants.

use std::net::SocketAddrV4;
use std::num::NonZeroU16;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use portmapper::{Client, Config};
use tokio::sync::watch;
use tokio::time::timeout;

/// How soon a router that maps nothing is asked again; twice as long each time.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How often it is asked at least: somebody may have told it to map ports.
const ASK_SELDOM: Duration = Duration::from_secs(10 * 60);

/// The addresses that a router maps to one of ours, as they change; none while
/// it maps nothing. By PCP, NAT-PMP or `UPnP`, whichever it speaks, over IPv4.
/// Dropping it takes the mapping back.
pub(crate) fn map_port(listening: &Multiaddr) -> Option<BoxStream<'static, Option<Multiaddr>>> {
    let (protocol, port) = local_port(listening)?;
    let client = Client::new(Config { protocol, ..Config::default() });
    let outside = client.watch_external_address();
    let asking = Asking { client, port, outside, pause: ASK_AGAIN };
    let listening = listening.clone();
    let changes = stream::unfold(asking, move |mut asking| {
        let listening = listening.clone();
        async move {
            let seen = asking.next().await?;
            Some((seen.map(|seen| as_seen(&listening, seen)), asking))
        }
    });
    Some(changes.boxed())
}

/// A port that a router is asked to map, until it does.
struct Asking {
    client: Client,
    port: NonZeroU16,
    outside: watch::Receiver<Option<SocketAddrV4>>,
    pause: Duration,
}

impl Asking {
    /// What the port is outside, once that changes.
    async fn next(&mut self) -> Option<Option<SocketAddrV4>> {
        while self.outside.borrow().is_none() {
            self.ask().await;
            if let Ok(changed) = timeout(self.pause, self.outside.changed()).await {
                changed.ok()?;
                self.pause = ASK_AGAIN;
                return Some(*self.outside.borrow_and_update());
            }
            self.pause = (2 * self.pause).min(ASK_SELDOM);
        }
        self.outside.changed().await.ok()?;
        Some(*self.outside.borrow_and_update())
    }

    /// Asks the router, by what it speaks: unless that was found out first, the
    /// crate tries `UPnP` alone, and a failure is final.
    async fn ask(&self) {
        let _whatever_it_speaks = self.client.probe().await;
        self.client.update_local_port(self.port);
        self.client.procure_mapping();
    }
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
