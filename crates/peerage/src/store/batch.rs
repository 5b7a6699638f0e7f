//! What is written to a store together.

use std::path::{Component, Path};

use peerage_core::data::{Block, Cid, unixfs::Metadata};

use super::{
    OwnerId, StoreError, ValueChange,
    record::{Around, FileRecord, Reference},
    values::{check_change, check_space},
};

/// What goes around a file's bytes to make them the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Nothing: a raw leaf.
    Raw,
    /// A dag-pb node with the bytes inside, as
    /// [`inline_frame`](peerage_core::data::layout::inline_frame) makes it:
    /// a leaf that is not raw has no metadata, a whole file may have.
    Inline(Metadata),
}

/// Blocks, files, references and values that are written to a store in one transaction.
///
/// Everything in it belongs to one owner, and goes when the owner is removed.
/// Keep batches to some ten thousand records: a batch is held in memory.
#[derive(Debug)]
pub struct Batch {
    pub(super) owner: OwnerId,
    pub(super) blocks: Vec<Block>,
    block_bytes: usize,
    pub(super) files: Vec<(u32, FileRecord)>,
    pub(super) references: Vec<(Cid, Reference)>,
    /// The metadata around the bytes of the files that are one block.
    pub(super) inline: Vec<(u32, Metadata)>,
    /// Keys and values, each with its space.
    pub(super) values: Vec<(String, ValueChange)>,
}

impl Batch {
    /// An empty batch for `owner`.
    #[must_use]
    pub const fn new(owner: OwnerId) -> Self {
        Self {
            owner,
            blocks: Vec::new(),
            block_bytes: 0,
            files: Vec::new(),
            references: Vec::new(),
            inline: Vec::new(),
            values: Vec::new(),
        }
    }

    /// A block that the store shall keep itself.
    pub fn block(&mut self, block: Block) {
        self.block_bytes += block.data().len();
        self.blocks.push(block);
    }

    /// Sets or removes a key of the owner's, in one of its spaces
    /// ([`Store::values_of`](super::Store::values_of)).
    ///
    /// # Errors
    ///
    /// When the space's name, the key or the value is too long.
    pub fn value(&mut self, space: &str, change: ValueChange) -> Result<(), StoreError> {
        check_space(space)?;
        check_change(&change)?;
        self.values.push((space.to_owned(), change));
        Ok(())
    }

    /// A user's file, under a number that the caller chooses: unique in the
    /// owner, and best counted up from 0 in the order of the paths. Writing a
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
    ///
    /// A file can be the inside of one block with metadata, not of several
    /// with different ones.
    pub fn reference(&mut self, cid: Cid, file: u32, offset: u64, len: u64, frame: Frame) {
        self.refer(cid, file, Some((offset, len)), frame);
    }

    /// Says that the block `cid` is the whole of the file with that number:
    /// the record is shorter, which counts when there are many small files.
    pub fn whole_file(&mut self, cid: Cid, file: u32, frame: Frame) {
        self.refer(cid, file, None, frame);
    }

    fn refer(&mut self, cid: Cid, file: u32, part: Option<(u64, u64)>, frame: Frame) {
        let around = match frame {
            Frame::Raw => Around::Nothing,
            Frame::Inline(metadata) if metadata.is_empty() => Around::Leaf,
            Frame::Inline(metadata) => {
                self.inline.push((file, metadata));
                Around::File
            }
        };
        self.references.push((cid, Reference { owner: self.owner, file, part, around }));
    }

    /// The number of records in the batch: blocks, files, references and values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.blocks.len() + self.files.len() + self.references.len() + self.values.len()
    }

    /// The bytes of the blocks in the batch.
    #[must_use]
    pub const fn block_bytes(&self) -> usize {
        self.block_bytes
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
