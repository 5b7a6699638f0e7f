//! What an address leads to, read by one grammar.

use std::fmt;
use std::net::IpAddr;

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

use super::Reach;
use crate::advice::Advice;
use crate::limits::{MAX_DNS_LABEL_BYTES, MAX_DNS_NAME_BYTES};

/// Where one thing can be dialled, and who should be there.
///
/// ```text
/// place   = host port [ "/p2p/" relay "/p2p-circuit" ] [ "/p2p/" peer ]
/// host    = "/ip4/…" | "/ip6/…" | "/dns/…" | "/dns4/…" | "/dns6/…"
/// port    = "/tcp/" 1..65535 [ "/ws" | "/tls/ws" | "/wss" | relayed ]
///         | "/udp/" 1..65535 [ "/quic-v1" ]
/// relayed = ( "/http" | "/https" ) "/p2p-circuit"
/// ```
///
/// and nothing else: no second host, no path but `/`, no name that a resolver or
/// an HTTP server could take for more than a name. So whoever judges a place and
/// whoever dials it mean the same host.
///
/// ```
/// use peerage_core::routing::address::{Channel, Multiaddr, Place};
///
/// let address: Multiaddr = "/dns4/hub.example/tcp/443/wss".parse()?;
/// let place = Place::try_from(&address)?;
/// assert_eq!(place.channel(), Channel::SecureWebSocket);
/// let two = "/ip4/192.0.2.1/tcp/1/ip4/127.0.0.1/tcp/22".parse()?;
/// assert!(Place::try_from(&two).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    host: Host,
    port: u16,
    channel: Channel,
    relay: Option<PeerId>,
    peer: Option<PeerId>,
}

/// The machine that a place is at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// By its address.
    Ip(IpAddr),
    /// By a name in the DNS, in lower case and without a dot at its end.
    Name {
        /// The name.
        name: String,
        /// Which of its addresses are meant.
        family: Family,
    },
}

/// Which addresses of a name are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// All of them.
    Any,
    /// Those of IPv4.
    V4,
    /// Those of IPv6.
    V6,
}

/// What carries the bytes to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Channel {
    /// TCP.
    Tcp,
    /// WebSocket over TCP.
    WebSocket,
    /// WebSocket over TLS.
    SecureWebSocket,
    /// QUIC version 1.
    Quic,
    /// Connections that roam, at a UDP socket.
    Roaming,
    /// Connections that roam, over a relay by HTTP.
    RelayHttp,
    /// The same by HTTPS.
    RelayHttps,
}

/// Why an address is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// It begins with no host.
    #[error("the address does not begin with an IP address or a name")]
    NoHost,
    /// The name of its host is none.
    #[error("the host's name has other signs than letters, digits, hyphens and dots")]
    BadName,
    /// No port can be dialled there.
    #[error("the address names no TCP or UDP port")]
    NoPort,
    /// Something follows that nobody here dials.
    #[error("the address names a transport that is not known, or more than one place")]
    Unknown,
}

impl Advice for PlaceError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoHost | Self::NoPort => Some("write it like /ip4/192.168.1.2/tcp/4001"),
            Self::BadName => Some("check its spelling"),
            Self::Unknown => Some("give one of a kind that this version knows"),
        }
    }
}

impl Place {
    /// The machine.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The TCP or UDP port; never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What carries the bytes.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// The peer that relays a circuit, when the place is that peer's.
    #[must_use]
    pub const fn relay(&self) -> Option<PeerId> {
        self.relay
    }

    /// Whether a relay is in between, of circuits or of connections that roam.
    #[must_use]
    pub const fn is_relayed(&self) -> bool {
        self.relay.is_some() || matches!(self.channel, Channel::RelayHttp | Channel::RelayHttps)
    }

    /// Who should be reached in the end, when that is said.
    #[must_use]
    pub const fn peer(&self) -> Option<PeerId> {
        self.peer
    }
}

