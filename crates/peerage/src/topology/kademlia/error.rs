//! What can go wrong with Kademlia.

use std::time::Duration;

use peerage_core::Advice;

/// Why something was not done in the network of Kademlia, or not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KademliaError {
    /// A node puts its own record alone.
    #[error("this is the record of another peer")]
    OtherPeer,
    /// Nobody answered.
    #[error("no peer of the Kademlia network answers")]
    Nobody,
    /// Those who were asked did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// As many look-ups run as may.
    #[error("too many look-ups are running")]
    Busy,
    /// This node says as much of itself as it may.
    #[error("this node announces as much as it may: {0}")]
    Full(String),
    /// The node has ended.
    #[error("the node has stopped")]
    Stopped,
}

impl Advice for KademliaError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OtherPeer | Self::Full(_) | Self::Stopped => None,
            Self::Nobody => Some("name a boot node"),
            Self::TimedOut(_) | Self::Busy => Some("try again"),
        }
    }
}
