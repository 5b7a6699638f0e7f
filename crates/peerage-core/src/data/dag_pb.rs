//! The dag-pb codec: nodes of named links and bytes.
//!
//! Strict, as the [dag-pb specification](https://ipld.io/specs/codecs/dag-pb/spec/)
//! asks: only its fields, in its order, each once. Names are kept as bytes,
//! since file names need not be UTF-8: what the system calls a file is what
//! the link is called, byte for byte.

use bytes::{BufMut as _, Bytes, BytesMut};
use unsigned_varint::encode;

use super::Cid;
use crate::{
    advice::Advice,
    limits::{MAX_BLOCK_BYTES, MAX_NODE_LINKS},
    varint,
};

/// A decoded dag-pb node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The links, in the order of the block.
    pub links: Vec<Link>,
    /// The data field: for UnixFS, a protocol-buffer message.
    pub data: Bytes,
}

/// A link of a dag-pb node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What is linked to.
    pub cid: Cid,
    /// The link's name; empty for the chunks of files. Not always UTF-8.
    pub name: Bytes,
    /// The size in bytes of all blocks below the link, as the node's author
    /// has it (`Tsize`). Not to be relied on.
    pub total_size: u64,
}

/// Why a block is not a dag-pb node.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DagPbError {
    /// The block ends inside a field, or a length points past its end.
    #[error("the dag-pb block is cut short")]
    Truncated,
    /// A field that dag-pb does not have, in a place or a form it must not have.
    #[error("the dag-pb block has an unexpected field (tag {tag:#x})")]
    UnexpectedField {
        /// The protocol-buffer tag that was met.
        tag: u64,
    },
    /// A number that is not a shortest-form 64-bit varint.
    #[error("the dag-pb block has a malformed number")]
    MalformedNumber,
    /// A link without a CID, or with bytes that are none.
    #[error("a link of the dag-pb block has no readable CID")]
    MalformedCid,
    /// More links than [`MAX_NODE_LINKS`].
    #[error("the dag-pb block has more than {MAX_NODE_LINKS} links")]
    TooManyLinks,
    /// The block is over [`MAX_BLOCK_BYTES`].
    #[error("the dag-pb block is over {MAX_BLOCK_BYTES} bytes")]
    TooLarge,
}

impl Advice for DagPbError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Truncated => Some("fetch it again from another peer"),
            Self::UnexpectedField { .. } | Self::MalformedNumber | Self::MalformedCid => {
                Some("ask whoever made it to make it again")
            }
            Self::TooManyLinks => Some("ask its author to shard it"),
            Self::TooLarge => Some("ask its author for smaller blocks"),
        }
    }
}

const TAG_DATA: u64 = 0x0a;
const TAG_LINKS: u64 = 0x12;
const TAG_HASH: u64 = 0x0a;
const TAG_NAME: u64 = 0x12;
const TAG_TOTAL_SIZE: u64 = 0x18;

impl Node {
    /// Decodes a block. Names and data are ranges of `block`, not copies.
    ///
    /// # Errors
    ///
    /// When the block breaks the rules of dag-pb or a limit.
    pub fn decode(block: &Bytes) -> Result<Self, DagPbError> {
        if block.len() > MAX_BLOCK_BYTES {
            return Err(DagPbError::TooLarge);
        }
        let mut node = Self::default();
        let mut fields = Fields { whole: block, rest: block };
        // Links and data may come in either order, but not mixed.
        let (mut seen_data, mut links_closed) = (false, false);
        while let Some(tag) = fields.tag()? {
            match tag {
                TAG_LINKS if !links_closed => {
                    if node.links.len() == MAX_NODE_LINKS {
                        return Err(DagPbError::TooManyLinks);
                    }
                    node.links.push(Link::decode(block, fields.bytes()?)?);
                }
                TAG_DATA if !seen_data => {
                    node.data = fields.shared_bytes()?;
                    seen_data = true;
                    links_closed = !node.links.is_empty();
                }
                tag => return Err(DagPbError::UnexpectedField { tag }),
            }
        }
        Ok(node)
    }
}

