//! Files that are read in pieces, by all threads at once.

use std::{collections::BTreeMap, fs::File, sync::Arc};

use peerage_core::data::layout::{FileLayout, Part};

use super::{Assembly, Item, PIECE_BYTES};
use crate::{
    import::{
        ImportError,
        hashing::{Job, Trouble},
    },
    limits::MAX_IMPORT_ATTEMPTS,
    store::os::{self, Stat},
};

/// A file that is read in pieces.
pub(super) struct LargeFile {
    item: Item,
    file: Arc<File>,
    stat: Stat,
    layout: FileLayout,
    /// Where the next piece to be handed out starts.
    issued: u64,
    /// Where the next leaf goes.
    placed: u64,
    /// Leaves that came before their turn, by offset.
    early: BTreeMap<u64, Vec<Part>>,
    attempt: u32,
}

impl Assembly<'_> {
    pub(super) fn open_large(
        &mut self,
        number: u32,
        item: Item,
        attempt: u32,
    ) -> Result<(), ImportError> {
        let opened = os::open(&item.path).and_then(|file| Ok((os::stat(&file)?, file)));
        let (stat, file) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.leave_out_unreadable(item, error),
        };
        if stat.size <= self.small_bytes() || !stat.is_file {
            return Err(ImportError::Changing { path: item.path });
        }
        // Until it is whole its blocks are hashed again when read.
        self.batch.file(number, self.record(&item, &stat, false))?;
        let layout = FileLayout::new(self.rules.profile);
        let (issued, placed, early) = (0, 0, BTreeMap::new());
        let file = Arc::new(file);
        let large = LargeFile { item, file, stat, layout, issued, placed, early, attempt };
        self.large.insert(number, large);
        self.issuing.push_back(number);
        Ok(())
    }

    pub(super) fn next_piece(&mut self) -> Option<Job> {
        let number = *self.issuing.front()?;
        let large = self.large.get_mut(&number)?;
        let chunk = self.rules.profile.chunk_size.max(1) as u64;
        let piece = chunk * (PIECE_BYTES / chunk).max(1);
        let (offset, len) = (large.issued, piece.min(large.stat.size - large.issued));
        large.issued += len;
        let file = Arc::clone(&large.file);
        if large.issued == large.stat.size {
            self.issuing.pop_front();
        }
        Some(Job::Piece { number, file, offset, len })
    }

    pub(super) fn take_piece(
        &mut self,
        number: u32,
        offset: u64,
        leaves: Result<Vec<Part>, Trouble>,
    ) -> Result<(), ImportError> {
        // A piece of an attempt that was given up is nobody's.
        let Some(mut large) = self.large.remove(&number) else { return Ok(()) };
        let leaves = match leaves {
            Ok(leaves) => leaves,
            Err(Trouble::Changing) => return self.start_again(number, large),
            Err(trouble) => {
                self.stop_issuing(number);
                return self.trouble(large.item, trouble);
            }
        };
        self.progress.hashed(leaves.iter().map(|leaf| leaf.file_bytes).sum());
        large.early.insert(offset, leaves);
        while let Some(leaves) = large.early.remove(&large.placed) {
            large.placed = self.push_leaves(&mut large.layout, number, large.placed, &leaves);
        }
        if large.placed < large.stat.size {
            self.large.insert(number, large);
            return Ok(());
        }
        let now = os::stat(&large.file);
        if !now.is_ok_and(|now| now.same_content(&large.stat)) {
            return self.start_again(number, large);
        }
        self.batch.file(number, self.record(&large.item, &large.stat, true))?;
        let metadata = self.rules.metadata_of(&large.stat);
        let built = self.end_layout(large.layout, &metadata, &large.item)?;
        self.end_file(large.item, built)
    }

    fn stop_issuing(&mut self, number: u32) {
        self.issuing.retain(|other| *other != number);
    }

    /// Reads a file that changed once more, under a new number: what was
    /// recorded under the old one stays marked as to be hashed again.
    fn start_again(&mut self, number: u32, large: LargeFile) -> Result<(), ImportError> {
        self.stop_issuing(number);
        if large.attempt >= MAX_IMPORT_ATTEMPTS {
            return Err(ImportError::Changing { path: large.item.path });
        }
        let again = self.number()?;
        self.open_large(again, large.item, large.attempt + 1)
    }
}
