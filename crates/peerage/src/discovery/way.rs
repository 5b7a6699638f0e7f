//! One way of finding peers: what all of them have in common.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use libp2p::{Multiaddr, PeerId};
use peerage_core::discovery::{Key, SignedPeerRecord};

/// Which way found or announced something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WayName {
    /// DNS-SD over multicast DNS, on the local network.
    Lan,
    /// Kademlia, as libp2p speaks it.
    Kademlia,
    /// `BitTorrent`'s Mainline DHT.
    Mainline,
    /// Trackers: hubs that keep who is where.
    Tracker,
    /// The zone of a hub in the DNS.
    Dns,
    /// A list that somebody wrote.
    Static,
}

impl fmt::Display for WayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lan => "lan",
            Self::Kademlia => "kademlia",
            Self::Mainline => "mainline",
            Self::Tracker => "tracker",
            Self::Dns => "dns",
            Self::Static => "static",
        })
    }
}

/// What a way has found: a peer, and where it may be.
///
/// Nothing is taken on trust: with a signed record the addresses are the
/// peer's own, without one they are somebody's hint; and either way a
/// connection proves who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The peer.
    pub peer: PeerId,
    /// Addresses without the peer at their end; bounded by
    /// `MAX_ADDRESSES_PER_PEER`.
    pub addresses: Vec<Multiaddr>,
    /// The peer's own word for it.
    pub record: Option<SignedPeerRecord>,
}

/// What this node says of itself.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Where it is; signed by itself.
    pub record: SignedPeerRecord,
    /// What it can be found under besides its peer id: content and topics.
    pub keys: Vec<Key>,
}

/// Why a way could not announce or look up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WayError {
    /// This way does not know such keys.
    #[error("this way does not look for that")]
    Unsupported,
    /// Nobody to ask is reachable.
    #[error("nobody to ask: {0}")]
    Unavailable(String),
    /// Those who were asked did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer broke the rules.
    #[error("a wrong answer: {0}")]
    Malformed(String),
}

/// One way of finding peers. Cheap to share; all run side by side.
pub trait Way: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> WayName;

    /// Says where this node is, under its peer id and its keys. Answers how
    /// long that holds; it is said again before.
    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>>;

    /// Takes back what was announced, as far as this way can.
    fn withdraw(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Looks a key up: findings as they come, and the end when there is no
    /// more to find. The stream ends by itself within a bounded time.
    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>>;

    /// Findings for a key from now on, for as long as the stream is held;
    /// `None` where the way can only be asked again.
    fn watch<'a>(&'a self, _key: &Key) -> Option<BoxStream<'a, Finding>> {
        None
    }
}