impl Link {
    fn decode(whole: &Bytes, bytes: &[u8]) -> Result<Self, DagPbError> {
        let mut fields = Fields { whole, rest: bytes };
        let (mut cid, mut name, mut total_size) = (None, None, None);
        while let Some(tag) = fields.tag()? {
            match tag {
                TAG_HASH if cid.is_none() && name.is_none() && total_size.is_none() => {
                    cid = Some(read_cid(fields.bytes()?)?);
                }
                TAG_NAME if name.is_none() && total_size.is_none() => {
                    name = Some(fields.shared_bytes()?);
                }
                TAG_TOTAL_SIZE if total_size.is_none() => total_size = Some(fields.number()?),
                tag => return Err(DagPbError::UnexpectedField { tag }),
            }
        }
        Ok(Self {
            cid: cid.ok_or(DagPbError::MalformedCid)?,
            name: name.unwrap_or_default(),
            total_size: total_size.unwrap_or_default(),
        })
    }
}

/// Reads a CID that fills `bytes` to the end.
fn read_cid(mut bytes: &[u8]) -> Result<Cid, DagPbError> {
    match Cid::read_bytes(&mut bytes) {
        Ok(cid) if bytes.is_empty() => Ok(cid),
        _ => Err(DagPbError::MalformedCid),
    }
}

