//! What a node tells those who listen.

use std::fmt;
use std::io;
use std::time::Duration;

use libp2p::swarm::ConnectionError;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use crate::routing::Path;

/// Something that happened to a node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A peer is connected that was not before.
    Connected(Connection),
    /// The connection that new streams to a peer take is another one now, or
    /// its packets go another way. What becomes of its other connections is not
    /// told.
    PathChanged(Connection),
    /// The last connection to a peer has ended.
    Disconnected {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A hub that was lost is connected again: the network is back.
    HubBack(PeerId),
    /// The peer has said what software and protocols it has.
    Identified(PeerId),
    /// The node can be reached at another address from now on.
    Listening(Multiaddr),
    /// The node can be reached at this address no more.
    NotListening(Multiaddr),
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The other peer.
    Incoming,
    /// This node.
    Outgoing,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        })
    }
}

/// One connection to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Who is at the other end; proven.
    pub peer: PeerId,
    /// The address at the other end, without the peer.
    pub address: Multiaddr,
    /// What the connection is made of.
    pub path: Path,
    /// Who opened it.
    pub direction: Direction,
}

/// A connected peer.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Who it is; proven.
    pub peer: PeerId,
    /// Its connections; the one that new streams take comes first.
    pub connections: Vec<Connection>,
    /// What software it says it is, once it has: text of a stranger, to be
    /// sanitised before it is shown.
    pub agent: Option<String>,
    /// The family of protocols that it says it belongs to, once it has: text of
    /// a stranger too.
    pub protocol_version: Option<String>,
    /// The protocols it says it speaks; empty until it has.
    pub protocols: Vec<StreamProtocol>,
    /// The addresses it says it listens on.
    pub listen_addresses: Vec<Multiaddr>,
    /// The latest round trip, once measured.
    pub rtt: Option<Duration>,
}

/// Why a peer is connected no more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// Either side ended the connection in order.
    Closed,
    /// No stream had been open for the idle time.
    Idle,
    /// The peer vanished without a word.
    Vanished,
    /// The connection failed.
    Failed(String),
}

impl DisconnectReason {
    pub(super) fn of(cause: Option<&ConnectionError>) -> Self {
        match cause {
            None => Self::Closed,
            Some(ConnectionError::KeepAliveTimeout) => Self::Idle,
            Some(ConnectionError::IO(error)) => Self::of_io(error),
        }
    }

    fn of_io(error: &io::Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => Self::Vanished,
            // QUIC's errors come as text.
            _ if text.contains("timed out") => Self::Vanished,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::Closed,
            _ if text.contains("closed") => Self::Closed,
            _ => Self::Failed(text),
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Idle => f.write_str("idle"),
            Self::Vanished => f.write_str("the peer does not answer any more"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}
