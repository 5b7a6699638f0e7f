//! The messages, and their bytes.

use std::fmt;
use std::marker::PhantomData;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::discovery::registry::Listing;
use crate::discovery::{LegacyPeerRecord, SignedPeerRecord};
use crate::limits::{
    MAX_TRACKER_ANSWER_BYTES, MAX_TRACKER_MESSAGE_DEPTH, MAX_TRACKER_MESSAGE_TEXTS,
    MAX_TRACKER_RESULTS,
};

/// A message, either way.
///
/// ```
/// use peerage_core::discovery::tracker::Message;
///
/// let query = Message::QueryClientAnnouncement(vec!["12D3KooW…".to_owned()]);
/// assert_eq!(Message::decode(&query.encode())?, query);
/// # Ok::<(), peerage_core::discovery::tracker::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Message {
    /// Where the sender is.
    ClientAnnouncement {
        /// Who it is: its peer id in base58.
        peer_id: String,
        /// Where it is: multiaddresses as text.
        #[serde(deserialize_with = "at_most::<_, _, MAX_TRACKER_MESSAGE_TEXTS>")]
        addresses: Vec<String>,
        /// Its [`SignedPeerRecord`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<ByteBuf>,
        /// The same as a [`LegacyPeerRecord`], for rust-libp2p's rendezvous.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        legacy_record: Option<ByteBuf>,
        /// What it wants to be found under: keys as text.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[serde(deserialize_with = "at_most::<_, _, MAX_TRACKER_MESSAGE_TEXTS>")]
        keys: Vec<String>,
        /// For how many seconds; an hour if it does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl: Option<u64>,
    },
    /// It is kept, for as long as was asked.
    ClientAnnouncementOk,
    /// Where are these peers?
    QueryClientAnnouncement(
        #[serde(deserialize_with = "at_most::<_, _, MAX_TRACKER_MESSAGE_TEXTS>")] Vec<String>,
    ),
    /// Those that are known.
    QueryClientAnnouncementResponse(
        #[serde(deserialize_with = "at_most::<_, _, MAX_TRACKER_RESULTS>")] Vec<PeerAddresses>,
    ),
    /// The request is refused.
    Error(ErrorKind),
    /// Who is kept under a key?
    FindKey {
        /// The key as text.
        key: String,
        /// How many peers at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
        /// From an earlier answer, to go on from there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cookie: Option<u64>,
    },
    /// Peers under that key.
    FindKeyResponse {
        /// The peers.
        #[serde(deserialize_with = "at_most::<_, _, MAX_TRACKER_RESULTS>")]
        peers: Vec<PeerAddresses>,
        /// To go on from here.
        cookie: u64,
    },
    /// Forget the sender.
    Withdraw,
    /// It is forgotten.
    WithdrawOk,
    /// The request is refused, with a sentence for people.
    Refused(String),
}

/// Why a request is refused, as Spacedrive's tracker said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The sender is not the peer that it announces.
    InvalidAuthErr,
    /// The request breaks a rule.
    InvalidReqErr,
    /// The tracker cannot do it now.
    InternalServerErr,
}

/// A peer in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddresses {
    /// Who it is: its peer id in base58.
    pub peer_id: String,
    /// Where it is: multiaddresses as text.
    #[serde(deserialize_with = "at_most::<_, _, MAX_TRACKER_MESSAGE_TEXTS>")]
    pub addresses: Vec<String>,
    /// Its own word for it: a [`SignedPeerRecord`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<ByteBuf>,
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Over [`MAX_TRACKER_ANSWER_BYTES`].
    #[error("a message of {0} bytes is over the limit of {MAX_TRACKER_ANSWER_BYTES}")]
    TooLarge(usize),
    /// Not `MessagePack`, or no message of this protocol.
    #[error("it is no message of a tracker: {0}")]
    Malformed(String),
}

impl Message {
    /// The announcement of a record under keys for so many seconds.
    #[must_use]
    pub fn announcement(
        record: &SignedPeerRecord,
        legacy: Option<&LegacyPeerRecord>,
        keys: Vec<String>,
        ttl: u64,
    ) -> Self {
        Self::ClientAnnouncement {
            peer_id: record.peer().to_base58(),
            addresses: texts(record.addresses()),
            record: Some(ByteBuf::from(record.encode())),
            legacy_record: legacy.map(|record| ByteBuf::from(record.encode())),
            keys,
            ttl: Some(ttl),
        }
    }

    /// The bytes, without their length before them.
    ///
    /// # Panics
    ///
    /// Never: every message can be written.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("a message holds nothing that cannot be written")
    }

    /// Reads what [`encode`](Self::encode) writes, and what other writers of
    /// `MessagePack` make of the same.
    ///
    /// # Errors
    ///
    /// When it is too large, or no such message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_TRACKER_ANSWER_BYTES {
            return Err(DecodeError::TooLarge(bytes.len()));
        }
        let mut reader = rmp_serde::Deserializer::new(std::io::Cursor::new(bytes));
        reader.set_max_depth(MAX_TRACKER_MESSAGE_DEPTH);
        let malformed = |error: rmp_serde::decode::Error| DecodeError::Malformed(error.to_string());
        let message = Self::deserialize(&mut reader).map_err(malformed)?;
        if reader.position() != bytes.len() as u64 {
            return Err(DecodeError::Malformed("something follows it".to_owned()));
        }
        Ok(message)
    }
}

impl PeerAddresses {
    /// A peer of the registry.
    #[must_use]
    pub fn of(listing: &Listing) -> Self {
        Self {
            peer_id: listing.peer.to_base58(),
            addresses: texts(&listing.addresses),
            record: listing.record.as_ref().map(|record| ByteBuf::from(record.encode())),
        }
    }

    /// The peer, if it is one.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        crate::identity::parse_peer_id(&self.peer_id).ok()
    }
}

/// Reads a list, and refuses the first item too many: an item of one byte on
/// the wire can take a hundred in memory.
fn at_most<'de, D, T, const MAX: usize>(reader: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                if list.len() == MAX {
                    return Err(A::Error::invalid_length(MAX + 1, &self));
                }
                list.push(item);
            }
            Ok(list)
        }
    }

    reader.deserialize_seq(List::<T, MAX>(PhantomData))
}

fn texts(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
