//! One place in the output that a block will fill, and what a block that has
//! arrived turns into.

use std::{ops::Range, sync::Arc};

use super::output::{Output, Piece};
use crate::{
    advice::Advice,
    data::{
        Block, Cid,
        directory::Entry,
        hamt::ShardPlace,
        unixfs::Metadata,
        view::{Child, DecodeError, ShardLink, View},
    },
    limits::{DOWNLOAD_GRAPH_DEPTH, DOWNLOAD_PATH_BYTES},
};

/// A path below the output, as bytes with `/` between the names; empty for the
/// root itself. Never begins or ends with `/` and holds no `.` or `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryPath(Arc<[u8]>);

impl EntryPath {
    /// The path's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root of the output.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn join(&self, name: &[u8]) -> Option<Self> {
        let length = self.0.len() + 1 + name.len();
        if length > DOWNLOAD_PATH_BYTES {
            return None;
        }
        let mut path = Vec::with_capacity(length);
        path.extend_from_slice(&self.0);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Some(Self(path.into()))
    }
}

/// Where in the output a block belongs. `F` is the receiver's handle for a file.
#[derive(Clone, Debug)]
pub enum Place<F> {
    /// Whatever lives at a path: a file, a folder or a symbolic link.
    Entry(EntryPath),
    /// A further shard of the folder at a path, and which one: that shows that no
    /// name is twice in the folder.
    Shard(EntryPath, ShardPlace),
    /// A part of a file.
    Part {
        /// The file.
        file: F,
        /// The node that links to this part.
        parent: Cid,
        /// The part's first byte, counted from the start of `parent`.
        start: u64,
        /// The part's first byte, counted from the start of the file.
        offset: u64,
        /// How many of the file's bytes the part holds.
        length: u64,
    },
}

/// A block that is wanted, and where it belongs.
#[derive(Clone, Debug)]
pub struct Item<F> {
    /// The block.
    pub cid: Cid,
    /// Where it belongs.
    pub place: Place<F>,
    /// How many links lie between the root and this block.
    pub depth: u16,
    /// How many bytes the graph below it holds, where its parent says so. A
    /// hint for scheduling: only hashes are proof.
    pub size: Option<u64>,
}

impl<F> Item<F> {
    /// The root of a download.
    #[must_use]
    pub fn root(cid: Cid) -> Self {
        Self { cid, place: Place::Entry(EntryPath::default()), depth: 0, size: None }
    }

    /// How many bytes of its file a part holds; 0 for anything else.
    #[must_use]
    pub fn part_length(&self) -> u64 {
        match self.place {
            Place::Part { length, .. } => length,
            Place::Entry(_) | Place::Shard(..) => 0,
        }
    }
}

/// Why a graph cannot be received, whoever sends it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError<E> {
    /// A block is not what its codec says.
    #[error("{cid} is not a valid UnixFS block: {reason}")]
    Decode {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        reason: DecodeError,
    },
    /// A block is of another kind than its parent says.
    #[error("{cid} is {found} where {wanted} was promised")]
    Unexpected {
        /// The block.
        cid: Cid,
        /// What it is.
        found: &'static str,
        /// What it should have been.
        wanted: &'static str,
    },
    /// A part of a file has another length than its parent says.
    #[error("{cid} holds {found} bytes where {wanted} were promised")]
    WrongLength {
        /// The block.
        cid: Cid,
        /// How many bytes it holds.
        found: u64,
        /// How many its parent promised.
        wanted: u64,
    },
    /// A folder's shard holds what belongs into another.
    #[error("{cid} holds a name that belongs into another shard")]
    Misplaced {
        /// The shard.
        cid: Cid,
    },
    /// The graph is deeper than any real folder.
    #[error("the graph is more than {DOWNLOAD_GRAPH_DEPTH} links deep")]
    TooDeep,
    /// A path is longer than file systems allow.
    #[error("a path is longer than {DOWNLOAD_PATH_BYTES} bytes, and cannot be written")]
    PathTooLong,
    /// The receiver's own side failed: a disk that is full, say.
    #[error(transparent)]
    Output(E),
}

