//! How a file becomes a tree of blocks: balanced, filled from the left.

use bytes::{BufMut as _, Bytes, BytesMut};
use unsigned_varint::encode;

use super::{
    Block, Cid, Profile, dag_pb,
    unixfs::{Kind, Metadata, Node},
};

use crate::advice::Advice;

/// A finished file or folder: its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// The root's CID.
    pub cid: Cid,
    /// The size in bytes of all blocks together: the `Tsize` of a link to it.
    pub total_size: u64,
    /// The size in bytes of the file; 0 for a folder.
    pub file_bytes: u64,
}

/// One part of a file: a chunk, or a node over several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part's CID.
    pub cid: Cid,
    /// How many bytes of the file it holds.
    pub file_bytes: u64,
    /// The size in bytes of its block and all below it.
    pub total_size: u64,
}

/// Why a file's tree cannot be ended.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A file of one chunk keeps its metadata around its bytes.
    #[error("a file of one chunk with metadata is one block with its bytes inside")]
    OneChunkWithMetadata,
}

impl Advice for LayoutError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OneChunkWithMetadata => Some("make it with `inline`"),
        }
    }
}

/// Builds the balanced tree of a file from its leaves, in order.
///
/// Holds one open node a level: at most `max_links` parts for each power of
/// `max_links` in the number of leaves. Inner blocks are handed out as they
/// close. Mode and modification time go into the root alone, as the UnixFS
/// specification and Kubo have it.
///
/// ```
/// use bytes::Bytes;
/// use peerage_core::data::{Profile, layout::FileLayout, unixfs::Metadata};
///
/// let mut file = FileLayout::new(Profile::default());
/// let mut blocks = Vec::new();
/// for chunk in [vec![1; 1024 * 1024], vec![2; 10]] {
///     file.push_chunk(Bytes::from(chunk), &mut |block| blocks.push(block));
/// }
/// let built = file.finish(&Metadata::default(), &mut |block| blocks.push(block))?;
/// assert_eq!(built.file_bytes, 1024 * 1024 + 10);
/// assert_eq!(blocks.last().map(|root| *root.cid()), Some(built.cid));
/// # Ok::<(), peerage_core::data::layout::LayoutError>(())
/// ```
#[derive(Debug)]
pub struct FileLayout {
    profile: Profile,
    /// The open node of each level, leaves' parents first.
    levels: Vec<Vec<Part>>,
}

