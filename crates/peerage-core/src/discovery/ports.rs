//! The ports a node listens on, one a transport.

use std::net::IpAddr;

use multiaddr::{Multiaddr, Protocol};

/// The ports of a node, one for each transport it listens on.
///
/// ```
/// use peerage_core::discovery::Ports;
///
/// let listening = ["/ip4/0.0.0.0/udp/4001/quic-v1".parse()?, "/ip4/0.0.0.0/tcp/4002".parse()?];
/// let ports = Ports::of(&listening);
/// assert_eq!((ports.quic, ports.tcp, ports.websocket), (Some(4001), Some(4002), None));
///
/// let there: Vec<_> = ports.at("192.168.1.7".parse()?).map(|address| address.to_string()).collect();
/// assert_eq!(there, ["/ip4/192.168.1.7/udp/4001/quic-v1", "/ip4/192.168.1.7/tcp/4002"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The UDP port of QUIC version 1.
    pub quic: Option<u16>,
    /// The port of plain TCP.
    pub tcp: Option<u16>,
    /// The TCP port of WebSocket, without TLS below it.
    pub websocket: Option<u16>,
}

impl Ports {
    /// The first port of each transport among listening addresses. Addresses
    /// of other transports, and port 0, are passed over.
    #[must_use]
    pub fn of<'a>(listening: impl IntoIterator<Item = &'a Multiaddr>) -> Self {
        let mut ports = Self::default();
        for address in listening {
            let mut parts = address.iter().skip(1);
            let (place, port) = match (parts.next(), parts.next()) {
                (Some(Protocol::Udp(port)), Some(Protocol::QuicV1)) => (&mut ports.quic, port),
                (Some(Protocol::Tcp(port)), None | Some(Protocol::P2p(_))) => {
                    (&mut ports.tcp, port)
                }
                (Some(Protocol::Tcp(port)), Some(Protocol::Ws(_))) => (&mut ports.websocket, port),
                _ => continue,
            };
            if port != 0 {
                place.get_or_insert(port);
            }
        }
        ports
    }

    /// The port for a DNS-SD browser that wants just one: QUIC's, else TCP's,
    /// else WebSocket's. `None` when the node listens nowhere.
    #[must_use]
    pub fn first(&self) -> Option<u16> {
        self.quic.or(self.tcp).or(self.websocket)
    }

    /// The addresses of these ports on a host, the fastest transport first.
    pub fn at(&self, host: IpAddr) -> impl Iterator<Item = Multiaddr> {
        let base = Multiaddr::from(host);
        let quic =
            self.quic.map(|port| base.clone().with(Protocol::Udp(port)).with(Protocol::QuicV1));
        let tcp = self.tcp.map(|port| base.clone().with(Protocol::Tcp(port)));
        let websocket = self
            .websocket
            .map(|port| base.with(Protocol::Tcp(port)).with(Protocol::Ws("/".into())));
        [quic, tcp, websocket].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transport_is_found_and_given_back() {
        let texts =
            ["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/2", "/ip4/127.0.0.1/tcp/3/ws"];
        let listening = texts.map(|text| text.parse::<Multiaddr>().unwrap());
        let ports = Ports::of(&listening);

        assert_eq!(ports, Ports { quic: Some(1), tcp: Some(2), websocket: Some(3) });
        assert_eq!(ports.at([127, 0, 0, 1].into()).collect::<Vec<_>>(), listening);
        assert_eq!(ports.first(), Some(1));
    }

    #[test]
    fn the_first_of_a_kind_counts_and_the_unknown_is_passed_over() {
        let texts = [
            "/ip4/0.0.0.0/tcp/0",
            "/ip6/::/tcp/9",
            "/ip4/0.0.0.0/tcp/10",
            "/memory/5",
            "/ip4/1.2.3.4/udp/7",
        ];
        let listening = texts.map(|text| text.parse::<Multiaddr>().unwrap());

        assert_eq!(Ports::of(&listening), Ports { tcp: Some(9), ..Ports::default() });
        assert_eq!(Ports::default().first(), None);
    }
}
