//! What can go wrong with a node, and what to do about it.

use std::fmt;
use std::io;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId, StreamProtocol};

use peerage_core::Advice;

use crate::routing::{BindError, TransportError};

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The node's keys or transports could not be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No socket for connections that roam.
    #[error(transparent)]
    Roaming(#[from] BindError),
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address that was asked for.
        address: Multiaddr,
        /// What the system said.
        reason: String,
    },
    /// The system did not confirm in time that it listens.
    #[error("the system did not begin to listen within {0:?}")]
    ListenTimeout(Duration),
    /// The name of the software, or of its family of protocols, is too long or
    /// holds control characters.
    #[error("the agent string or the protocol version is empty, too long or not printable")]
    Agent,
    /// Nothing is left to secure or multiplex connections with.
    #[error("at least one security protocol and one multiplexer are needed")]
    NothingOffered,
}

impl Advice for SpawnError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Transport(error) => error.hint(),
            Self::Roaming(error) => error.hint(),
            Self::Listen { .. } => Some("choose another address, or port 0 for any"),
            Self::ListenTimeout(_) => Some("try again"),
            Self::Agent => Some("give a short name/version"),
            Self::NothingOffered => Some("offer one of each"),
        }
    }
}

/// Why one address did not lead to the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressFailure {
    /// The address that was tried.
    pub address: Multiaddr,
    /// What happened there.
    pub reason: String,
}

impl fmt::Display for AddressFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.reason)
    }
}

/// Why a peer could not be connected.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer is this node.
    #[error("{0} is this node itself")]
    OwnPeer(PeerId),
    /// Nobody knows where the peer is.
    #[error("no address of {0} is known")]
    NoAddresses(PeerId),
    /// Another peer answered at the address.
    #[error("{address} is {proven}, not {expected}")]
    WrongPeer {
        /// The peer that was dialled.
        expected: PeerId,
        /// The peer that proved to be there.
        proven: PeerId,
        /// Where it was.
        address: Multiaddr,
    },
    /// Every address was tried in vain.
    #[error("{peer} could not be reached: {}", Reasons(failures))]
    Unreachable {
        /// The peer that was dialled.
        peer: PeerId,
        /// Each address with its reason.
        failures: Vec<AddressFailure>,
    },
    /// No address answered in time.
    #[error("{peer} did not answer within {after:?}")]
    TimedOut {
        /// The peer that was dialled.
        peer: PeerId,
        /// How long it was waited for.
        after: Duration,
    },
    /// The node has too much on its hands.
    #[error("too many peers are being dialled at once")]
    Busy,
    /// The node was shut down.
    #[error("the node has been shut down")]
    Stopped,
}

impl Advice for ConnectError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OwnPeer(_) => Some("give another peer"),
            Self::NoAddresses(_) => Some("give one, or a link that holds one"),
            Self::WrongPeer { .. } => Some("ask for the peer's present address"),
            Self::Unreachable { .. } => {
                Some("check that it runs, and that the address is still right")
            }
            Self::TimedOut { .. } => Some("check that it runs, and can be reached from here"),
            Self::Busy => Some("try again in a moment"),
            Self::Stopped => Some("start another"),
        }
    }
}

struct Reasons<'a>(&'a [AddressFailure]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{failure}")?;
        }
        Ok(())
    }
}

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStreamError {
    /// The peer could not be connected.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The peer speaks none of the protocols.
    #[error("the peer does not speak {}", Names(.0))]
    Unsupported(Vec<StreamProtocol>),
    /// The connection carries as many streams as it may.
    #[error("too many streams are open to this peer")]
    TooManyStreams,
    /// The peer did not answer the request in time.
    #[error("the peer did not answer the request for a stream")]
    TimedOut,
    /// The connection ended meanwhile.
    #[error("the connection to the peer ended meanwhile")]
    ConnectionLost,
    /// The connection failed.
    #[error("the stream could not be opened: {0}")]
    Io(#[from] io::Error),
}

impl Advice for OpenStreamError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect(error) => error.hint(),
            Self::Unsupported(_) => Some("update the software there, or here"),
            Self::TooManyStreams => Some("close some"),
            Self::TimedOut | Self::ConnectionLost | Self::Io(_) => Some("try again"),
        }
    }
}

struct Names<'a>(&'a [StreamProtocol]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if index > 0 { " or " } else { "" })?;
        }
        Ok(())
    }
}

/// Why streams of a protocol cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Someone else in this process accepts them already.
    #[error("{0} is accepted elsewhere in this process")]
    Taken(StreamProtocol),
}

impl Advice for AcceptError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Taken(_) => Some("end that first"),
        }
    }
}

/// Why a peer could not be pinged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// No stream could be opened.
    #[error(transparent)]
    Open(#[from] OpenStreamError),
    /// The peer sent other bytes back than it was sent.
    #[error("the peer answered the ping with other bytes than it was sent")]
    WrongAnswer,
    /// The answer did not come in time.
    #[error("the peer did not answer the ping within {0:?}")]
    TimedOut(Duration),
    /// The connection failed meanwhile.
    #[error("the ping broke off: {0}")]
    Io(#[from] io::Error),
}

impl Advice for PingError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open(error) => error.hint(),
            Self::WrongAnswer => None,
            Self::TimedOut(_) | Self::Io(_) => Some("try again"),
        }
    }
}
