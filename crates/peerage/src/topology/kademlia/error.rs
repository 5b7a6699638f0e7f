//! What can go wrong with Kademlia.

use std::time::Duration;

/// Why something was not done in the network of Kademlia, or not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KademliaError {
    /// A node puts its own record alone.
    #[error("this is the record of another peer")]
    OtherPeer,
    /// Nobody answered.
    #[error("no peer of the Kademlia network answers; name a boot node")]
    Nobody,
    /// Those who were asked did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// As many look-ups run as may.
    #[error("too many look-ups are running; try again")]
    Busy,
    /// This node says as much of itself as it may.
    #[error("this node announces as much as it may: {0}")]
    Full(String),
    /// The node has ended.
    #[error("the node has stopped")]
    Stopped,
}
