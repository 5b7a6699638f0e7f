//! UnixFS 1.5: the message inside a dag-pb node that says what it is part of.
//!
//! See the [UnixFS specification](https://specs.ipfs.tech/unixfs/).

use bytes::Bytes;
use prost::Message as _;

use crate::advice::Advice;
use crate::limits::MAX_NODE_LINKS;

/// What a UnixFS node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of a file: an old form of leaf.
    Raw,
    /// A folder in one block.
    Directory,
    /// A file or a part of one.
    File,
    /// A shard of a folder in several blocks.
    HamtShard,
    /// A symbolic link.
    Symlink,
}

impl Kind {
    const fn code(self) -> u64 {
        match self {
            Self::Raw => 0,
            Self::Directory => 1,
            Self::File => 2,
            Self::Symlink => 4,
            Self::HamtShard => 5,
        }
    }

    const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Raw),
            1 => Some(Self::Directory),
            2 => Some(Self::File),
            4 => Some(Self::Symlink),
            5 => Some(Self::HamtShard),
            _ => None,
        }
    }

    /// The mode that is meant when none is written, and so is never written.
    const fn default_mode(self) -> u32 {
        match self {
            Self::Directory | Self::HamtShard => 0o755,
            Self::Raw | Self::File | Self::Symlink => 0o644,
        }
    }
}

/// When a file was last modified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mtime {
    /// Seconds since 1970-01-01 00:00 UTC; negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// What is kept of a file, folder or symbolic link besides its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// Permission bits: the lowest twelve are written and read.
    pub mode: Option<u32>,
    /// The modification time.
    pub mtime: Option<Mtime>,
}

impl Metadata {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.mode.is_none() && self.mtime.is_none()
    }
}

/// A UnixFS message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What the node is.
    pub kind: Kind,
    /// A file's inline bytes, a symbolic link's target, a shard's bit field.
    pub data: Bytes,
    /// The bytes of the file below and in this node.
    pub file_size: Option<u64>,
    /// The bytes of the file below each link.
    pub block_sizes: Vec<u64>,
    /// A shard's hash function (multicodec).
    pub hash_type: Option<u64>,
    /// A shard's fan-out.
    pub fanout: Option<u64>,
    /// Mode and modification time.
    pub metadata: Metadata,
}

/// Why bytes are not a UnixFS message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnixFsError {
    /// Not the protocol-buffer message that UnixFS has.
    #[error("the node's data is not UnixFS, so it is no part of a file or folder: {0}")]
    Malformed(String),
    /// A kind of node that is not read.
    #[error("UnixFS node type {0} is not read: only files, folders and symbolic links are")]
    UnknownKind(u64),
    /// More block sizes than links are allowed.
    #[error("the UnixFS node has more than {MAX_NODE_LINKS} parts")]
    TooManyParts,
}

impl Advice for UnixFsError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Malformed(_) | Self::UnknownKind(_) => None,
            Self::TooManyParts => Some("ask its author for a deeper tree"),
        }
    }
}

/// UnixFS's `Data`.
#[derive(Clone, PartialEq, prost::Message)]
struct DataMessage {
    #[prost(uint64, required, tag = "1")]
    kind: u64,
    #[prost(bytes = "bytes", optional, tag = "2")]
    data: Option<Bytes>,
    #[prost(uint64, optional, tag = "3")]
    file_size: Option<u64>,
    #[prost(uint64, repeated, packed = "false", tag = "4")]
    block_sizes: Vec<u64>,
    #[prost(uint64, optional, tag = "5")]
    hash_type: Option<u64>,
    #[prost(uint64, optional, tag = "6")]
    fanout: Option<u64>,
    #[prost(uint32, optional, tag = "7")]
    mode: Option<u32>,
    #[prost(message, optional, tag = "8")]
    mtime: Option<TimeMessage>,
}

/// UnixFS's `UnixTime`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct TimeMessage {
    #[prost(int64, required, tag = "1")]
    seconds: i64,
    #[prost(fixed32, optional, tag = "2")]
    nanoseconds: Option<u32>,
}

const MODE_MASK: u32 = 0o7777;

