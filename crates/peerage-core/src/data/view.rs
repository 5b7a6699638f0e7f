//! What one block is, for somebody who received it.
//!
//! A [`View`] is what a block of a file or folder says, with every limit
//! enforced: names that can be written to disk, sizes that add up. How deep a
//! graph of them goes is for the caller to bound, as
//! [`select::Walk`](super::select::Walk) does.

use std::collections::HashSet;

use bytes::Bytes;

use super::{
    Cid, codec,
    dag_pb::{self, DagPbError, Link},
    directory::{DirectoryError, Entry, check_name},
    hamt::{self, Fanout},
    symlink::{self, SymlinkError},
    unixfs::{self, Kind, Metadata, UnixFsError},
};

use crate::advice::Advice;

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// A leaf that is a file's bytes and nothing else.
    Raw(Bytes),
    /// A file, or a part of one.
    File {
        /// The file's bytes that are in this block itself, before those of the
        /// children.
        inline: Bytes,
        /// Where the inline bytes start in the block.
        inline_offset: usize,
        /// The parts of the file, in order; none is empty.
        children: Vec<Child>,
        /// The bytes of the file in and below this block.
        size: u64,
        /// Mode and modification time.
        metadata: Metadata,
    },
    /// A folder in one block.
    Directory {
        /// Its entries, in the order of the block; no name is there twice.
        entries: Vec<Entry>,
        /// Mode and modification time.
        metadata: Metadata,
    },
    /// One shard of a folder in several blocks.
    Shard {
        /// What the shard links to, by position.
        links: Vec<ShardLink>,
        /// The shard's fan-out, which its sub-shards must share.
        fanout: Fanout,
        /// Mode and modification time (of the folder, in its root shard).
        metadata: Metadata,
    },
    /// A symbolic link.
    Symlink {
        /// The path that it points to: bytes that are not checked beyond
        /// being a path. Whether to follow it is the receiver's affair.
        target: Bytes,
        /// Mode and modification time.
        metadata: Metadata,
    },
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// The part's block.
    pub cid: Cid,
    /// How many bytes of the file are in and below it; never 0.
    pub file_bytes: u64,
}

/// A link of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardLink {
    /// An entry of the folder.
    Entry {
        /// The entry's position in the shard.
        position: usize,
        /// The entry.
        entry: Entry,
    },
    /// A shard below this one.
    Shard {
        /// The sub-shard's position in this shard.
        position: usize,
        /// The sub-shard's block.
        cid: Cid,
        /// The bytes of all blocks in and below it, as the link says: a hint.
        total_size: u64,
    },
}

impl ShardLink {
    /// The link's position in its shard.
    #[must_use]
    pub const fn position(&self) -> usize {
        match self {
            Self::Entry { position, .. } | Self::Shard { position, .. } => *position,
        }
    }
}

/// Why a block is not part of a file or folder that we take.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The block's format is not one of files and folders.
    #[error("codec {0:#x} is not part of a file or folder: only raw and dag-pb are")]
    UnknownCodec(u64),
    /// Not a dag-pb node.
    #[error(transparent)]
    DagPb(#[from] DagPbError),
    /// Not a UnixFS message.
    #[error(transparent)]
    UnixFs(#[from] UnixFsError),
    /// A folder with an entry that must not be written to disk.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A symbolic link that cannot be.
    #[error(transparent)]
    Symlink(#[from] SymlinkError),
    /// A file's sizes contradict each other.
    #[error("the sizes in a file's block do not add up")]
    SizesDoNotAddUp,
    /// A shard with another hash function than murmur3-x64-64.
    #[error("the sharded folder uses hash function {0:#x}, and only murmur3-x64-64 is read")]
    UnknownShardHash(u64),
    /// A shard whose links contradict its bit field, their order or themselves.
    #[error("the shard of a folder is malformed")]
    MalformedShard,
    /// A symbolic link with links of its own.
    #[error("a symbolic link has blocks below it")]
    SymlinkWithLinks,
}

impl Advice for DecodeError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownCodec(_) | Self::UnknownShardHash(_) => None,
            Self::DagPb(error) => error.hint(),
            Self::UnixFs(error) => error.hint(),
            Self::Directory(error) => error.hint(),
            Self::Symlink(error) => error.hint(),
            Self::SizesDoNotAddUp | Self::MalformedShard | Self::SymlinkWithLinks => {
                Some("ask whoever made it to make it again")
            }
        }
    }
}

impl View {
    /// Reads the block of a CID. The caller has verified that the bytes are
    /// the CID's; inline bytes, names and targets are ranges of them.
    ///
    /// # Errors
    ///
    /// When the block is not part of a file or folder, breaks its format's
    /// rules, or a limit.
    pub fn of(cid: &Cid, block: &Bytes) -> Result<Self, DecodeError> {
        match cid.codec() {
            codec::RAW => Ok(Self::Raw(block.clone())),
            codec::DAG_PB => Self::of_dag_pb(block),
            other => Err(DecodeError::UnknownCodec(other)),
        }
    }

