//! The ways of finding peers by name, and what each of them finds.

use std::fmt;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::SignedPeerRecord;

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

impl WayName {
    /// The name as it is shown and written: a lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Kademlia => "kademlia",
            Self::Mainline => "mainline",
            Self::Tracker => "tracker",
            Self::Dns => "dns",
            Self::Static => "static",
        }
    }
}

impl fmt::Display for WayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    /// [`MAX_ADDRESSES_PER_PEER`](crate::limits::MAX_ADDRESSES_PER_PEER).
    pub addresses: Vec<Multiaddr>,
    /// The peer's own word for it.
    pub record: Option<SignedPeerRecord>,
}