impl Node {
    /// A node of a kind, with nothing in it.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            data: Bytes::new(),
            file_size: None,
            block_sizes: Vec::new(),
            hash_type: None,
            fanout: None,
            metadata: Metadata { mode: None, mtime: None },
        }
    }

    /// Encodes the message.
    ///
    /// A mode that is the default of its kind (0644, for folders 0755) is left
    /// out, as Helia does.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        DataMessage {
            kind: self.kind.code(),
            data: (!self.data.is_empty()).then(|| self.data.clone()),
            file_size: self.file_size,
            block_sizes: self.block_sizes.clone(),
            hash_type: self.hash_type,
            fanout: self.fanout,
            mode: written_mode(self.kind, &self.metadata),
            mtime: self.metadata.mtime.map(TimeMessage::from),
        }
        .encode_to_vec()
    }

    /// Decodes the data field of a dag-pb node. Its bytes are a range of
    /// `data`, not a copy.
    ///
    /// # Errors
    ///
    /// When it is not a UnixFS message of a kind that is read.
    pub fn decode(data: &Bytes) -> Result<Self, UnixFsError> {
        let message = DataMessage::decode(data.clone())
            .map_err(|error| UnixFsError::Malformed(error.to_string()))?;
        if message.block_sizes.len() > MAX_NODE_LINKS {
            return Err(UnixFsError::TooManyParts);
        }
        Ok(Self {
            kind: Kind::from_code(message.kind).ok_or(UnixFsError::UnknownKind(message.kind))?,
            data: message.data.unwrap_or_default(),
            file_size: message.file_size,
            block_sizes: message.block_sizes,
            hash_type: message.hash_type,
            fanout: message.fanout,
            metadata: Metadata {
                mode: message.mode.map(|mode| mode & MODE_MASK),
                mtime: message.mtime.and_then(TimeMessage::read),
            },
        })
    }
}

/// The mode as it is written: not at all when it is the default.
fn written_mode(kind: Kind, metadata: &Metadata) -> Option<u32> {
    metadata.mode.map(|mode| mode & MODE_MASK).filter(|mode| *mode != kind.default_mode())
}

impl From<Mtime> for TimeMessage {
    fn from(mtime: Mtime) -> Self {
        let nanoseconds = (mtime.nanoseconds != 0).then_some(mtime.nanoseconds);
        Self { seconds: mtime.seconds, nanoseconds }
    }
}

impl TimeMessage {
    /// A time with an impossible fraction is as if there were none: it harms
    /// nobody, and the content is still good.
    fn read(self) -> Option<Mtime> {
        let nanoseconds = self.nanoseconds.unwrap_or_default();
        (nanoseconds < 1_000_000_000).then_some(Mtime { seconds: self.seconds, nanoseconds })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_with_an_impossible_fraction_is_none() {
        // mtime { seconds: 1, nanoseconds: ... } of a folder.
        let folder = |nanoseconds: u32| {
            let mut bytes = vec![0x08, 1, 0x42, 7, 0x08, 1, 0x15];
            bytes.extend_from_slice(&nanoseconds.to_le_bytes());
            Node::decode(&bytes.into()).unwrap().metadata.mtime
        };
        assert_eq!(folder(999_999_999), Some(Mtime { seconds: 1, nanoseconds: 999_999_999 }));
        assert_eq!(folder(1_000_000_000), None);
    }

    #[test]
    fn block_sizes_are_read_packed_and_not() {
        let decode = |bytes: &'static [u8]| Node::decode(&Bytes::from_static(bytes)).unwrap();
        assert_eq!(decode(&[8, 2, 0x20, 5, 0x20, 6]).block_sizes, [5, 6]);
        assert_eq!(decode(&[8, 2, 0x22, 2, 5, 6]).block_sizes, [5, 6]);
    }

    #[test]
    fn what_is_not_unixfs_is_refused() {
        let decode = |bytes: &'static [u8]| Node::decode(&Bytes::from_static(bytes));
        assert_eq!(decode(&[8, 3]), Err(UnixFsError::UnknownKind(3)));
        assert!(matches!(decode(&[8]), Err(UnixFsError::Malformed(_))));
        let many = [&[8, 2][..], &[0x20, 1].repeat(MAX_NODE_LINKS + 1)].concat();
        assert_eq!(Node::decode(&many.into()), Err(UnixFsError::TooManyParts));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            kind in 0..6_u64, data in proptest::collection::vec(any::<u8>(), 0..100),
            file_size: Option<u64>, block_sizes in proptest::collection::vec(any::<u64>(), 0..20),
            mode in proptest::option::of(0..0o10000_u32), seconds: Option<i64>,
            nanoseconds in 0..1_000_000_000_u32,
        ) {
            let Some(kind) = Kind::from_code(kind) else { return Ok(()) };
            let mut node = Node::new(kind);
            let mtime = seconds.map(|seconds| Mtime { seconds, nanoseconds });
            node.metadata = Metadata { mode: mode.filter(|mode| *mode != kind.default_mode()), mtime };
            node.data = data.into();
            node.file_size = file_size;
            node.block_sizes = block_sizes;
            prop_assert_eq!(Node::decode(&node.encode().into()), Ok(node));
        }

        #[test]
        fn never_panics(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Node::decode(&data.into());
        }
    }
}