    /// Reads a dag-pb block.
    ///
    /// # Errors
    ///
    /// As [`View::of`].
    pub fn of_dag_pb(block: &Bytes) -> Result<Self, DecodeError> {
        let dag_pb::Node { links, data } = dag_pb::Node::decode(block)?;
        let node = unixfs::Node::decode(&data)?;
        let metadata = node.metadata;
        match node.kind {
            Kind::File | Kind::Raw => file(block, &links, node),
            Kind::Directory => Ok(Self::Directory { entries: entries(links)?, metadata }),
            Kind::HamtShard => shard(links, &node),
            Kind::Symlink if !links.is_empty() => Err(DecodeError::SymlinkWithLinks),
            Kind::Symlink => {
                symlink::check_target(&node.data)?;
                Ok(Self::Symlink { target: node.data, metadata })
            }
        }
    }
}

fn file(block: &Bytes, links: &[Link], node: unixfs::Node) -> Result<View, DecodeError> {
    if links.len() != node.block_sizes.len() {
        return Err(DecodeError::SizesDoNotAddUp);
    }
    let size = node
        .block_sizes
        .iter()
        .try_fold(node.data.len() as u64, |sum, size| sum.checked_add(*size))
        .ok_or(DecodeError::SizesDoNotAddUp)?;
    if node.file_size.is_some_and(|said| said != size) {
        return Err(DecodeError::SizesDoNotAddUp);
    }
    // A part without bytes adds nothing to the file; leaving it out bounds
    // the blocks of a file by its bytes.
    let parts = links.iter().zip(&node.block_sizes).filter(|(_, size)| **size > 0);
    let children = parts.map(|(link, size)| Child { cid: link.cid, file_bytes: *size }).collect();
    let inline_offset =
        if node.data.is_empty() { 0 } else { node.data.as_ptr().addr() - block.as_ptr().addr() };
    Ok(View::File { inline: node.data, inline_offset, children, size, metadata: node.metadata })
}

fn entries(links: Vec<Link>) -> Result<Vec<Entry>, DirectoryError> {
    let entries = links.into_iter().map(|link| entry(link, 0)).collect::<Result<Vec<_>, _>>()?;
    // Sorted names, as the format asks, need no set to find duplicates.
    if entries.is_sorted_by(|a, b| a.name < b.name) {
        return Ok(entries);
    }
    let mut seen = HashSet::with_capacity(entries.len());
    match entries.iter().find(|entry| !seen.insert(&entry.name)) {
        Some(entry) => Err(DirectoryError::DuplicateName { name: entry.name.clone() }),
        None => Ok(entries),
    }
}

/// The entry of a link whose name starts `skip` bytes into the link's.
fn entry(link: Link, skip: usize) -> Result<Entry, DirectoryError> {
    let name = link.name.slice(skip..);
    match check_name(&name) {
        Ok(()) => Ok(Entry { name, cid: link.cid, total_size: link.total_size }),
        Err(problem) => Err(DirectoryError::BadName { name, problem }),
    }
}

fn shard(links: Vec<Link>, node: &unixfs::Node) -> Result<View, DecodeError> {
    let hash = node.hash_type.unwrap_or(hamt::HASH_MURMUR3_X64_64);
    if hash != hamt::HASH_MURMUR3_X64_64 {
        return Err(DecodeError::UnknownShardHash(hash));
    }
    let positions = node.fanout.unwrap_or_default();
    let fanout = usize::try_from(positions)
        .ok()
        .and_then(Fanout::new)
        .ok_or(DirectoryError::UnsupportedFanout { fanout: positions })?;
    let links =
        links.into_iter().map(|link| shard_link(link, fanout)).collect::<Result<Vec<_>, _>>()?;
    let ordered = links.is_sorted_by(|a, b| a.position() < b.position());
    let taken = links.iter().map(ShardLink::position);
    if !ordered || !hamt::bit_field_matches(fanout, &node.data, taken) {
        return Err(DecodeError::MalformedShard);
    }
    Ok(View::Shard { links, fanout, metadata: node.metadata })
}

