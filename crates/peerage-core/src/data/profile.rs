//! Import profiles: the choices that decide which CID a file or folder gets.

use bytes::Bytes;

pub use cid::Version as CidVersion;

use super::{Block, Cid, HashKind, codec, layout, unixfs::Metadata};

/// How a folder's size is estimated when deciding whether to shard it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardEstimate {
    /// The exact length of the folder's serialised dag-pb block
    /// (Kubo's `block`, Helia's `block-bytes`).
    BlockBytes,
    /// The sum of the lengths of the links' names and CIDs
    /// (Kubo's `links`, Helia's `links-bytes`).
    LinkBytes,
}

/// Everything that decides the CIDs of an import.
///
/// Two implementations with the same profile give the same bytes the same CID;
/// see [IPIP-499](https://github.com/ipfs/specs/pull/499).
///
/// ```
/// use peerage_core::data::{HashKind, Profile};
///
/// let profile = Profile::default().with_hash(HashKind::Blake3);
/// assert_eq!(profile.chunk_size, 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The length in bytes of every chunk of a file but the last.
    pub chunk_size: usize,
    /// The largest number of links in an inner node of a file.
    pub max_links: usize,
    /// Whether leaves are the file's bytes themselves (codec raw) or dag-pb
    /// nodes around them.
    pub raw_leaves: bool,
    /// The version of the CIDs of dag-pb nodes. Version 0 only exists with
    /// SHA-256: under another hash, version 1 is used instead.
    pub cid_version: CidVersion,
    /// The hash function of every block.
    pub hash: HashKind,
    /// A folder is sharded when its estimated size in bytes is *over* this.
    pub hamt_threshold: usize,
    /// The fan-out of a sharded folder: a power of two from 8 to 1024.
    pub hamt_fanout: usize,
    /// How the folder's size is estimated.
    pub shard_estimate: ShardEstimate,
}

impl Profile {
    /// `unixfs-v1-2025`: what Kubo and Helia agreed on. The default.
    pub const UNIXFS_V1_2025: Self = Self {
        chunk_size: 1024 * 1024,
        max_links: 1024,
        raw_leaves: true,
        cid_version: CidVersion::V1,
        hash: HashKind::Sha2_256,
        hamt_threshold: 256 * 1024,
        hamt_fanout: 256,
        shard_estimate: ShardEstimate::BlockBytes,
    };

    /// `ipfs add --cid-version=1` of the years before: 256 KiB chunks, 174
    /// links, raw leaves.
    pub const LEGACY_CIDV1: Self = Self {
        chunk_size: 256 * 1024,
        max_links: 174,
        shard_estimate: ShardEstimate::LinkBytes,
        ..Self::UNIXFS_V1_2025
    };

    /// `unixfs-v0-2015`: plain `ipfs add`, with version 0 CIDs and dag-pb leaves.
    pub const UNIXFS_V0: Self =
        Self { raw_leaves: false, cid_version: CidVersion::V0, ..Self::LEGACY_CIDV1 };

    /// The same profile with another hash function.
    #[must_use]
    pub const fn with_hash(self, hash: HashKind) -> Self {
        Self { hash, ..self }
    }

    /// Names a serialised dag-pb node.
    #[must_use]
    pub fn node(&self, data: Bytes) -> Block {
        match (self.cid_version, self.hash) {
            (CidVersion::V0, HashKind::Sha2_256) => Block::version_0(data),
            _ => Block::new(codec::DAG_PB, self.hash, data),
        }
    }

    /// The block of one chunk: the chunk itself, or the dag-pb node around it.
    ///
    /// Without raw leaves the chunk's bytes are copied once.
    #[must_use]
    pub fn leaf(&self, chunk: Bytes) -> Block {
        if self.raw_leaves {
            return Block::new(codec::RAW, self.hash, chunk);
        }
        layout::inline(&chunk, &Metadata::default(), self)
    }

    /// The CID of one raw leaf, hashed where it lies.
    #[must_use]
    pub fn raw_leaf_cid(&self, chunk: &[u8]) -> Cid {
        super::hash(codec::RAW, self.hash, chunk)
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::UNIXFS_V1_2025
    }
}
