//! The path of a connection: what it is made of.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use futures::stream::BoxStream;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use peerage_core::routing::address::without_peer;

use crate::limits::MAX_WAITING_PATHS;
use crate::sync::lock;

/// What carries the bytes of a connection.
///
/// Ordered by preference: the greatest is the cheapest for bulk data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// Something this version does not know.
    Other,
    /// A circuit through a third peer ([circuit relay v2]).
    ///
    /// [circuit relay v2]: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
    Circuit,
    /// QUIC of iroh's endpoint over a relay, until a direct path is found.
    Relay,
    /// WebSocket over TCP, with or without TLS below it.
    WebSocket,
    /// QUIC version 1 over UDP.
    Quic,
    /// QUIC of iroh's endpoint over UDP, straight from peer to peer; it moves
    /// with either when its address changes.
    Roaming,
    /// Plain TCP, secured by TLS or Noise.
    Tcp,
}

impl TransportKind {
    /// The transport that an address names.
    ///
    /// ```
    /// use peerage::routing::TransportKind;
    /// let address = "/ip4/192.0.2.1/udp/4001/quic-v1".parse().unwrap();
    /// assert_eq!(TransportKind::of(&address), TransportKind::Quic);
    /// ```
    pub fn of(address: &Multiaddr) -> Self {
        address.iter().fold(Self::Other, |kind, part| match part {
            Protocol::P2pCircuit if kind == Self::Relay => kind,
            Protocol::P2pCircuit => Self::Circuit,
            Protocol::Http | Protocol::Https => Self::Relay,
            _ if matches!(kind, Self::Relay | Self::Circuit) => kind,
            Protocol::Tcp(_) => Self::Tcp,
            Protocol::Udp(_) => Self::Roaming,
            Protocol::QuicV1 => Self::Quic,
            Protocol::Ws(_) | Protocol::Wss(_) => Self::WebSocket,
            _ => kind,
        })
    }
}

impl TransportKind {
    /// Whether a third party passes the bytes on.
    pub fn is_relayed(self) -> bool {
        matches!(self, Self::Circuit | Self::Relay)
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "other",
            Self::Circuit => "circuit",
            Self::Relay => "relay",
            Self::WebSocket => "websocket",
            Self::Quic => "quic",
            Self::Roaming => "iroh",
            Self::Tcp => "tcp",
        })
    }
}

/// What keeps a connection private and proves who is at its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Security {
    /// TLS 1.3 as [libp2p uses it](https://github.com/libp2p/specs/blob/master/tls/tls.md).
    Tls,
    /// [Noise XX](https://github.com/libp2p/specs/blob/master/noise/README.md).
    Noise,
}

impl Security {
    /// The name by which multistream-select agrees on it.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Tls => "/tls/1.0.0",
            Self::Noise => "/noise",
        }
    }

    /// Both, the cheaper one on this machine first: TLS where the processor
    /// has AES instructions (Noise knows only ChaCha20-Poly1305, which costs
    /// more there), else Noise (which then costs the same, and sets up faster).
    pub fn preferred() -> Vec<Self> {
        if super::tls::has_aes_instructions() {
            vec![Self::Tls, Self::Noise]
        } else {
            vec![Self::Noise, Self::Tls]
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "tls",
            Self::Noise => "noise",
        })
    }
}

/// What carries many streams on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Multiplexer {
    /// [yamux](https://github.com/libp2p/specs/blob/master/yamux/README.md).
    Yamux,
    /// [mplex](https://github.com/libp2p/specs/blob/master/mplex/README.md),
    /// for older peers: it has no flow control of its own.
    Mplex,
    /// The streams of QUIC itself.
    Quic,
}

impl Multiplexer {
    /// The name by which multistream-select agrees on it; none for QUIC,
    /// which needs no agreement.
    pub fn protocol(self) -> Option<&'static str> {
        match self {
            Self::Yamux => Some("/yamux/1.0.0"),
            Self::Mplex => Some("/mplex/6.7.0"),
            Self::Quic => None,
        }
    }
}

impl fmt::Display for Multiplexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yamux => "yamux",
            Self::Mplex => "mplex",
            Self::Quic => "quic",
        })
    }
}