impl Host {
    /// The host by one name: an IPv4 address out of IPv6's clothes, and a name
    /// whatever its family.
    #[must_use]
    pub fn plain(&self) -> Self {
        match self {
            Self::Ip(ip) => Self::Ip(super::plain(*ip)),
            Self::Name { name, .. } => Self::Name { name: name.clone(), family: Family::Any },
        }
    }

    /// For whom the host means the same.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            Self::Ip(ip) => Reach::of_ip(*ip),
            Self::Name { name, .. } => Reach::of_name(name),
        }
    }
}

/// The parts of an address that are still to be read.
type Parts<'a> = std::iter::Peekable<multiaddr::Iter<'a>>;

impl TryFrom<&Multiaddr> for Place {
    type Error = PlaceError;

    fn try_from(address: &Multiaddr) -> Result<Self, PlaceError> {
        let mut parts = address.iter().peekable();
        let host = read_host(&mut parts)?;
        let (port, channel) = read_port(&mut parts)?;
        let mut place = Self { host, port, channel, relay: None, peer: None };
        if let Some(Protocol::P2p(named)) = parts.peek().cloned() {
            parts.next();
            place.peer = Some(named);
        }
        let over_relay = matches!(channel, Channel::RelayHttp | Channel::RelayHttps);
        if !over_relay && place.peer.is_some() && parts.next_if_eq(&Protocol::P2pCircuit).is_some()
        {
            place.relay = place.peer.take();
            if let Some(Protocol::P2p(named)) = parts.peek().cloned() {
                parts.next();
                place.peer = Some(named);
            }
        }
        parts.next().is_none().then_some(place).ok_or(PlaceError::Unknown)
    }
}

fn read_host(parts: &mut Parts<'_>) -> Result<Host, PlaceError> {
    let (name, family) = match parts.next().ok_or(PlaceError::NoHost)? {
        Protocol::Ip4(ip) => return Ok(Host::Ip(ip.into())),
        Protocol::Ip6(ip) => return Ok(Host::Ip(ip.into())),
        Protocol::Dns(name) => (name, Family::Any),
        Protocol::Dns4(name) => (name, Family::V4),
        Protocol::Dns6(name) => (name, Family::V6),
        _ => return Err(PlaceError::NoHost),
    };
    let name = name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase();
    if is_name(&name) { Ok(Host::Name { name, family }) } else { Err(PlaceError::BadName) }
}

/// Whether a text is a host's name and nothing else: resolvers read many more
/// ways of writing an IP address than we do (`127.1`, `0x7f000001`), so a name
/// whose last label is a number is none
/// ([URL Standard](https://url.spec.whatwg.org/#ends-in-a-number-checker)).
pub(crate) fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() <= MAX_DNS_LABEL_BYTES && label.bytes().all(known)
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = |label: &str| {
        let hexadecimal = label.strip_prefix("0x");
        label.bytes().all(|byte| byte.is_ascii_digit())
            || hexadecimal.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    name.len() <= MAX_DNS_NAME_BYTES && name.split('.').all(is_label) && !is_number(last)
}

fn read_port(parts: &mut Parts<'_>) -> Result<(u16, Channel), PlaceError> {
    match parts.next() {
        Some(Protocol::Tcp(port @ 1..)) => Ok((port, read_over_tcp(parts)?)),
        Some(Protocol::Udp(port @ 1..)) => {
            let quic = parts.next_if_eq(&Protocol::QuicV1).is_some();
            Ok((port, if quic { Channel::Quic } else { Channel::Roaming }))
        }
        _ => Err(PlaceError::NoPort),
    }
}

