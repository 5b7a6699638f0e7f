//! What is written to a store together.

use std::path::{Component, Path};

use peerage_core::data::{Block, Cid};

use super::{
    StoreError, TreeId,
    record::{FileRecord, Reference},
};

/// What goes around a file's bytes to make them the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// Nothing: a raw leaf.
    Raw,
}

impl Frame {
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Raw => 0,
        }
    }

    pub(super) const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Raw),
            _ => None,
        }
    }
}

/// Blocks, files and references that are written to a store in one transaction.
///
/// Everything in it belongs to one tree, and goes when the tree is removed.
/// Keep batches to some ten thousand records: a batch is held in memory.
#[derive(Debug)]
pub struct Batch {
    pub(super) tree: TreeId,
    pub(super) blocks: Vec<Block>,
    pub(super) files: Vec<(u32, FileRecord)>,
    pub(super) references: Vec<(Cid, Reference)>,
}

impl Batch {
    /// An empty batch for `tree`.
    #[must_use]
    pub const fn new(tree: TreeId) -> Self {
        Self { tree, blocks: Vec::new(), files: Vec::new(), references: Vec::new() }
    }

    /// A block that the store shall keep itself.
    pub fn block(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// A user's file, under a number that the caller chooses: unique in the
    /// tree, and best counted up from 0 in the order of the paths. Writing a
    /// number again replaces the record, for instance when the file is whole.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadPath`] when the path is absolute or has a `..` in it.
    pub fn file(&mut self, number: u32, file: FileRecord) -> Result<(), StoreError> {
        check_path(&file.path)?;
        self.files.push((number, file));
        Ok(())
    }

    /// Says that the block `cid` is the `len` bytes from `offset` on of the
    /// file with that number, which is in this batch or already in the store.
    pub fn reference(&mut self, cid: Cid, file: u32, offset: u64, len: u64, frame: Frame) {
        let part = Some((offset, len));
        self.references.push((cid, Reference { tree: self.tree, file, part, frame }));
    }

    /// Says that the block `cid` is the whole of the file with that number:
    /// the record is shorter, which counts when there are many small files.
    pub fn whole_file(&mut self, cid: Cid, file: u32, frame: Frame) {
        self.references.push((cid, Reference { tree: self.tree, file, part: None, frame }));
    }

    /// The number of records in the batch: blocks, files and references.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.blocks.len() + self.files.len() + self.references.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn check_path(path: &Path) -> Result<(), StoreError> {
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(()) } else { Err(StoreError::BadPath { path: path.to_path_buf() }) }
}
