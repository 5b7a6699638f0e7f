//! Why a registry refuses, and what it counts.

use std::collections::BTreeMap;

use crate::advice::Advice;
use crate::limits::{
    MAX_REGISTRY_CIDS_PER_PEER, MAX_REGISTRY_PEERS_PER_NETWORK, MAX_REGISTRY_PRIVATE_HOSTS,
    MAX_REGISTRY_TOPICS_PER_PEER, REGISTRY_MAX_TTL_SECONDS, REGISTRY_MIN_TTL_SECONDS,
};

/// Why a registry refuses an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It speaks of another peer than the one that is connected.
    #[error("a peer can announce only itself")]
    NotYours,
    /// The registry has a newer record of the peer.
    #[error("a newer record is known")]
    Stale,
    /// The two forms of the record differ.
    #[error("the two forms of the record say different things")]
    Contradiction,
    /// The time is out of bounds.
    #[error(
        "a time of {REGISTRY_MIN_TTL_SECONDS} to {REGISTRY_MAX_TTL_SECONDS} seconds can be asked for"
    )]
    Ttl,
    /// Too many CIDs.
    #[error("a peer is kept under at most {MAX_REGISTRY_CIDS_PER_PEER} CIDs")]
    Cids,
    /// Too many topics.
    #[error("a peer is kept under at most {MAX_REGISTRY_TOPICS_PER_PEER} topics")]
    Topics,
    /// A public address is not where the announcer is seen.
    #[error("an address is not where you are seen")]
    ForeignAddress,
    /// An address ends with another peer.
    #[error("an address names another peer")]
    OtherPeer,
    /// A multicast, unspecified or reserved address.
    #[error("an address is nobody's")]
    Unroutable,
    /// Too many hosts with private addresses.
    #[error("at most {MAX_REGISTRY_PRIVATE_HOSTS} hosts with private addresses are kept")]
    PrivateHosts,
    /// No address is left that can be handed out.
    #[error("no address can be handed out")]
    NoAddress,
    /// Some address would be kept back, and only whole records can be handed out.
    #[error("an address cannot be vouched for, and a record is kept whole")]
    Unproven,
    /// The peer is not connected directly, so nobody knows where it is.
    #[error("you are not seen at an address of yours")]
    Unseen,
    /// The network has as many peers here as it may.
    #[error("{MAX_REGISTRY_PEERS_PER_NETWORK} peers of your network are here")]
    NetworkFull,
    /// The registry is full.
    #[error("the registry is full")]
    Full,
}

impl Advice for Refusal {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotYours => Some("announce only yourself"),
            Self::Stale => Some("sign one with a higher number"),
            Self::Contradiction => Some("sign both alike"),
            Self::Ttl => Some("ask for such a time"),
            Self::Cids | Self::Topics => Some("announce fewer"),
            Self::ForeignAddress => Some("leave out what is not yours"),
            Self::OtherPeer | Self::Unroutable => Some("leave it out"),
            Self::PrivateHosts => Some("leave some out"),
            Self::NoAddress => Some("announce one that you are seen at, or a relay's"),
            Self::Unproven => Some("leave that one out"),
            Self::Unseen => Some("announce over a direct connection"),
            Self::NetworkFull => Some("try again later"),
            Self::Full => Some("try again later, or another tracker"),
        }
    }
}

impl Refusal {
    /// A short name, for counters.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotYours => "not_yours",
            Self::Stale => "stale",
            Self::Contradiction => "contradiction",
            Self::Ttl => "ttl",
            Self::Cids => "cids",
            Self::Topics => "topics",
            Self::ForeignAddress => "foreign_address",
            Self::OtherPeer => "other_peer",
            Self::Unroutable => "unroutable",
            Self::PrivateHosts => "private_hosts",
            Self::NoAddress => "no_address",
            Self::Unproven => "unproven",
            Self::Unseen => "unseen",
            Self::NetworkFull => "network_full",
            Self::Full => "full",
        }
    }
}

/// What a registry has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Announcements and registrations that were accepted.
    pub accepted: u64,
    /// Those that were refused, by reason.
    pub refused: BTreeMap<Refusal, u64>,
    /// Registrations that ran out.
    pub expired: u64,
    /// Registrations that were taken back.
    pub withdrawn: u64,
    /// Questions.
    pub queries: u64,
    /// Peers that were handed out.
    pub handed_out: u64,
}
