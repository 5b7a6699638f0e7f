//! Which blocks of a graph follow each other: what a trustless gateway sends,
//! and so what its client expects.
//!
//! See the [trustless gateway specification](https://specs.ipfs.tech/http-gateways/trustless-gateway/):
//! first the blocks that a path leads through, then those below its end that
//! are in scope, depth first.

use std::{ops::Range, vec};

use bytes::Bytes;

use self::seen::{Meeting, Seen};
pub use self::{
    error::WalkError,
    range::{DagScope, EntityBytes},
};
use super::{
    Cid, View, codec, dag_cbor,
    hamt::{Fanout, ShardPlace},
    view::{Child, DecodeError, ShardLink},
};
use crate::limits::{MAX_DAG_DEPTH, MAX_WALK_BLOCKS, MAX_WALK_PENDING};

mod error;
mod path;
mod range;
mod seen;
#[cfg(test)]
mod tests;

/// What is wanted of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Where the path begins.
    pub root: Cid,
    /// The names to follow from there.
    pub path: Vec<Bytes>,
    /// How much is wanted of what the path ends at.
    pub scope: DagScope,
    /// Which bytes are wanted, if the path ends at a file. With a range the
    /// scope is [`DagScope::Entity`].
    pub range: Option<EntityBytes>,
    /// Whether a block that occurs several times comes each time.
    pub duplicates: bool,
}

impl Selection {
    /// Everything below `root`, each block once.
    #[must_use]
    pub const fn all(root: Cid) -> Self {
        Self { root, path: Vec::new(), scope: DagScope::All, range: None, duplicates: false }
    }
}

/// The next block of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The block.
    pub cid: Cid,
    /// Whether the walk goes on only when it is fed the block. Leaves need not
    /// be fed.
    pub feed: bool,
    /// Whether the block came before in a walk without duplicates, so that it
    /// is to be fed but not to be sent or waited for again.
    pub repeat: bool,
    /// How many bytes of a file the block must hold, in and below it, where
    /// that is known. A raw block must be of this length.
    pub file_bytes: Option<u64>,
}

/// A walk over a graph, depth first.
///
/// Pure: it says which block comes next and is fed blocks, wherever they come
/// from. It does not hash them: the caller has verified what it feeds.
///
/// Holds the links that are still to follow of the blocks above where it is
/// (at most [`MAX_WALK_PENDING`]), and without duplicates a set of the blocks
/// it has met (at most [`MAX_WALK_SEEN`]; beyond that, some may come again).
///
/// ```
/// use std::collections::HashMap;
/// use peerage_core::data::{Cid, Profile, layout::FileLayout, select::{Selection, Walk}, unixfs::Metadata};
///
/// let profile = Profile { chunk_size: 4, ..Profile::default() };
/// let (mut blocks, mut file) = (HashMap::new(), FileLayout::new(profile));
/// let mut keep = |block: peerage_core::data::Block| { blocks.insert(*block.cid(), block); };
/// for chunk in ["abcd", "efgh"] {
///     file.push_chunk(chunk.into(), &mut keep);
/// }
/// let root = file.finish(&Metadata::default(), &mut keep)?.cid;
///
/// let mut walk = Walk::new(Selection::all(root));
/// let mut sent: Vec<Cid> = Vec::new();
/// while let Some(step) = walk.advance()? {
///     if step.feed {
///         walk.feed(&step.cid, blocks[&step.cid].data())?;
///     }
///     sent.push(step.cid);
/// }
/// assert_eq!(sent.len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`MAX_WALK_SEEN`]: crate::limits::MAX_WALK_SEEN
#[derive(Debug)]
pub struct Walk {
    path: Vec<Bytes>,
    scope: DagScope,
    range: Option<EntityBytes>,
    /// The bytes that are wanted of the file, once its size is known.
    wanted: Range<u64>,
    /// What is still to visit of each block above.
    open: Vec<vec::IntoIter<Visit>>,
    pending: usize,
    waiting: Option<Visit>,
    seen: Option<Seen>,
    blocks: u64,
    terminus: Option<Cid>,
}

/// A block to visit, and as what.
#[derive(Clone, Copy, Debug)]
struct Visit {
    cid: Cid,
    depth: u32,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// To find the path's segment of this index: in a folder or, if given, in
    /// this shard of one.
    Path(usize, Option<ShardPlace>),
    /// As whatever it is: the end of the path, or something below it.
    Node,
    /// As a part of a file, from `start` on and `bytes` long.
    Part { start: u64, bytes: u64 },
    /// As this shard of a folder that is listed. Where the walk began at a shard
    /// nobody knows which one it is, and so not what belongs into it.
    Shard(Fanout, Option<ShardPlace>),
}

