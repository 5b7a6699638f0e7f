//! What a download does to the world, as a trait: the pure side calls it, the
//! driver writes files, a test collects bytes.

use std::ops::Range;

use super::item::EntryPath;
use crate::data::{Block, Cid, unixfs::Metadata};

/// Bytes of a file that have arrived, still inside their verified block.
#[derive(Debug)]
pub struct Piece<'a, F> {
    /// The file.
    pub file: &'a F,
    /// Where in the file they belong.
    pub offset: u64,
    /// The block that holds them.
    pub block: &'a Block,
    /// Where in the block they lie.
    pub range: Range<usize>,
    /// Whether the block has no children, so that the file's own bytes and a
    /// frame of a few bytes are all there is to it.
    pub is_leaf: bool,
}

impl<F> Piece<'_, F> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.block.data()[self.range.clone()]
    }
}

/// Receives what a download finds.
pub trait Output {
    /// The receiver's handle for a file. Cloned for every part of it.
    type File: Clone;
    /// What can go wrong on the receiver's side.
    type Error;

    /// The graph says that it holds about so many bytes; told once, before
    /// anything else, of what the root says of what is below it.
    ///
    /// # Errors
    ///
    /// When that is more than the receiver takes.
    fn announced(&mut self, bytes: u64) -> Result<(), Self::Error> {
        let _ = bytes;
        Ok(())
    }

    /// A folder, or a shard of one, lists so many entries; told each time that
    /// it is met.
    ///
    /// # Errors
    ///
    /// When the receiver has met it too often.
    fn listing(&mut self, cid: &Cid, entries: usize) -> Result<(), Self::Error> {
        let _ = (cid, entries);
        Ok(())
    }

    /// A folder exists at `path`.
    ///
    /// # Errors
    ///
    /// What the receiver meets.
    fn directory(&mut self, path: &EntryPath, metadata: Metadata) -> Result<(), Self::Error>;

    /// A symbolic link exists at `path`.
    ///
    /// # Errors
    ///
    /// What the receiver meets.
    fn symlink(
        &mut self,
        path: &EntryPath,
        target: &[u8],
        metadata: Metadata,
    ) -> Result<(), Self::Error>;

    /// A file of `size` bytes exists at `path`; its bytes follow.
    ///
    /// # Errors
    ///
    /// What the receiver meets.
    fn file(
        &mut self,
        path: &EntryPath,
        size: u64,
        metadata: Metadata,
    ) -> Result<Self::File, Self::Error>;

    /// Bytes of a file arrived.
    ///
    /// # Errors
    ///
    /// What the receiver meets.
    fn data(&mut self, piece: Piece<'_, Self::File>) -> Result<(), Self::Error>;

    /// A block that no file holds, to be kept so that it can be served.
    ///
    /// # Errors
    ///
    /// What the receiver meets.
    fn keep(&mut self, block: &Block) -> Result<(), Self::Error>;
}