impl<E: Advice> Advice for ExpandError<E> {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Decode { reason, .. } => reason.hint(),
            Self::Unexpected { .. } | Self::WrongLength { .. } | Self::Misplaced { .. } => {
                Some("ask whoever made it to make it again")
            }
            Self::TooDeep => Some("ask whoever made it to flatten it"),
            Self::PathTooLong => Some("ask whoever made it for shorter names"),
            Self::Output(error) => error.hint(),
        }
    }
}

/// Takes a block that has arrived to where it belongs, and returns what has to
/// be fetched below it, as a stack: the last element comes first.
///
/// # Errors
///
/// When the block does not fit its place, or the output refuses. Neither is
/// the fault of the peer that sent it: its bytes hash to the CID asked for.
pub fn expand<O: Output>(
    item: &Item<O::File>,
    block: &Block,
    output: &mut O,
) -> Result<Vec<Item<O::File>>, ExpandError<O::Error>> {
    let view = View::of(block.cid(), block.data())
        .map_err(|reason| ExpandError::Decode { cid: *block.cid(), reason })?;
    if item.depth > DOWNLOAD_GRAPH_DEPTH {
        return Err(ExpandError::TooDeep);
    }
    if item.depth == 0 {
        output.announced(announced(&view)).map_err(ExpandError::Output)?;
    }
    let arrival = Arrival { block, depth: item.depth + 1 };
    match &item.place {
        Place::Entry(path) => arrival.entry(path, view, output),
        Place::Shard(path, place) => arrival.shard(path, *place, view, output),
        Place::Part { file, offset, length, .. } => {
            arrival.part(file, *offset, *length, view, output)
        }
    }
}

/// How many bytes a root says that it and all below it hold. Nobody has proven
/// that: a graph may hold more, which is noticed where it lies.
fn announced(view: &View) -> u64 {
    match view {
        View::Raw(data) => data.len() as u64,
        View::File { size, .. } => *size,
        View::Directory { entries, .. } => {
            entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.total_size))
        }
        View::Shard { links, .. } => links.iter().fold(0, |sum, link| {
            sum.saturating_add(match link {
                ShardLink::Entry { entry, .. } => entry.total_size,
                ShardLink::Shard { total_size, .. } => *total_size,
            })
        }),
        View::Symlink { .. } => 0,
    }
}

struct Arrival<'a> {
    block: &'a Block,
    depth: u16,
}

type Children<O> = Result<Vec<Item<<O as Output>::File>>, ExpandError<<O as Output>::Error>>;

