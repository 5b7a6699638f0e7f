//! The protobuf form of a bitswap message, as the specification has it, and a
//! check of its size that runs before anything is allocated for it.

use bytes::Bytes;
use prost::Message as _;

use super::error::DecodeError;
use crate::limits::{MAX_BITSWAP_MESSAGE_BYTES, MAX_BITSWAP_MESSAGE_ENTRIES};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    #[prost(message, optional, tag = "1")]
    pub(super) wantlist: Option<Wantlist>,
    /// Blocks as bitswap 1.0.0 sends them: bytes without a prefix.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) blocks: Vec<Bytes>,
    #[prost(message, repeated, tag = "3")]
    pub(super) payload: Vec<Block>,
    #[prost(message, repeated, tag = "4")]
    pub(super) block_presences: Vec<BlockPresence>,
    #[prost(int32, tag = "5")]
    pub(super) pending_bytes: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Wantlist {
    #[prost(message, repeated, tag = "1")]
    pub(super) entries: Vec<Entry>,
    #[prost(bool, tag = "2")]
    pub(super) full: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) cid: Bytes,
    #[prost(int32, tag = "2")]
    pub(super) priority: i32,
    #[prost(bool, tag = "3")]
    pub(super) cancel: bool,
    #[prost(enumeration = "WantType", tag = "4")]
    pub(super) want_type: i32,
    #[prost(bool, tag = "5")]
    pub(super) send_dont_have: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum WantType {
    Block = 0,
    Have = 1,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Block {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) prefix: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) data: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BlockPresence {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) cid: Bytes,
    #[prost(enumeration = "Presence", tag = "2")]
    pub(super) presence: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Presence {
    Have = 0,
    DontHave = 1,
}

/// Reads a message whose size and number of entries are within the limits.
pub(super) fn decode(frame: Bytes) -> Result<Message, DecodeError> {
    if frame.len() > MAX_BITSWAP_MESSAGE_BYTES {
        return Err(DecodeError::TooLong { bytes: frame.len() as u64 });
    }
    let mut entries = 0;
    count_entries(&frame, true, &mut entries)?;
    Ok(Message::decode(frame)?)
}

/// Counts the fields that a decoder would make room for, one by one, because a
/// few bytes on the wire can stand for a hundred in memory.
fn count_entries(
    mut bytes: &[u8],
    top_level: bool,
    entries: &mut usize,
) -> Result<(), DecodeError> {
    const WANTLIST: u64 = 1;
    while !bytes.is_empty() {
        *entries += 1;
        if *entries > MAX_BITSWAP_MESSAGE_ENTRIES {
            return Err(DecodeError::TooManyEntries);
        }
        let key = take_varint(&mut bytes)?;
        let field = take_value(&mut bytes, key & 7)?;
        if top_level && key >> 3 == WANTLIST {
            count_entries(field, false, entries)?;
        }
    }
    Ok(())
}

/// Takes a protobuf varint, which unlike a multiformats one need not be in its
/// shortest form.
fn take_varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(DecodeError::Truncated)
}

/// Takes one value off the front; what a length-delimited one holds is returned.
fn take_value<'a>(bytes: &mut &'a [u8], wire_type: u64) -> Result<&'a [u8], DecodeError> {
    let length = match wire_type {
        0 => {
            take_varint(bytes)?;
            0
        }
        1 => 8,
        2 => usize::try_from(take_varint(bytes)?).map_err(|_| DecodeError::Truncated)?,
        5 => 4,
        _ => return Err(DecodeError::Group),
    };
    if length > bytes.len() {
        return Err(DecodeError::Truncated);
    }
    let (value, rest) = bytes.split_at(length);
    *bytes = rest;
    Ok(value)
}