fn read_over_tcp(parts: &mut Parts<'_>) -> Result<Channel, PlaceError> {
    let next = match parts.peek() {
        None | Some(Protocol::P2p(_)) => return Ok(Channel::Tcp),
        Some(_) => parts.next(),
    };
    let plain = |path: &str| matches!(path, "" | "/");
    let (channel, then) = match next {
        Some(Protocol::Ws(path)) if plain(&path) => return Ok(Channel::WebSocket),
        Some(Protocol::Wss(path)) if plain(&path) => return Ok(Channel::SecureWebSocket),
        Some(Protocol::Tls) => match parts.next() {
            Some(Protocol::Ws(path)) if plain(&path) => return Ok(Channel::SecureWebSocket),
            _ => return Err(PlaceError::Unknown),
        },
        Some(Protocol::Http) => (Channel::RelayHttp, parts.next()),
        Some(Protocol::Https) => (Channel::RelayHttps, parts.next()),
        _ => return Err(PlaceError::Unknown),
    };
    if then == Some(Protocol::P2pCircuit) { Ok(channel) } else { Err(PlaceError::Unknown) }
}

impl From<&Place> for Multiaddr {
    fn from(place: &Place) -> Self {
        let (port, then) = match place.channel {
            Channel::Tcp => (Protocol::Tcp(place.port), Vec::new()),
            Channel::WebSocket => (Protocol::Tcp(place.port), vec![Protocol::Ws("/".into())]),
            Channel::SecureWebSocket => {
                (Protocol::Tcp(place.port), vec![Protocol::Tls, Protocol::Ws("/".into())])
            }
            Channel::Quic => (Protocol::Udp(place.port), vec![Protocol::QuicV1]),
            Channel::Roaming => (Protocol::Udp(place.port), Vec::new()),
            Channel::RelayHttp => {
                (Protocol::Tcp(place.port), vec![Protocol::Http, Protocol::P2pCircuit])
            }
            Channel::RelayHttps => {
                (Protocol::Tcp(place.port), vec![Protocol::Https, Protocol::P2pCircuit])
            }
        };
        let circuit = place.relay.map(|relay| [Protocol::P2p(relay), Protocol::P2pCircuit]);
        let parts = [host_part(&place.host), port].into_iter().chain(then);
        parts.chain(circuit.into_iter().flatten()).chain(place.peer.map(Protocol::P2p)).collect()
    }
}