impl Walk {
    /// A walk over what is selected.
    #[must_use]
    pub fn new(selection: Selection) -> Self {
        let Selection { root, path, scope, range, duplicates } = selection;
        let mut walk = Self {
            path,
            scope: if range.is_some() { DagScope::Entity } else { scope },
            range,
            wanted: 0..u64::MAX,
            open: Vec::new(),
            pending: 1,
            waiting: None,
            seen: (!duplicates).then(Seen::default),
            blocks: 0,
            terminus: None,
        };
        let first = Visit { cid: root, depth: 0, purpose: walk.at_segment(0, root) };
        walk.open.push(vec![first].into_iter());
        walk
    }

    /// The block at the end of the path, once it is known.
    #[must_use]
    pub const fn terminus(&self) -> Option<Cid> {
        self.terminus
    }

    /// Whether nothing more will come.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.waiting.is_none() && self.pending == 0
    }

    /// The next block; `None` at the end, or while the last one that was to be
    /// fed has not been.
    ///
    /// # Errors
    ///
    /// When a limit is met or a block inside a CID is malformed.
    pub fn advance(&mut self) -> Result<Option<Step>, WalkError> {
        while self.waiting.is_none() {
            let Some(visit) = self.next_visit() else { return Ok(None) };
            if visit.cid.hash().code() == IDENTITY {
                let block = Bytes::copy_from_slice(visit.cid.hash().digest());
                self.expand(visit, &block)?;
            } else if let Some(step) = self.step(visit)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// Takes the block that the walk waits for.
    ///
    /// # Errors
    ///
    /// When the block is another, cannot be read, breaks a limit, or does not
    /// have what the path names.
    pub fn feed(&mut self, cid: &Cid, block: &Bytes) -> Result<(), WalkError> {
        match self.waiting {
            Some(visit) if visit.cid == *cid => {
                self.waiting = None;
                self.expand(visit, block)
            }
            _ => Err(WalkError::Unexpected { cid: *cid }),
        }
    }

    fn next_visit(&mut self) -> Option<Visit> {
        loop {
            if let Some(visit) = self.open.last_mut()?.next() {
                self.pending -= 1;
                return Some(visit);
            }
            self.open.pop();
        }
    }

    /// What visiting a block asks for, if anything.
    fn step(&mut self, visit: Visit) -> Result<Option<Step>, WalkError> {
        let feed = self.needs_block(&visit);
        let whole = self.walks_whole(&visit);
        let meeting =
            self.seen.as_mut().map_or(Meeting::First, |seen| seen.meet(&visit.cid, whole));
        let repeat = meeting == Meeting::Again;
        if meeting == Meeting::Whole || (repeat && !feed) {
            return Ok(None);
        }
        self.blocks += 1;
        if self.blocks > MAX_WALK_BLOCKS {
            return Err(WalkError::TooLong);
        }
        self.waiting = feed.then_some(visit);
        let file_bytes = match visit.purpose {
            Purpose::Part { bytes, .. } => Some(bytes),
            _ => None,
        };
        Ok(Some(Step { cid: visit.cid, feed, repeat, file_bytes }))
    }

    fn needs_block(&self, visit: &Visit) -> bool {
        let has_links = matches!(visit.cid.codec(), codec::DAG_PB | codec::DAG_CBOR);
        match visit.purpose {
            Purpose::Path(..) | Purpose::Shard(..) => true,
            Purpose::Node => has_links && self.scope != DagScope::Block,
            Purpose::Part { .. } => visit.cid.codec() != codec::RAW,
        }
    }

    /// Whether all that can be walked below a block will be.
    fn walks_whole(&self, visit: &Visit) -> bool {
        match visit.purpose {
            Purpose::Path(..) => false,
            Purpose::Node => self.range.is_none(),
            Purpose::Shard(..) => true,
            Purpose::Part { start, bytes } => {
                self.wanted.start <= start && start.saturating_add(bytes) <= self.wanted.end
            }
        }
    }

    /// Adds what is to be visited below a block.
    fn expand(&mut self, visit: Visit, block: &Bytes) -> Result<(), WalkError> {
        let below = match visit.purpose {
            Purpose::Path(segment, place) => self.follow(&visit, segment, place, block)?,
            Purpose::Node => self.below(&visit, block)?,
            Purpose::Part { start, bytes } => self.part(&visit, start..start + bytes, block)?,
            Purpose::Shard(wanted, place) => match view(&visit.cid, block)? {
                View::Shard { links, fanout, .. } if fanout == wanted => {
                    self.shard(&visit, fanout, place, links)?
                }
                _ => return Err(WalkError::NotTheShard { cid: visit.cid }),
            },
        };
        if below.is_empty() {
            return Ok(());
        }
        if visit.depth >= MAX_DAG_DEPTH {
            return Err(WalkError::TooDeep);
        }
        self.pending += below.len();
        if self.pending > MAX_WALK_PENDING {
            return Err(WalkError::TooWide);
        }
        // A block whose links are all followed is no longer above anything.
        while self.open.last().is_some_and(|visits| visits.len() == 0) {
            self.open.pop();
        }
        self.open.push(below.into_iter());
        Ok(())
    }

    /// What is in scope below the end of the path or anything below that.
    fn below(&mut self, visit: &Visit, block: &Bytes) -> Result<Vec<Visit>, WalkError> {
        match visit.cid.codec() {
            _ if self.scope == DagScope::Block => return Ok(Vec::new()),
            codec::DAG_PB => {}
            codec::DAG_CBOR if self.scope == DagScope::All => {
                let links = dag_cbor::links(block).map_err(|source| WalkError::Record {
                    cid: visit.cid,
                    source: source.into(),
                })?;
                return Ok(links.into_iter().map(|cid| visit.below(cid, Purpose::Node)).collect());
            }
            _ => return Ok(Vec::new()),
        }
        match view(&visit.cid, block)? {
            View::File { inline, children, size, .. } => {
                if let Some(range) = self.range {
                    self.wanted = range.resolve(size).unwrap_or(0..0);
                }
                Ok(self.children(visit, inline.len() as u64, &children))
            }
            View::Directory { entries, .. } if self.scope == DagScope::All => {
                Ok(entries.iter().map(|entry| visit.below(entry.cid, Purpose::Node)).collect())
            }
            View::Shard { links, fanout, .. } => {
                let place = (visit.depth > 0).then(|| ShardPlace::root(fanout));
                self.shard(visit, fanout, place, links)
            }
            View::Directory { .. } | View::Symlink { .. } | View::Raw(_) => Ok(Vec::new()),
        }
    }

    fn part(
        &self,
        visit: &Visit,
        bytes: Range<u64>,
        block: &Bytes,
    ) -> Result<Vec<Visit>, WalkError> {
        let wanted_size = bytes.end - bytes.start;
        match view(&visit.cid, block)? {
            View::Raw(data) if data.len() as u64 == wanted_size => Ok(Vec::new()),
            View::File { inline, children, size, .. } if size == wanted_size => {
                Ok(self.children(visit, bytes.start + inline.len() as u64, &children))
            }
            _ => Err(WalkError::NotThePart { cid: visit.cid }),
        }
    }

    /// The parts of a file that hold bytes that are wanted; the first of them
    /// begins at `start`.
    fn children(&self, visit: &Visit, mut start: u64, children: &[Child]) -> Vec<Visit> {
        let mut visits = Vec::new();
        for child in children {
            let part = Purpose::Part { start, bytes: child.file_bytes };
            let end = start.saturating_add(child.file_bytes);
            if start < self.wanted.end && self.wanted.start < end {
                visits.push(visit.below(child.cid, part));
            }
            start = end;
        }
        visits
    }

    /// The shards below a shard and, when everything is wanted, its entries.
    fn shard(
        &self,
        visit: &Visit,
        fanout: Fanout,
        place: Option<ShardPlace>,
        links: Vec<ShardLink>,
    ) -> Result<Vec<Visit>, WalkError> {
        let holds = |position, name: &Bytes| place.is_none_or(|place| place.holds(position, name));
        let misplaced = || WalkError::NotTheShard { cid: visit.cid };
        let mut visits = Vec::with_capacity(links.len());
        for link in links {
            match link {
                ShardLink::Shard { position, cid, .. } => {
                    let below = place.map(|place| place.below(position).ok_or_else(misplaced));
                    let below = below.transpose()?;
                    visits.push(visit.below(cid, Purpose::Shard(fanout, below)));
                }
                ShardLink::Entry { position, entry } if holds(position, &entry.name) => {
                    if self.scope == DagScope::All {
                        visits.push(visit.below(entry.cid, Purpose::Node));
                    }
                }
                ShardLink::Entry { .. } => return Err(misplaced()),
            }
        }
        Ok(visits)
    }
}

const IDENTITY: u64 = 0;

impl Visit {
    const fn below(&self, cid: Cid, purpose: Purpose) -> Self {
        Self { cid, depth: self.depth + 1, purpose }
    }
}

fn view(cid: &Cid, block: &Bytes) -> Result<View, WalkError> {
    let failed = |source: DecodeError| WalkError::Decode { cid: *cid, source: source.into() };
    View::of(cid, block).map_err(failed)
}
