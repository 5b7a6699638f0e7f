//! Folders: names and what they stand for.

use std::fmt;

use bytes::Bytes;

use super::{
    Block, Cid, Profile, ShardEstimate, dag_pb, hamt,
    layout::Built,
    unixfs::{Kind, Metadata, Node},
};
use crate::advice::Advice;
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
    #[error("{} cannot be a name in a folder: {problem}", name.escape_ascii())]
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
    #[error("a fan-out of {fanout} is not supported")]
    UnsupportedFanout {
        /// The fan-out.
        fanout: u64,
    },
    /// Names chosen so that their hashes are the same.
    #[error("{} has the same hash as another name in the folder", name.escape_ascii())]
    HashCollision {
        /// One of the names.
        name: Bytes,
    },
}

impl Advice for DirectoryError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::BadName { .. } => Some("rename it"),
            Self::DuplicateName { .. } | Self::HashCollision { .. } => Some("rename one"),
            Self::UnsupportedFanout { .. } => Some("use a power of two from 8 to 1024"),
        }
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{
        View,
        view::{DecodeError, ShardLink},
    };

    fn entry(name: &[u8]) -> Entry {
        let cid = *Profile::default().leaf(Bytes::copy_from_slice(name)).cid();
        Entry { name: Bytes::copy_from_slice(name), cid, total_size: name.len() as u64 }
    }

    /// Builds a folder and reads it back.
    fn round_trip(entries: &[Entry], profile: &Profile) -> (Cid, Vec<Entry>) {
        let mut blocks = std::collections::HashMap::new();
        let mut keep = |block: Block| {
            blocks.insert(*block.cid(), block.data().clone());
        };
        let root = build(entries.to_vec(), &Metadata::default(), profile, &mut keep).unwrap().cid;
        let mut read = Vec::new();
        let mut open = vec![root];
        while let Some(cid) = open.pop() {
            match View::of(&cid, &blocks[&cid]).unwrap() {
                View::Directory { entries, .. } => read.extend(entries),
                View::Shard { links, .. } => {
                    for link in links {
                        match link {
                            ShardLink::Entry { entry, .. } => read.push(entry),
                            ShardLink::Shard { cid, .. } => open.push(cid),
                        }
                    }
                }
                other => panic!("not a folder: {other:?}"),
            }
        }
        read.sort_by(|a, b| a.name.cmp(&b.name));
        (root, read)
    }

    #[test]
    fn names_that_are_not_utf_8_are_kept() {
        let entries =
            [entry(b"\xff\xfe"), entry("naïve".as_bytes()), entry(&[b'x'; MAX_NAME_BYTES])];
        for hamt_threshold in [1, 10_000] {
            let profile = Profile { hamt_threshold, ..Profile::default() };
            let (_, mut read) = round_trip(&entries, &profile);
            read.sort_by_key(|entry| entries.iter().position(|other| other == entry));
            assert_eq!(read, entries);
        }
    }

    /// A one-block folder with a link of this name, made without the checks.
    fn forged(names: &[&[u8]]) -> Bytes {
        let mut writer = dag_pb::Writer::default();
        for name in names {
            writer.link(&entry(b"x").cid, &[], name, 1);
        }
        writer.finish(&message(&Metadata::default())).0
    }

    #[test]
    fn names_that_must_not_reach_a_disk_are_refused_both_ways() {
        let long = [b'x'; MAX_NAME_BYTES + 1];
        for (name, expected) in [
            (&b""[..], NameProblem::Empty),
            (b".", NameProblem::Dots),
            (b"..", NameProblem::Dots),
            (b"../x", NameProblem::Separator),
            (b"/etc/passwd", NameProblem::Separator),
            (b"a\0b", NameProblem::Nul),
            (&long, NameProblem::TooLong),
        ] {
            let refused =
                DirectoryError::BadName { name: Bytes::copy_from_slice(name), problem: expected };
            let ours =
                build(vec![entry(name)], &Metadata::default(), &Profile::default(), &mut |_| {});
            assert_eq!(ours.as_ref(), Err(&refused));
            let theirs = View::of_dag_pb(&forged(&[name]));
            assert_eq!(theirs, Err(DecodeError::Directory(refused)));
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_both_ways() {
        let refused = DirectoryError::DuplicateName { name: Bytes::from_static(b"a") };
        let twice = vec![entry(b"a"), entry(b"b"), entry(b"a")];
        let ours = build(twice, &Metadata::default(), &Profile::default(), &mut |_| {});
        assert_eq!(ours.as_ref(), Err(&refused));
        for names in [[&b"a"[..], b"a", b"b"], [b"a", b"b", b"a"]] {
            let theirs = View::of_dag_pb(&forged(&names));
            assert_eq!(theirs.unwrap_err().to_string(), refused.to_string());
        }
    }

    #[test]
    fn a_fan_out_that_is_none_is_refused() {
        for hamt_fanout in [0, 4, 100, 2048] {
            let profile = Profile { hamt_fanout, hamt_threshold: 0, ..Profile::default() };
            let refused = build(vec![entry(b"a")], &Metadata::default(), &profile, &mut |_| {});
            assert_eq!(
                refused,
                Err(DirectoryError::UnsupportedFanout { fanout: hamt_fanout as u64 })
            );
        }
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_folder_and_it_reads_back(
            names in proptest::collection::btree_set("[a-z]{1,8}", 1..80),
            bits in 3..11_u32, threshold in 0..2000_usize, seed: u64,
        ) {
            let profile =
                Profile { hamt_fanout: 1 << bits, hamt_threshold: threshold, ..Profile::default() };
            let sorted: Vec<_> = names.iter().map(|name| entry(name.as_bytes())).collect();
            let mut shuffled = sorted.clone();
            shuffled.sort_by_key(|entry| hamt::hash_name(&entry.name) ^ seed);
            let (root, read) = round_trip(&sorted, &profile);
            prop_assert_eq!(&read, &sorted);
            prop_assert_eq!(round_trip(&shuffled, &profile).0, root);
        }
    }
}