impl FileLayout {
    /// An empty file.
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self { profile, levels: Vec::new() }
    }

    /// Makes a leaf of the file's next chunk (`chunk_size` bytes, or fewer at
    /// its end) and hands its block out, then every inner block that closes.
    pub fn push_chunk(&mut self, chunk: Bytes, emit: &mut dyn FnMut(Block)) {
        let file_bytes = chunk.len() as u64;
        let leaf = self.profile.leaf(chunk);
        let part = Part { cid: *leaf.cid(), file_bytes, total_size: leaf.data().len() as u64 };
        emit(leaf);
        self.push(part, emit);
    }

    /// Adds the next leaf, hashed elsewhere. `emit` gets every inner block
    /// that this closes.
    pub fn push(&mut self, leaf: Part, emit: &mut dyn FnMut(Block)) {
        self.insert(0, leaf, emit);
    }

    /// Adds a part to the open node of a level; where that is full, closes it
    /// into the level above.
    fn insert(&mut self, mut level: usize, mut part: Part, emit: &mut dyn FnMut(Block)) {
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            // A node is closed only when there is a part that it cannot take:
            // until then it may turn out to be the root.
            if self.levels[level].len() < self.profile.max_links.max(2) {
                self.levels[level].push(part);
                return;
            }
            let full = std::mem::replace(&mut self.levels[level], vec![part]);
            part = self.close(&full, &Metadata::default(), emit);
            level += 1;
        }
    }

    /// Ends the file: closes what is open, root last.
    ///
    /// Without leaves it is the empty file, whose only block is handed out.
    ///
    /// # Errors
    ///
    /// When a single leaf was pushed and there is metadata, for which it has
    /// no place: see [`inline`] and [`inline_frame`].
    pub fn finish(
        mut self,
        metadata: &Metadata,
        emit: &mut dyn FnMut(Block),
    ) -> Result<Built, LayoutError> {
        if self.levels.is_empty() {
            return Ok(self.finish_empty(metadata, emit));
        }
        let mut level = 0;
        while level + 1 < self.levels.len() {
            let open = std::mem::take(&mut self.levels[level]);
            let part = self.close(&open, &Metadata::default(), emit);
            level += 1;
            self.insert(level, part, emit);
        }
        match std::mem::take(&mut self.levels[level]).as_slice() {
            [_] if level == 0 && !metadata.is_empty() => Err(LayoutError::OneChunkWithMetadata),
            [leaf] if level == 0 => Ok(built(*leaf)),
            parts => Ok(built(self.close(parts, metadata, emit))),
        }
    }

    fn finish_empty(&self, metadata: &Metadata, emit: &mut dyn FnMut(Block)) -> Built {
        let block = if metadata.is_empty() {
            self.profile.leaf(Bytes::new())
        } else {
            inline(&[], metadata, &self.profile)
        };
        let built =
            Built { cid: *block.cid(), total_size: block.data().len() as u64, file_bytes: 0 };
        emit(block);
        built
    }

    fn close(&self, parts: &[Part], metadata: &Metadata, emit: &mut dyn FnMut(Block)) -> Part {
        let mut node = Node::new(Kind::File);
        node.metadata = *metadata;
        let mut writer = dag_pb::Writer::with_capacity(parts.len() * 64 + 64);
        for part in parts {
            writer.link(&part.cid, &[], &[], part.total_size);
            node.block_sizes.push(part.file_bytes);
        }
        let file_bytes =
            node.block_sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(*size));
        node.file_size = Some(file_bytes);
        let (data, total_size) = writer.finish(&node.encode());
        let block = self.profile.node(data);
        let part = Part { cid: *block.cid(), file_bytes, total_size };
        emit(block);
        part
    }
}

const fn built(part: Part) -> Built {
    Built { cid: part.cid, total_size: part.total_size, file_bytes: part.file_bytes }
}

/// One block with a file's bytes inside: a leaf that is not raw, or a whole
/// file of one chunk with metadata.
#[must_use]
pub fn inline(bytes: &[u8], metadata: &Metadata, profile: &Profile) -> Block {
    let frame = inline_frame(bytes.len(), metadata);
    let mut block = BytesMut::with_capacity(frame.len() + bytes.len());
    block.put_slice(&frame.prefix);
    block.put_slice(bytes);
    block.put_slice(&frame.suffix);
    profile.node(block.freeze())
}

/// What surrounds a file's bytes in a block that holds them inline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The block's bytes before the file's.
    pub prefix: Bytes,
    /// The block's bytes after the file's.
    pub suffix: Bytes,
}