impl Arrival<'_> {
    fn entry<O: Output>(&self, path: &EntryPath, view: View, output: &mut O) -> Children<O> {
        match view {
            View::Raw(data) => {
                let size = data.len() as u64;
                let file =
                    output.file(path, size, Metadata::default()).map_err(ExpandError::Output)?;
                self.part(&file, 0, size, View::Raw(data), output)
            }
            View::File { size, metadata, .. } => {
                let file = output.file(path, size, metadata).map_err(ExpandError::Output)?;
                self.part(&file, 0, size, view, output)
            }
            View::Directory { entries, metadata } => {
                self.list(entries.len(), output)?;
                output.directory(path, metadata).map_err(ExpandError::Output)?;
                output.keep(self.block).map_err(ExpandError::Output)?;
                entries.iter().rev().map(|entry| self.child(path, entry)).collect()
            }
            View::Shard { links, metadata, fanout } => {
                output.directory(path, metadata).map_err(ExpandError::Output)?;
                self.links(path, ShardPlace::root(fanout), &links, output)
            }
            View::Symlink { target, metadata } => {
                output.symlink(path, &target, metadata).map_err(ExpandError::Output)?;
                output.keep(self.block).map_err(ExpandError::Output)?;
                Ok(Vec::new())
            }
        }
    }

    fn list<O: Output>(&self, count: usize, output: &mut O) -> Result<(), ExpandError<O::Error>> {
        output.listing(self.block.cid(), count).map_err(ExpandError::Output)
    }

    fn shard<O: Output>(
        &self,
        path: &EntryPath,
        place: ShardPlace,
        view: View,
        output: &mut O,
    ) -> Children<O> {
        match view {
            View::Shard { links, fanout, .. } if fanout == place.fanout() => {
                self.links(path, place, &links, output)
            }
            other => Err(self.unexpected(&other, "a folder's shard")),
        }
    }

    fn links<O: Output>(
        &self,
        path: &EntryPath,
        place: ShardPlace,
        links: &[ShardLink],
        output: &mut O,
    ) -> Children<O> {
        self.list(links.len(), output)?;
        output.keep(self.block).map_err(ExpandError::Output)?;
        links.iter().rev().map(|link| self.link(path, place, link)).collect()
    }

    fn link<F, E>(
        &self,
        path: &EntryPath,
        place: ShardPlace,
        link: &ShardLink,
    ) -> Result<Item<F>, ExpandError<E>> {
        let misplaced = ExpandError::Misplaced { cid: *self.block.cid() };
        match link {
            ShardLink::Entry { position, entry } if place.holds(*position, &entry.name) => {
                self.child(path, entry)
            }
            ShardLink::Entry { .. } => Err(misplaced),
            ShardLink::Shard { position, cid, total_size } => {
                let below = place.below(*position).ok_or(misplaced)?;
                let place = Place::Shard(path.clone(), below);
                Ok(Item { cid: *cid, place, depth: self.depth, size: Some(*total_size) })
            }
        }
    }

    fn child<F, E>(&self, path: &EntryPath, entry: &Entry) -> Result<Item<F>, ExpandError<E>> {
        let path = path.join(&entry.name).ok_or(ExpandError::PathTooLong)?;
        let place = Place::Entry(path);
        Ok(Item { cid: entry.cid, place, depth: self.depth, size: Some(entry.total_size) })
    }

    fn part<O: Output>(
        &self,
        file: &O::File,
        offset: u64,
        length: u64,
        view: View,
        output: &mut O,
    ) -> Children<O> {
        let (found, inline, at, children) = match view {
            View::Raw(data) => (data.len() as u64, data.len(), 0, Vec::new()),
            View::File { inline, inline_offset, children, size, .. } => {
                (size, inline.len(), inline_offset, children)
            }
            other => return Err(self.unexpected(&other, "a part of a file")),
        };
        if found != length {
            let cid = *self.block.cid();
            return Err(ExpandError::WrongLength { cid, found, wanted: length });
        }
        self.own_bytes(file, offset, at..at + inline, children.is_empty(), output)?;
        Ok(self.below(file, offset, inline as u64, &children))
    }

    /// The bytes of a file that lie in the node itself, before its children's.
    fn own_bytes<O: Output>(
        &self,
        file: &O::File,
        offset: u64,
        range: Range<usize>,
        is_leaf: bool,
        output: &mut O,
    ) -> Result<(), ExpandError<O::Error>> {
        if range.is_empty() || !is_leaf {
            output.keep(self.block).map_err(ExpandError::Output)?;
        }
        if range.is_empty() {
            return Ok(());
        }
        let piece = Piece { file, offset, block: self.block, range, is_leaf };
        output.data(piece).map_err(ExpandError::Output)
    }

    /// The parts of a file below this node; the first begins `start` bytes into it.
    fn below<F: Clone>(
        &self,
        file: &F,
        offset: u64,
        mut start: u64,
        children: &[Child],
    ) -> Vec<Item<F>> {
        let mut items = Vec::with_capacity(children.len());
        for child in children {
            let place = Place::Part {
                file: file.clone(),
                parent: *self.block.cid(),
                start,
                offset: offset + start,
                length: child.file_bytes,
            };
            let size = Some(child.file_bytes);
            items.push(Item { cid: child.cid, place, depth: self.depth, size });
            start += child.file_bytes;
        }
        items.reverse();
        items
    }

    fn unexpected<E>(&self, view: &View, wanted: &'static str) -> ExpandError<E> {
        let found = match view {
            View::Raw(_) | View::File { .. } => "a file",
            View::Directory { .. } => "a folder",
            View::Shard { .. } => "a folder's shard",
            View::Symlink { .. } => "a symbolic link",
        };
        ExpandError::Unexpected { cid: *self.block.cid(), found, wanted }
    }
}
