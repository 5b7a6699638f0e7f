//! What is looked for: a peer, whoever has content, whoever cares for a topic.

use std::fmt;
use std::str::FromStr;

use cid::Cid;
use libp2p_identity::PeerId;
use multiaddr::multihash::Multihash;
use sha2::{Digest as _, Sha256};

use crate::advice::Advice;
use crate::identity::parse_peer_id;
use crate::limits::MAX_TOPIC_BYTES;

/// SHA-256's code among multihashes, and the codec of raw bytes among CIDs.
const SHA2_256: u64 = 0x12;
const RAW: u64 = 0x55;

/// Sets the hash of a topic apart from that of a block of the same bytes.
const TOPIC_DOMAIN: &[u8] = b"peerage topic 1\0";

/// A topic that peers gather around: a name of 1 to [`MAX_TOPIC_BYTES`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(String);

impl Topic {
    /// A topic by its name.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or has control characters.
    pub fn new(name: impl Into<String>) -> Result<Self, KeyError> {
        let name = name.into();
        if name.is_empty() || name.len() > MAX_TOPIC_BYTES || name.chars().any(char::is_control) {
            return Err(KeyError::Topic);
        }
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is looked for, and what a peer can announce itself under.
///
/// ```
/// use peerage_core::discovery::Key;
///
/// let key: Key = "topic:lisbon street art".parse()?;
/// assert_eq!(key.to_string(), "topic:lisbon street art");
/// assert!(matches!("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?, Key::Peer(_)));
/// # Ok::<(), peerage_core::discovery::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A peer: where is it?
    Peer(PeerId),
    /// Content: who has it?
    Content(Cid),
    /// A topic: who cares for it?
    Topic(Topic),
}

/// Why a text names nothing that can be looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the name of a topic.
    #[error("a topic has 1 to {MAX_TOPIC_BYTES} bytes and no control characters")]
    Topic,
    /// None of the three kinds.
    #[error("this is no peer id, no CID, and no `topic:NAME`")]
    Unknown,
}

impl Advice for KeyError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Topic => Some("choose a shorter name without control characters"),
            Self::Unknown => Some("copy the id or CID whole, or write topic:NAME"),
        }
    }
}

impl Key {
    /// Where providers of this key are kept among peers that know only
    /// multihashes (Kademlia): content has a hash of its own, a peer id is one,
    /// and a topic is hashed.
    #[must_use]
    pub fn multihash(&self) -> Multihash<64> {
        match self {
            Self::Peer(peer) => *peer.as_ref(),
            Self::Content(cid) => *cid.hash(),
            Self::Topic(topic) => {
                let digest = Sha256::new()
                    .chain_update(TOPIC_DOMAIN)
                    .chain_update(topic.as_str())
                    .finalize();
                Multihash::wrap(SHA2_256, digest.as_slice()).expect("32 bytes fit in 64")
            }
        }
    }

    /// The same as a CID, for ways that know only those.
    #[must_use]
    pub fn to_cid(&self) -> Cid {
        match self {
            Self::Content(cid) => *cid,
            other => Cid::new_v1(RAW, other.multihash()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Content(cid) => cid.fmt(f),
            Self::Topic(topic) => write!(f, "topic:{}", topic.as_str()),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Some(name) = text.strip_prefix("topic:") {
            return Topic::new(name).map(Self::Topic);
        }
        if let Ok(peer) = parse_peer_id(text) {
            return Ok(Self::Peer(peer));
        }
        Cid::try_from(text).map(Self::Content).map_err(|_| KeyError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_not_the_block_of_its_name() {
        let key = Key::Topic(Topic::new("a").unwrap());
        let block = Multihash::<64>::wrap(SHA2_256, Sha256::digest(b"a").as_slice()).unwrap();
        assert_ne!(key.multihash(), block);
    }

    #[test]
    fn what_names_nothing_is_refused() {
        assert_eq!("lisbon".parse::<Key>(), Err(KeyError::Unknown));
        assert_eq!("topic:".parse::<Key>(), Err(KeyError::Topic));
        assert_eq!(Topic::new("x".repeat(MAX_TOPIC_BYTES + 1)), Err(KeyError::Topic));
    }
}