impl Frame {
    /// The frame's own bytes: how much longer the block is than the file.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// Never: every frame has bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The frame around `length` bytes of a file that are kept inline, so that the
/// block can be made again from the user's file without keeping a copy.
#[must_use]
pub fn inline_frame(length: usize, metadata: &Metadata) -> Frame {
    let mut node = Node::new(Kind::File);
    node.metadata = *metadata;
    node.file_size = Some(length as u64);
    // Protocol buffers order fields by number: 1 kind, 2 data, then the rest.
    let without_data = node.encode();
    let (kind, rest) = without_data.split_at(KIND_FIELD_LENGTH);
    let data_field = if length == 0 { 0 } else { dag_pb::field_length(length) };
    let mut prefix = BytesMut::with_capacity(32);
    prefix.put_u8(FIELD_DATA);
    put_number(&mut prefix, without_data.len() + data_field);
    prefix.put_slice(kind);
    if length > 0 {
        prefix.put_u8(FIELD_UNIXFS_DATA);
        put_number(&mut prefix, length);
    }
    Frame { prefix: prefix.freeze(), suffix: Bytes::copy_from_slice(rest) }
}

/// dag-pb's data field.
const FIELD_DATA: u8 = 0x0a;
/// UnixFS's data field.
const FIELD_UNIXFS_DATA: u8 = 0x12;
/// UnixFS's type field: a tag and a number below 128.
const KIND_FIELD_LENGTH: usize = 2;

fn put_number(buffer: &mut BytesMut, number: usize) {
    buffer.put_slice(encode::usize(number, &mut encode::usize_buffer()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{HashKind, codec, unixfs::Mtime};

    fn part(index: usize) -> Part {
        let cid = crate::data::hash(codec::RAW, HashKind::Sha2_256, &index.to_le_bytes());
        Part { cid, file_bytes: index as u64 % 7 + 1, total_size: index as u64 % 7 + 1 }
    }

    /// The tree as it is defined: groups of `max_links`, level by level.
    fn naive(profile: Profile, mut parts: Vec<Part>, metadata: &Metadata) -> (Part, usize) {
        let layout = FileLayout::new(profile);
        let mut nodes = 0;
        while parts.len() > 1 {
            let root = parts.len() <= profile.max_links;
            let metadata = if root { *metadata } else { Metadata::default() };
            let close = |group: &[Part]| layout.close(group, &metadata, &mut |_| nodes += 1);
            parts = parts.chunks(profile.max_links).map(close).collect();
        }
        (parts[0], nodes)
    }

    proptest! {
        #[test]
        fn any_number_of_leaves_gives_the_tree_that_is_defined(
            leaves in 1..700_usize, max_links in 2..12_usize, with_metadata: bool,
        ) {
            let profile = Profile { max_links, ..Profile::default() };
            let mtime = Some(Mtime { seconds: 5, nanoseconds: 6 });
            let metadata = Metadata { mode: Some(0o600), mtime };
            let metadata = if with_metadata && leaves > 1 { metadata } else { Metadata::default() };
            let (root, nodes) = naive(profile, (0..leaves).map(part).collect(), &metadata);
            let mut layout = FileLayout::new(profile);
            let mut emitted = 0;
            for index in 0..leaves {
                layout.push(part(index), &mut |_| emitted += 1);
                let open: usize = layout.levels.iter().map(Vec::len).sum();
                prop_assert!(open <= max_links * layout.levels.len());
            }
            let found = layout.finish(&metadata, &mut |_| emitted += 1).unwrap();
            prop_assert_eq!(found, built(root));
            prop_assert_eq!(emitted, nodes);
        }

        #[test]
        fn a_frame_and_the_bytes_are_the_inline_block(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), mode in 0..0o10000_u32, seconds: i64,
        ) {
            let metadata = Metadata { mode: Some(mode), mtime: Some(Mtime { seconds, nanoseconds: 0 }) };
            let mut node = Node::new(Kind::File);
            node.data = bytes.clone().into();
            node.file_size = Some(bytes.len() as u64);
            node.metadata = metadata;
            let (plain, _) = dag_pb::Writer::default().finish(&node.encode());
            let frame = inline_frame(bytes.len(), &metadata);
            prop_assert_eq!(&[&frame.prefix[..], &bytes, &frame.suffix].concat(), &plain);
            prop_assert_eq!(frame.len() + bytes.len(), plain.len());
            let block = inline(&bytes, &metadata, &Profile::default());
            prop_assert_eq!(block.data(), &plain);
        }
    }

    #[test]
    fn one_leaf_has_no_place_for_metadata() {
        let mut layout = FileLayout::new(Profile::default());
        layout.push(part(1), &mut |_| {});
        let metadata = Metadata { mode: Some(0o600), mtime: None };
        assert_eq!(layout.finish(&metadata, &mut |_| {}), Err(LayoutError::OneChunkWithMetadata));
    }
}
