//! Bitswap messages: what is wanted, what is sent, what is there.

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use super::{
    error::DecodeError,
    prefix::{Prefix, PrefixError},
    wire,
};
use crate::data::{Block, Cid};

/// The versions of bitswap, in the order in which they are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Knows `HAVE` and `DONT_HAVE`.
    V1_2,
    /// Sends blocks with the prefix of their CID.
    V1_1,
    /// Sends blocks as bare bytes, with CIDs of version 0 in mind.
    V1_0,
}

impl Version {
    /// All versions, the preferred one first.
    pub const ALL: [Self; 3] = [Self::V1_2, Self::V1_1, Self::V1_0];

    /// The version's protocol name in multistream-select.
    #[must_use]
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::V1_2 => "/ipfs/bitswap/1.2.0",
            Self::V1_1 => "/ipfs/bitswap/1.1.0",
            Self::V1_0 => "/ipfs/bitswap/1.0.0",
        }
    }
}

/// What somebody wants of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Want {
    /// The block itself.
    #[default]
    Block,
    /// Only to know whether the peer has it.
    Have,
}

/// One line of a want-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The block that is wanted.
    pub cid: Cid,
    /// Entries with a higher priority are to be answered first.
    pub priority: i32,
    /// Takes an earlier entry back.
    pub cancel: bool,
    /// The block, or only word of it.
    pub want: Want,
    /// Whether the peer should say so if it does not have the block.
    pub send_dont_have: bool,
}

impl Entry {
    /// Asks for a block, and for word if the peer does not have it.
    #[must_use]
    pub const fn block(cid: Cid, priority: i32) -> Self {
        Self { cid, priority, cancel: false, want: Want::Block, send_dont_have: true }
    }

    /// Takes back an earlier entry.
    #[must_use]
    pub const fn cancel(cid: Cid) -> Self {
        Self { cid, priority: 0, cancel: true, want: Want::Block, send_dont_have: false }
    }
}

/// The wants of a message: changes to what was said before, or all there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wantlist {
    /// The lines.
    pub entries: Vec<Entry>,
    /// Whether the lines replace all earlier ones.
    pub full: bool,
}

/// A block on its way, not hashed yet: its CID is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// How the sender says that the block is to be named.
    pub prefix: Prefix,
    /// The block's bytes.
    pub data: Bytes,
}

impl Payload {
    /// Hashes the bytes and so finds out which block it is.
    ///
    /// # Errors
    ///
    /// See [`Prefix::block`].
    pub fn into_block(self) -> Result<Block, PrefixError> {
        self.prefix.block(self.data)
    }
}

/// Whether a peer has a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The block.
    pub cid: Cid,
    /// `HAVE` or `DONT_HAVE`.
    pub have: bool,
}

/// Everything that one bitswap message says.
///
/// ```
/// use bytes::Bytes;
/// use peerage_core::{
///     data::{HashKind, codec, hash},
///     exchange::bitswap::{Entry, Message, Version},
/// };
///
/// let wanted = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
/// let message = Message::wants(vec![Entry::block(wanted, 1)]);
/// let bytes = message.encode(Version::V1_2);
/// assert_eq!(Message::decode(bytes)?, message);
/// # Ok::<(), peerage_core::exchange::bitswap::DecodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What the sender wants.
    pub wantlist: Wantlist,
    /// The blocks that it sends.
    pub blocks: Vec<Payload>,
    /// Which blocks it has or does not have.
    pub presences: Vec<Presence>,
    /// How many bytes it still means to send; a hint.
    pub pending_bytes: i32,
}

impl Message {
    /// A message that only changes what is wanted.
    #[must_use]
    pub fn wants(entries: Vec<Entry>) -> Self {
        Self { wantlist: Wantlist { entries, full: false }, ..Self::default() }
    }