/// What a connection is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// What carries the bytes.
    pub transport: TransportKind,
    /// What keeps them private, if known.
    pub security: Option<Security>,
    /// What carries many streams, if known.
    pub multiplexer: Option<Multiplexer>,
}

impl Path {
    /// Every QUIC connection is made of the same.
    pub(crate) const QUIC: Self = Self {
        transport: TransportKind::Quic,
        security: Some(Security::Tls),
        multiplexer: Some(Multiplexer::Quic),
    };

    /// A connection of iroh's endpoint, with its packets at this address.
    pub(crate) fn roaming(place: &Multiaddr) -> Self {
        let transport = match TransportKind::of(place) {
            TransportKind::Roaming => TransportKind::Roaming,
            _ => TransportKind::Relay,
        };
        Self { transport, security: Some(Security::Tls), multiplexer: Some(Multiplexer::Quic) }
    }

    /// What an address alone tells.
    pub(crate) fn of(address: &Multiaddr) -> Self {
        Self { transport: TransportKind::of(address), security: None, multiplexer: None }
    }
}

impl fmt::Display for Path {
    /// For instance `tcp+tls+yamux`, or `quic`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.transport)?;
        if self.multiplexer == Some(Multiplexer::Quic) {
            return Ok(());
        }
        if let Some(security) = self.security {
            write!(f, "+{security}")?;
        }
        if let Some(multiplexer) = self.multiplexer {
            write!(f, "+{multiplexer}")?;
        }
        Ok(())
    }
}

/// Where the packets of a connection go from now on, as it changes.
pub(crate) type Moves = BoxStream<'static, Multiaddr>;

/// What the transport knows of a connection that it has set up.
pub(crate) struct Known {
    /// What it is made of.
    pub(crate) path: Path,
    /// Where its packets go now and later, if it roams.
    pub(crate) roams: Option<(Multiaddr, Moves)>,
}

impl From<Path> for Known {
    fn from(path: Path) -> Self {
        Self { path, roams: None }
    }
}

/// Carries what the transport knows of a connection to the node. It cannot come
/// with the connection itself: libp2p's swarm takes a transport whose output is a
/// peer and a boxed muxer, and hands on the peer and the address alone.
#[derive(Default)]
pub(crate) struct PathTable(Mutex<HashMap<(PeerId, Multiaddr, bool), Known>>);

impl PathTable {
    /// Notes what is known of a connection that has just been set up.
    pub(crate) fn note(&self, peer: PeerId, endpoint: &ConnectedPoint, known: Known) {
        let mut paths = lock(&self.0);
        if paths.len() >= MAX_WAITING_PATHS {
            paths.clear();
        }
        paths.insert(key(peer, endpoint), known);
    }

    /// Takes what is known of a connection that the swarm has just reported.
    pub(crate) fn take(&self, peer: PeerId, endpoint: &ConnectedPoint) -> Option<Known> {
        let mut paths = lock(&self.0);
        paths.remove(&key(peer, endpoint))
    }
}

fn key(peer: PeerId, endpoint: &ConnectedPoint) -> (PeerId, Multiaddr, bool) {
    (peer, without_peer(endpoint.get_remote_address()), endpoint.is_dialer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_told_apart() {
        let kinds = [
            ("/ip4/192.0.2.1/tcp/1", TransportKind::Tcp),
            ("/dns4/example.org/tcp/1/ws", TransportKind::WebSocket),
            ("/dns/example.org/tcp/443/tls/ws", TransportKind::WebSocket),
            ("/ip6/::1/udp/1/quic-v1", TransportKind::Quic),
            ("/ip4/192.0.2.1/udp/1", TransportKind::Roaming),
            ("/ip4/192.0.2.1/tcp/1/http/p2p-circuit", TransportKind::Relay),
            ("/memory/1", TransportKind::Other),
        ];
        for (address, kind) in kinds {
            assert_eq!(TransportKind::of(&address.parse().unwrap()), kind, "{address}");
        }
    }

    #[test]
    fn tcp_is_preferred() {
        assert!(TransportKind::Tcp > TransportKind::Quic);
        assert!(TransportKind::Quic > TransportKind::WebSocket);
    }
}
