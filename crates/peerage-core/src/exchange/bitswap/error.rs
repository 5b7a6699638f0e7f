//! Why bytes are no bitswap message.

use super::prefix::PrefixError;
use crate::{
    advice::Advice,
    limits::{MAX_BITSWAP_MESSAGE_BYTES, MAX_BITSWAP_MESSAGE_ENTRIES},
};

/// Why bytes were not read as a bitswap message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message is over [`MAX_BITSWAP_MESSAGE_BYTES`].
    #[error("a bitswap message of {bytes} bytes is over the limit of {MAX_BITSWAP_MESSAGE_BYTES}")]
    TooLong {
        /// The length that the message has or claims.
        bytes: u64,
    },
    /// The message has more than [`MAX_BITSWAP_MESSAGE_ENTRIES`] entries.
    #[error("a bitswap message has more than {MAX_BITSWAP_MESSAGE_ENTRIES} entries")]
    TooManyEntries,
    /// The message ends within a field.
    #[error("a bitswap message ends within a field")]
    Truncated,
    /// The message has a protobuf group, which bitswap never had.
    #[error("a bitswap message has a field of an unknown form")]
    Group,
    /// The bytes are not the protobuf message that bitswap specifies.
    #[error("what came is not a bitswap message ({0})")]
    Protobuf(#[from] prost::DecodeError),
    /// A want or a presence is of something that is not a CID.
    #[error("a bitswap message names a block by something that is not a CID ({0})")]
    Cid(#[from] cid::Error),
    /// A block's prefix is wrong.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
}

impl Advice for DecodeError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLong { .. }
            | Self::TooManyEntries
            | Self::Truncated
            | Self::Group
            | Self::Protobuf(_)
            | Self::Cid(_) => Some("ask another peer"),
            Self::Prefix(error) => error.hint(),
        }
    }
}