    /// Whether the message says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wantlist == Wantlist::default()
            && self.blocks.is_empty()
            && self.presences.is_empty()
            && self.pending_bytes == 0
    }

    /// Reads a message without its length prefix, of any version of bitswap.
    ///
    /// Blocks share `frame`'s memory where they are the larger part of it, and
    /// are copied otherwise, so that a small block does not keep a large frame.
    ///
    /// # Errors
    ///
    /// When the message is over the limits of [`crate::limits`], is not one of
    /// bitswap, or names something that is not a CID.
    pub fn decode(frame: Bytes) -> Result<Self, DecodeError> {
        let frame_bytes = frame.len();
        let message = wire::decode(frame)?;
        let wantlist = match message.wantlist {
            Some(wantlist) => decode_wantlist(wantlist)?,
            None => Wantlist::default(),
        };
        let unnamed = message.blocks.into_iter().map(|data| Ok((Prefix::V0, data)));
        let named =
            message.payload.into_iter().map(|b| Ok((Prefix::from_bytes(&b.prefix)?, b.data)));
        let blocks = unnamed
            .chain(named)
            .map(|block: Result<_, DecodeError>| {
                let (prefix, data) = block?;
                Ok(Payload { prefix, data: detach(data, frame_bytes) })
            })
            .collect::<Result<_, DecodeError>>()?;
        let presences =
            message.block_presences.iter().map(decode_presence).collect::<Result<_, _>>()?;
        Ok(Self { wantlist, blocks, presences, pending_bytes: message.pending_bytes })
    }

    /// Writes the message without its length prefix, as a peer of `version`
    /// reads it. Versions before 1.2 have no presences: they are left out, and
    /// so are wants of mere word, which such a peer would take for wants of
    /// blocks.
    #[must_use]
    pub fn encode(&self, version: Version) -> Bytes {
        self.to_wire(version).encode_to_vec().into()
    }

    /// Writes the message with the length prefix that it has on a stream.
    ///
    /// ```
    /// use peerage_core::exchange::bitswap::{Message, Version};
    ///
    /// assert_eq!(&Message::default().encode_framed(Version::V1_2)[..], [0]);
    /// ```
    #[must_use]
    pub fn encode_framed(&self, version: Version) -> Bytes {
        let message = self.to_wire(version);
        let length = message.encoded_len();
        let mut prefix = unsigned_varint::encode::usize_buffer();
        let prefix = unsigned_varint::encode::usize(length, &mut prefix);
        let mut frame = BytesMut::with_capacity(prefix.len() + length);
        frame.extend_from_slice(prefix);
        message.encode(&mut frame).expect("the buffer was made for the message's length");
        frame.freeze()
    }

    fn to_wire(&self, version: Version) -> wire::Message {
        let knows_presence = version == Version::V1_2;
        let entries = self.wantlist.entries.iter();
        let entries: Vec<_> = entries
            .filter(|entry| knows_presence || entry.want == Want::Block)
            .map(encode_entry)
            .collect();
        let full = self.wantlist.full;
        let (blocks, payload) = match version {
            Version::V1_0 => (self.blocks.iter().map(|b| b.data.clone()).collect(), Vec::new()),
            _ => (Vec::new(), self.blocks.iter().map(encode_payload).collect()),
        };
        let presences = self.presences.iter().filter(|_| knows_presence);
        wire::Message {
            wantlist: (full || !entries.is_empty()).then_some(wire::Wantlist { entries, full }),
            blocks,
            payload,
            block_presences: presences.map(encode_presence).collect(),
            pending_bytes: self.pending_bytes,
        }
    }
}

fn detach(data: Bytes, frame_bytes: usize) -> Bytes {
    if data.len() < frame_bytes / 2 { Bytes::copy_from_slice(&data) } else { data }
}

fn decode_wantlist(wantlist: wire::Wantlist) -> Result<Wantlist, DecodeError> {
    let entries = wantlist.entries.iter().map(decode_entry).collect::<Result<_, _>>()?;
    Ok(Wantlist { entries, full: wantlist.full })
}

fn decode_entry(entry: &wire::Entry) -> Result<Entry, DecodeError> {
    Ok(Entry {
        cid: decode_cid(&entry.cid)?,
        priority: entry.priority,
        cancel: entry.cancel,
        want: match entry.want_type() {
            wire::WantType::Block => Want::Block,
            wire::WantType::Have => Want::Have,
        },
        send_dont_have: entry.send_dont_have,
    })
}

fn decode_presence(presence: &wire::BlockPresence) -> Result<Presence, DecodeError> {
    let have = presence.presence() == wire::Presence::Have;
    Ok(Presence { cid: decode_cid(&presence.cid)?, have })
}

/// Reads a CID that has to fill its field.
fn decode_cid(bytes: &[u8]) -> Result<Cid, cid::Error> {
    let cid = Cid::try_from(bytes)?;
    if cid.encoded_len() == bytes.len() { Ok(cid) } else { Err(cid::Error::ParsingError) }
}

fn encode_entry(entry: &Entry) -> wire::Entry {
    let want_type = match entry.want {
        Want::Block => wire::WantType::Block,
        Want::Have => wire::WantType::Have,
    };
    wire::Entry {
        cid: entry.cid.to_bytes().into(),
        priority: entry.priority,
        cancel: entry.cancel,
        want_type: want_type.into(),
        send_dont_have: entry.send_dont_have,
    }
}

fn encode_payload(block: &Payload) -> wire::Block {
    wire::Block { prefix: block.prefix.to_bytes(), data: block.data.clone() }
}

fn encode_presence(presence: &Presence) -> wire::BlockPresence {
    let kind = if presence.have { wire::Presence::Have } else { wire::Presence::DontHave };
    wire::BlockPresence { cid: presence.cid.to_bytes().into(), presence: kind.into() }
}

#[cfg(test)]
mod tests;