fn host_part(host: &Host) -> Protocol<'_> {
    match host {
        Host::Ip(IpAddr::V4(ip)) => Protocol::Ip4(*ip),
        Host::Ip(IpAddr::V6(ip)) => Protocol::Ip6(*ip),
        Host::Name { name, family: Family::Any } => Protocol::Dns(name.into()),
        Host::Name { name, family: Family::V4 } => Protocol::Dns4(name.into()),
        Host::Name { name, family: Family::V6 } => Protocol::Dns6(name.into()),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Multiaddr::from(self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const RELAY: &str = "12D3KooWNu4NTsSxfRv5yRq2Y8Ch2rDSvS3DYtWMAqjWSYd1CpLx";

    fn read(text: &str) -> Result<Place, PlaceError> {
        Place::try_from(&text.parse::<Multiaddr>().unwrap())
    }

    #[test]
    fn every_form_is_read_and_written_again() {
        let bare = [
            ("/ip4/192.0.2.1/tcp/1", Channel::Tcp),
            ("/ip6/2001:db8::1/tcp/1/ws", Channel::WebSocket),
            ("/dns4/hub.example/tcp/443/tls/ws", Channel::SecureWebSocket),
            ("/ip4/192.0.2.1/udp/1/quic-v1", Channel::Quic),
            ("/ip4/192.0.2.1/udp/1", Channel::Roaming),
            ("/dns/hub.example/tcp/80/http/p2p-circuit", Channel::RelayHttp),
            ("/dns6/hub.example/tcp/443/https/p2p-circuit", Channel::RelayHttps),
        ];
        for (text, channel) in bare {
            let circuit = format!("/p2p/{RELAY}/p2p-circuit");
            for end in ["", &format!("/p2p/{PEER}"), &circuit, &format!("{circuit}/p2p/{PEER}")] {
                let text = format!("{text}{end}");
                let relayed = matches!(channel, Channel::RelayHttp | Channel::RelayHttps);
                if relayed && end.contains(RELAY) {
                    assert_eq!(read(&text), Err(PlaceError::Unknown), "{text}");
                    continue;
                }
                let place = read(&text).unwrap();
                assert_eq!(place.channel(), channel, "{text}");
                assert_eq!(place.relay().is_some(), end.contains(RELAY), "{text}");
                assert_eq!(place.peer().is_some(), end.contains(PEER), "{text}");
                assert_eq!(place.to_string().replace("%2F", ""), text.replace("%2F", ""));
            }
        }
        let wss = read("/dns4/HUB.example./tcp/443/wss").unwrap();
        assert_eq!(wss.to_string(), "/dns4/hub.example/tcp/443/tls/ws");
    }

    #[test]
    fn nothing_else_is_a_place() {
        for text in [
            "/ip4/192.0.2.1",
            "/ip4/192.0.2.1/tcp/0",
            "/ip4/192.0.2.1/tcp/1/ip4/127.0.0.1/tcp/22",
            "/ip4/192.0.2.1/tcp/1/tcp/22",
            "/ip4/192.0.2.1/tcp/1/quic-v1",
            "/ip4/192.0.2.1/udp/1/ws",
            "/ip4/192.0.2.1/udp/1/quic-v1/webtransport",
            "/ip4/192.0.2.1/udp/1/webrtc-direct",
            "/ip4/192.0.2.1/tcp/1/x-parity-ws/%2Fx%20HTTP",
            "/ip4/192.0.2.1/tcp/1/http",
            "/ip4/192.0.2.1/tcp/1/tls",
            "/ip4/192.0.2.1/tcp/1/p2p-circuit",
            "/ip6zone/eth0/ip6/fe80::1/tcp/1",
            "/dnsaddr/hub.example",
            "/memory/1",
            "/unix/tmp",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let two_relays = format!("/ip4/1.2.3.4/tcp/1/p2p/{RELAY}/p2p-circuit/p2p-circuit");
        let after = format!("/ip4/1.2.3.4/tcp/1/p2p/{PEER}/ip4/127.0.0.1/tcp/22");
        let by_name = format!("/p2p/{RELAY}/p2p-circuit/p2p/{PEER}");
        for text in [two_relays, after, by_name] {
            assert!(read(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_of_websocket_is_no_place() {
        let address = Multiaddr::empty()
            .with(Protocol::Ip4([192, 0, 2, 1].into()))
            .with(Protocol::Tcp(80))
            .with(Protocol::Ws("/admin?now=1 HTTP/1.1\r\nHost: victim".into()));
        assert_eq!(Place::try_from(&address), Err(PlaceError::Unknown));
    }

    #[test]
    fn a_name_that_could_be_an_ip_address_is_none() {
        let named = |name: &str| {
            let name = Protocol::Dns(name.to_owned().into());
            Place::try_from(&Multiaddr::empty().with(name).with(Protocol::Tcp(1)))
        };
        for name in ["127.0.0.1", "127.1", "0x7f000001", "a.0x1", "2130706433", "::1", "[::1]"] {
            assert_eq!(named(name), Err(PlaceError::BadName), "{name}");
        }
        for name in ["", ".", "a..b", "a b", "a/b", "a@b", "a:80", "a\r\nb", "ä.example", "_a.b"] {
            assert_eq!(named(name), Err(PlaceError::BadName), "{name:?}");
        }
        assert_eq!(named(&"a.".repeat(128)), Err(PlaceError::BadName));
        for name in ["hub.example", "x", "1.example", "xn--hb-fka.example", "localhost"] {
            assert!(named(name).is_ok(), "{name}");
        }
        assert_eq!(named("localhost").unwrap().host().reach(), Reach::Machine);
    }
}