/// A cursor over the fields of a protocol-buffer message that is a part of a
/// shared buffer.
struct Fields<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn tag(&mut self) -> Result<Option<u64>, DagPbError> {
        if self.rest.is_empty() { Ok(None) } else { self.number().map(Some) }
    }

    fn number(&mut self) -> Result<u64, DagPbError> {
        let (number, rest) = varint::read(self.rest).map_err(|error| match error {
            varint::Error::Insufficient => DagPbError::Truncated,
            _ => DagPbError::MalformedNumber,
        })?;
        self.rest = rest;
        Ok(number)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DagPbError> {
        let length = usize::try_from(self.number()?).map_err(|_| DagPbError::Truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(DagPbError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn shared_bytes(&mut self) -> Result<Bytes, DagPbError> {
        let bytes = self.bytes()?;
        Ok(if bytes.is_empty() { Bytes::new() } else { self.whole.slice_ref(bytes) })
    }
}

/// Writes a dag-pb node: links first, in the order given, then data.
///
/// The caller gives links sorted by name bytes, as the specification asks
/// (links with empty names keep their order).
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    total_size: u64,
}

impl Writer {
    /// A writer that expects to write about `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(capacity), total_size: 0 }
    }

    /// Adds a link whose name is `prefix` followed by `name`.
    pub fn link(&mut self, cid: &Cid, prefix: &[u8], name: &[u8], total_size: u64) {
        let cid_length = cid.encoded_len();
        let name_length = prefix.len() + name.len();
        self.tag(TAG_LINKS);
        self.number(link_body_length(cid_length, name_length, total_size) as u64);
        self.tag(TAG_HASH);
        self.number(cid_length as u64);
        cid.write_bytes((&mut self.buffer).writer()).expect("a buffer in memory takes all bytes");
        self.tag(TAG_NAME);
        self.number(name_length as u64);
        self.buffer.extend_from_slice(prefix);
        self.buffer.extend_from_slice(name);
        self.tag(TAG_TOTAL_SIZE);
        self.number(total_size);
        self.total_size = self.total_size.saturating_add(total_size);
    }

    /// Adds the data and ends the node: its bytes, and the cumulative size in
    /// bytes of this block and all below it.
    #[must_use]
    pub fn finish(mut self, data: &[u8]) -> (Bytes, u64) {
        self.tag(TAG_DATA);
        self.number(data.len() as u64);
        self.buffer.extend_from_slice(data);
        let total_size = self.total_size.saturating_add(self.buffer.len() as u64);
        (self.buffer.freeze(), total_size)
    }

    fn tag(&mut self, tag: u64) {
        self.number(tag);
    }

    fn number(&mut self, number: u64) {
        let mut buffer = encode::u64_buffer();
        self.buffer.extend_from_slice(encode::u64(number, &mut buffer));
    }
}

/// The number of bytes that one link adds to a node.
#[must_use]
pub fn link_length(cid: &Cid, name_length: usize, total_size: u64) -> usize {
    field_length(link_body_length(cid.encoded_len(), name_length, total_size))
}

/// The number of bytes of a length-delimited field with a tag of one byte.
#[must_use]
pub const fn field_length(body_length: usize) -> usize {
    1 + varint_length(body_length as u64) + body_length
}

fn link_body_length(cid_length: usize, name_length: usize, total_size: u64) -> usize {
    field_length(cid_length) + field_length(name_length) + 1 + varint_length(total_size)
}

/// The number of bytes of a varint.
#[must_use]
pub const fn varint_length(number: u64) -> usize {
    ((70 - (number | 1).leading_zeros()) / 7) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{HashKind, codec, hash};

    fn link(name: &[u8], total_size: u64) -> Link {
        let cid = hash(codec::RAW, HashKind::Sha2_256, name);
        Link { cid, name: Bytes::copy_from_slice(name), total_size }
    }

    fn write(links: &[Link], data: &[u8]) -> (Bytes, u64) {
        let mut writer = Writer::default();
        for link in links {
            writer.link(&link.cid, &[], &link.name, link.total_size);
        }
        writer.finish(data)
    }

    #[test]
    fn data_may_come_first_but_not_between_links() {
        let (link_only, _) = write(&[link(b"a", 1)], b"");
        let link_field = &link_only[..link_only.len() - 2];
        let data_field = &[0x0a, 2, b'h', b'i'][..];
        let decode = |parts: &[&[u8]]| Node::decode(&Bytes::from(parts.concat()));
        let expected = Node { links: vec![link(b"a", 1)], data: Bytes::from_static(b"hi") };
        assert_eq!(decode(&[link_field, data_field]).as_ref(), Ok(&expected));
        assert_eq!(decode(&[data_field, link_field]), Ok(expected));
        let mixed = decode(&[link_field, data_field, link_field]);
        assert_eq!(mixed, Err(DagPbError::UnexpectedField { tag: TAG_LINKS }));
        let twice = decode(&[data_field, data_field]);
        assert_eq!(twice, Err(DagPbError::UnexpectedField { tag: TAG_DATA }));
    }

    #[test]
    fn malformed_blocks_are_refused_with_the_reason() {
        for (block, expected) in [
            (&[0x0a][..], DagPbError::Truncated),
            (&[0x0a, 5, 1], DagPbError::Truncated),
            (
                &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                DagPbError::Truncated,
            ),
            (
                &[0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2],
                DagPbError::MalformedNumber,
            ),
            (&[0x0a, 0x80, 0x00], DagPbError::MalformedNumber),
            (&[0x1a, 0], DagPbError::UnexpectedField { tag: 0x1a }),
            (&[0x12, 0], DagPbError::MalformedCid),
            (&[0x12, 3, 0x0a, 1, 1], DagPbError::MalformedCid),
            (&[0x12, 2, 0x18, 1], DagPbError::MalformedCid),
        ] {
            assert_eq!(Node::decode(&Bytes::copy_from_slice(block)), Err(expected), "{block:?}");
        }
    }

    #[test]
    fn too_many_links_are_refused_on_either_side_of_the_limit() {
        // The shortest CID: version 1, raw, the identity of nothing.
        let one = [0x12, 6, 0x0a, 4, 1, 0x55, 0, 0];
        let links = |count: usize| Bytes::from(one.repeat(count));
        assert_eq!(Node::decode(&links(MAX_NODE_LINKS)).unwrap().links.len(), MAX_NODE_LINKS);
        assert_eq!(Node::decode(&links(MAX_NODE_LINKS + 1)), Err(DagPbError::TooManyLinks));
        let large = Bytes::from(vec![0; MAX_BLOCK_BYTES + 1]);
        assert_eq!(Node::decode(&large), Err(DagPbError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_as_long_as_was_said(
            links in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..200), any::<u64>()), 0..20),
            data in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let links: Vec<_> = links.iter().map(|(name, size)| link(name, *size)).collect();
            let (block, _) = write(&links, &data);
            let length: usize = links
                .iter()
                .map(|link| link_length(&link.cid, link.name.len(), link.total_size))
                .sum();
            prop_assert_eq!(block.len(), length + field_length(data.len()));
            prop_assert_eq!(Node::decode(&block), Ok(Node { links, data: data.into() }));
        }

        #[test]
        fn never_panics(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Node::decode(&block.into());
        }
    }
}
