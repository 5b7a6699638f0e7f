//! Folders: names and what they stand for.

use std::fmt;

use bytes::Bytes;

use super::{
    Block, Cid, Profile, ShardEstimate, dag_pb, hamt,
    layout::Built,
    unixfs::{Kind, Metadata, Node},
};
use crate::limits::MAX_NAME_BYTES;

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name: the bytes that the system calls it by, which on Unix need not
    /// be UTF-8. They are written into the link as they are.
    pub name: Bytes,
    /// The file, folder or symbolic link of that name.
    pub cid: Cid,
    /// The size in bytes of all its blocks: [`Built::total_size`], or what the
    /// folder's author says it is.
    pub total_size: u64,
}

/// Why a name cannot be an entry of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameProblem {
    /// No name at all.
    Empty,
    /// `.` or `..`, which mean a folder and its parent.
    Dots,
    /// A `/`, which separates names.
    Separator,
    /// A NUL byte, which no system has in names.
    Nul,
    /// Over [`MAX_NAME_BYTES`].
    TooLong,
}

impl fmt::Display for NameProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(formatter, "it is empty"),
            Self::Dots => write!(formatter, "it means this folder or the one above"),
            Self::Separator => write!(formatter, "it has a slash in it"),
            Self::Nul => write!(formatter, "it has a NUL byte in it"),
            Self::TooLong => write!(formatter, "it is over {MAX_NAME_BYTES} bytes long"),
        }
    }
}

/// Checks that `name` can be an entry of a folder on every Unix system.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_name(name: &[u8]) -> Result<(), NameProblem> {
    match name {
        [] => Err(NameProblem::Empty),
        b"." | b".." => Err(NameProblem::Dots),
        _ if name.len() > MAX_NAME_BYTES => Err(NameProblem::TooLong),
        _ if name.contains(&b'/') => Err(NameProblem::Separator),
        _ if name.contains(&0) => Err(NameProblem::Nul),
        _ => Ok(()),
    }
}

/// Why entries cannot be made into a folder.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// A name that no file can have.
    #[error("{} cannot be a name in a folder: {problem}; rename it", name.escape_ascii())]
    BadName {
        /// The name.
        name: Bytes,
        /// What is wrong with it.
        problem: NameProblem,
    },
    /// Two entries of the same name.
    #[error("{} is in the folder twice", name.escape_ascii())]
    DuplicateName {
        /// The name.
        name: Bytes,
    },
    /// The profile's fan-out is not a power of two from 8 to 1024.
    #[error("a fan-out of {fanout} is not supported; use a power of two from 8 to 1024")]
    UnsupportedFanout {
        /// The fan-out.
        fanout: u64,
    },
    /// Names chosen so that their hashes are the same.
    #[error("{} has the same hash as another name in the folder; rename one", name.escape_ascii())]
    HashCollision {
        /// One of the names.
        name: Bytes,
    },
}

/// Builds a folder of `entries`, which may come in any order.
///
/// The folder is one block, or shards when the profile says it is too large
/// for one. `emit` gets its blocks, root last. Returns the root and the
/// cumulative size.
///
/// ```
/// use bytes::Bytes;
/// use peerage_core::data::{Profile, directory::{self, Entry}, unixfs::Metadata};
///
/// let profile = Profile::default();
/// let leaf = profile.leaf(Bytes::from_static(b"hello"));
/// let entry = Entry { name: "hello.txt".into(), cid: *leaf.cid(), total_size: 5 };
/// let mut blocks = Vec::new();
/// let folder =
///     directory::build(vec![entry], &Metadata::default(), &profile, &mut |block| blocks.push(block))?;
/// assert_eq!(*blocks[0].cid(), folder.cid);
/// # Ok::<(), peerage_core::data::directory::DirectoryError>(())
/// ```
///
/// # Errors
///
/// When a name is not one that a file can have, or is there twice.
pub fn build(
    mut entries: Vec<Entry>,
    metadata: &Metadata,
    profile: &Profile,
    emit: &mut dyn FnMut(Block),
) -> Result<Built, DirectoryError> {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    check_entries(&entries)?;
    if estimate(&entries, metadata, profile) > profile.hamt_threshold {
        return hamt::build(&entries, metadata, profile, emit);
    }
    let mut writer = dag_pb::Writer::with_capacity(entries.len() * 80 + 16);
    for entry in &entries {
        writer.link(&entry.cid, &[], &entry.name, entry.total_size);
    }
    let (data, total_size) = writer.finish(&message(metadata));
    let block = profile.node(data);
    let cid = *block.cid();
    emit(block);
    Ok(Built { cid, total_size, file_bytes: 0 })
}

fn message(metadata: &Metadata) -> Vec<u8> {
    let mut node = Node::new(Kind::Directory);
    node.metadata = *metadata;
    node.encode()
}

fn check_entries(entries: &[Entry]) -> Result<(), DirectoryError> {
    for entry in entries {
        check_name(&entry.name)
            .map_err(|problem| DirectoryError::BadName { name: entry.name.clone(), problem })?;
    }
    match entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(DirectoryError::DuplicateName { name: pair[0].name.clone() }),
        None => Ok(()),
    }
}

/// The folder's size in one block, as the profile estimates it.
fn estimate(entries: &[Entry], metadata: &Metadata, profile: &Profile) -> usize {
    match profile.shard_estimate {
        ShardEstimate::BlockBytes => {
            let links = entries
                .iter()
                .map(|entry| dag_pb::link_length(&entry.cid, entry.name.len(), entry.total_size));
            links.sum::<usize>() + dag_pb::field_length(message(metadata).len())
        }
        ShardEstimate::LinkBytes => {
            entries.iter().map(|entry| entry.name.len() + entry.cid.encoded_len()).sum()
        }
    }
}