fn shard_link(link: Link, fanout: Fanout) -> Result<ShardLink, DecodeError> {
    let length = fanout.prefix_length();
    let prefix = link.name.get(..length).ok_or(DecodeError::MalformedShard)?;
    let position = fanout.parse_prefix(prefix).ok_or(DecodeError::MalformedShard)?;
    if link.name.len() == length {
        return Ok(ShardLink::Shard { position, cid: link.cid, total_size: link.total_size });
    }
    Ok(ShardLink::Entry { position, entry: entry(link, length)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{Profile, layout, unixfs::Node};

    fn leaf() -> Cid {
        *Profile::default().leaf(Bytes::from_static(b"x")).cid()
    }

    /// A block with links of these names and this message.
    fn block(names: &[&str], node: &Node) -> Bytes {
        let mut writer = dag_pb::Writer::default();
        for name in names {
            writer.link(&leaf(), &[], name.as_bytes(), 1);
        }
        writer.finish(&node.encode()).0
    }

    fn file(block_sizes: &[u64], file_size: Option<u64>) -> Node {
        let mut node = Node::new(Kind::File);
        node.block_sizes = block_sizes.to_vec();
        node.file_size = file_size;
        node
    }

    #[test]
    fn sizes_that_do_not_add_up_are_refused() {
        for (links, node) in [
            (1, file(&[], Some(0))),
            (1, file(&[1, 2], Some(3))),
            (2, file(&[1, 2], Some(4))),
            (2, file(&[u64::MAX, 1], None)),
        ] {
            let refused = View::of_dag_pb(&block(&vec![""; links], &node));
            assert_eq!(refused, Err(DecodeError::SizesDoNotAddUp), "{node:?}");
        }
    }

    #[test]
    fn empty_parts_are_left_out() {
        let view = View::of_dag_pb(&block(&["", "", ""], &file(&[0, 7, 0], Some(7))));
        let Ok(View::File { children, size, .. }) = view else { panic!("{view:?}") };
        assert_eq!((children.len(), size), (1, 7));
    }

    #[test]
    fn inline_bytes_are_where_it_says() {
        let metadata = Metadata { mode: Some(0o600), mtime: None };
        let block = layout::inline(b"picture", &metadata, &Profile::default());
        let view = View::of(block.cid(), block.data()).unwrap();
        let View::File { inline, inline_offset, .. } = view else { panic!("{view:?}") };
        assert_eq!(inline, b"picture"[..]);
        assert_eq!(&block.data()[inline_offset..inline_offset + inline.len()], b"picture");
        assert_eq!(inline_offset, layout::inline_frame(7, &metadata).prefix.len());
    }

    #[test]
    fn malformed_shards_are_refused() {
        let shard = |fanout: u64, field: &[u8], names: &[&str]| {
            let mut node = Node::new(Kind::HamtShard);
            node.data = Bytes::copy_from_slice(field);
            node.hash_type = Some(hamt::HASH_MURMUR3_X64_64);
            node.fanout = Some(fanout);
            View::of_dag_pb(&block(names, &node))
        };
        assert!(shard(256, &[0b10_0010], &["01a", "05"]).is_ok());
        assert!(shard(256, &[0, 0, 0b10_0010], &["01a", "05"]).is_ok(), "zeros before");
        assert!(shard(16, &[0b10_0010], &["1a", "5"]).is_ok());
        for (field, names) in [
            (&[0b10_0010][..], &["01a"][..]), // a bit without a link
            (&[0b10], &["01a", "05"]),        // a link without a bit
            (&[0b10_0010], &["05", "01a"]),   // out of order
            (&[0b10], &["01a", "01b"]),       // a position twice
            (&[0b10], &["1"]),                // no whole prefix
            (&[0b10], &["+1a"]),              // not a number
            (&[0, 4, 0, 0, 0], &["1aa"][..]), // another position
            (&[4, 0], &["0aa"]),              // lower case
            (&[1; 40], &["00a"]),             // a field beyond the fan-out
        ] {
            assert_eq!(shard(256, field, names), Err(DecodeError::MalformedShard), "{names:?}");
        }
        let fanout = shard(2048, &[1], &["000a"]);
        let refused = DirectoryError::UnsupportedFanout { fanout: 2048 };
        assert_eq!(fanout, Err(DecodeError::Directory(refused)));
        let name = shard(256, &[0b10], &["01../x"]);
        assert!(matches!(name, Err(DecodeError::Directory(DirectoryError::BadName { .. }))));
    }

    #[test]
    fn symbolic_links_that_cannot_be_are_refused() {
        let link = |target: Vec<u8>, names: &[&str]| {
            let mut node = Node::new(Kind::Symlink);
            node.data = target.into();
            View::of_dag_pb(&block(names, &node))
        };
        let limit = crate::limits::MAX_SYMLINK_BYTES;
        assert!(link(vec![b'x'; limit], &[]).is_ok());
        let too_long = SymlinkError::TooLong(limit + 1);
        assert_eq!(link(vec![b'x'; limit + 1], &[]), Err(DecodeError::Symlink(too_long)));
        assert_eq!(link(vec![], &[]), Err(DecodeError::Symlink(SymlinkError::Empty)));
        assert_eq!(link(vec![0], &[]), Err(DecodeError::Symlink(SymlinkError::Nul)));
        assert_eq!(link(vec![b'x'], &["a"]), Err(DecodeError::SymlinkWithLinks));
    }

    proptest! {
        #[test]
        fn never_panics(
            names in proptest::collection::vec("[0-9A-F]{0,3}[a/.]{0,3}", 0..6),
            data in proptest::collection::vec(any::<u8>(), 0..60),
            flip in 0..400_usize, with: u8,
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for kind in [Kind::File, Kind::Directory, Kind::HamtShard, Kind::Symlink] {
                let mut node = Node::new(kind);
                node.data = data.clone().into();
                node.fanout = Some(256);
                let mut bytes = block(&names, &node).to_vec();
                let _ = View::of_dag_pb(&bytes.clone().into());
                let index = flip % bytes.len();
                bytes[index] ^= with;
                let _ = View::of_dag_pb(&bytes.into());
            }
        }
    }
}
