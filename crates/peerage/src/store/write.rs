//! Writing batches.

use std::ops::Bound;

use peerage_core::data::{Block, Cid, unixfs::Metadata};
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};

use super::{
    Batch, FileRecord, OwnerId, Store, StoreError, lock,
    owners::is_live,
    record::{Entry, FileGroup, Kept, Place, Reference, block_key, group_of},
    tables::{BLOCKS, BlockKey, FILES, PIECES},
    values::write_values,
};
use crate::limits::MAX_BLOCK_REFERENCES;

/// Kept blocks up to this size lie beside their key, larger ones in `pieces`.
const BESIDE_KEY_BYTES: usize = 1024;

/// Pieces fill their pages: the database gives a value a power of two of
/// 4 KiB pages and needs 16 bytes there itself.
const SMALL_PIECE: usize = 4096 - 16;
const LARGE_PIECE: usize = 65_536 - 16;

impl Store {
    /// Keeps blocks for an owner.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchOwner`], or when the disk fails.
    pub fn put(&self, owner: OwnerId, blocks: &[Block]) -> Result<(), StoreError> {
        let mut batch = Batch::new(owner);
        blocks.iter().for_each(|block| batch.block(block.clone()));
        self.write(batch)
    }

    /// Writes a batch: all of it, or nothing. It survives a crash of the
    /// machine or the process after the next [`Store::sync`].
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchOwner`] when the batch's owner is not in the store,
    /// [`StoreError::NoSuchFile`] when metadata is for a file that is in
    /// neither, and others when the disk fails.
    pub fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let owner = batch.owner;
        let Batch { blocks, mut files, references, mut inline, values, .. } = batch;
        // Stable, so that the last of several records for one number wins.
        files.sort_by_key(|(number, _)| *number);
        inline.sort_by_key(|(number, _)| *number);
        let mut numbers: Vec<u32> = files.iter().map(|(number, _)| *number).collect();
        let changes = self.changes(blocks, references);

        let database = self.inner.database();
        let transaction = self.inner.begin_write(&database, false)?;
        // Here, since an owner that goes meanwhile would leave blocks for good.
        if !is_live(&transaction.redb, owner)? {
            return Err(StoreError::NoSuchOwner { owner });
        }
        write_files(&transaction.redb, owner, files)?;
        write_inline(&transaction.redb, owner, inline)?;
        write_blocks(&transaction.redb, owner, changes)?;
        for (space, change) in values {
            write_values(&transaction.redb, Some(owner), &space, &[change])?;
        }
        transaction.commit()?;

        if !numbers.is_empty() {
            numbers.dedup();
            lock(&self.inner.open_files).invalidate(|(whose, number)| {
                whose == owner && numbers.binary_search(&number).is_ok()
            });
        }
        Ok(())
    }

    /// What shall be done to which block, in the order of the keys.
    fn changes(
        &self,
        blocks: Vec<Block>,
        references: Vec<(Cid, Reference)>,
    ) -> Vec<(BlockKey, Change)> {
        let key = |cid: &Cid| block_key(&self.inner.secret, cid);
        let kept = blocks.into_iter().map(|block| (key(block.cid()), Change::Keep(block)));
        let found = references.iter().map(|(cid, place)| (key(cid), Change::Refer(*place)));
        let mut changes: Vec<_> = kept.chain(found).collect();
        changes.sort_by_key(|(key, _)| *key);
        changes
    }
}

enum Change {
    Keep(Block),
    Refer(Reference),
}

fn write_files(
    transaction: &WriteTransaction,
    owner: OwnerId,
    files: Vec<(u32, FileRecord)>,
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(FILES)?;
    let mut files = files.into_iter().peekable();
    while let Some(&(first, _)) = files.peek() {
        let key = (owner.0, group_of(first).0);
        let mut group = match table.get(key)? {
            Some(bytes) => FileGroup::decode(bytes.value())?,
            None => FileGroup::default(),
        };
        while let Some((number, file)) = files.next_if(|(number, _)| group_of(*number).0 == key.1) {
            group.set(group_of(number).1, file);
        }
        table.insert(key, group.encode()?.as_slice())?;
    }
    Ok(())
}

/// Records what goes around the bytes of files that are one block.
fn write_inline(
    transaction: &WriteTransaction,
    owner: OwnerId,
    inline: Vec<(u32, Metadata)>,
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(FILES)?;
    let mut inline = inline.into_iter().peekable();
    while let Some(&(first, _)) = inline.peek() {
        let key = (owner.0, group_of(first).0);
        let mut group = match table.get(key)? {
            Some(bytes) => FileGroup::decode(bytes.value())?,
            None => FileGroup::default(),
        };
        while let Some((file, metadata)) = inline.next_if(|(file, _)| group_of(*file).0 == key.1) {
            if !group.set_inline(group_of(file).1, metadata) {
                return Err(StoreError::NoSuchFile { owner, file });
            }
        }
        table.insert(key, group.encode()?.as_slice())?;
    }
    Ok(())
}

fn write_blocks(
    transaction: &WriteTransaction,
    owner: OwnerId,
    changes: Vec<(BlockKey, Change)>,
) -> Result<(), StoreError> {
    let mut blocks = transaction.open_table(BLOCKS)?;
    let mut pieces = transaction.open_table(PIECES)?;
    let mut changes = changes.into_iter().peekable();
    // Into an empty table the rows go as a run, which fills its pages and is
    // several times faster.
    let run = blocks.is_empty()?;
    let mut rows = Vec::new();
    while let Some(&(key, _)) = changes.peek() {
        let before = match blocks.get(&key)? {
            Some(bytes) => Entry::decode(bytes.value())?,
            None => Entry::default(),
        };
        let mut entry = before.clone();
        while let Some((_, change)) = changes.next_if(|(other, _)| *other == key) {
            match change {
                Change::Keep(block) => entry.keep(owner, &block, &mut pieces)?,
                Change::Refer(reference) => entry.refer(reference),
            }
        }
        if run {
            rows.push((key, entry.encode()));
        } else if entry != before {
            blocks.insert(&key, entry.encode().as_slice())?;
        }
    }
    let mut cursor = blocks.upper_bound_mut(Bound::<&BlockKey>::Unbounded)?;
    for (key, value) in &rows {
        cursor.insert_before(key, value.as_slice())?;
    }
    Ok(cursor.close()?)
}

impl Entry {
    /// Makes `owner` an owner of the block, which is kept from now on.
    fn keep(
        &mut self,
        owner: OwnerId,
        block: &Block,
        pieces: &mut Table<'_, u64, &'static [u8]>,
    ) -> Result<(), StoreError> {
        let Some(kept) = &mut self.kept else {
            let place = write_pieces(pieces, block.data())?;
            self.kept = Some(Kept { owners: vec![owner], place });
            return Ok(());
        };
        if !kept.owners.contains(&owner) {
            kept.owners.push(owner);
        }
        Ok(())
    }

    /// Adds a place. When there are enough, one goes: rather the second in a
    /// owner, so that every owner keeps its own, else the oldest.
    fn refer(&mut self, reference: Reference) {
        if self.references.contains(&reference) {
            return;
        }
        if self.references.len() >= MAX_BLOCK_REFERENCES {
            let owners: Vec<OwnerId> = self.references.iter().map(|known| known.owner).collect();
            if owners.contains(&reference.owner) && !reference_again(&owners, reference.owner) {
                return;
            }
            let again = owners.iter().position(|owner| reference_again(&owners, *owner));
            self.references.remove(again.unwrap_or(0));
        }
        self.references.push(reference);
    }
}

/// Whether `owner` is there more than once.
fn reference_again(owners: &[OwnerId], owner: OwnerId) -> bool {
    owners.iter().filter(|other| **other == owner).count() > 1
}

fn write_pieces(
    pieces: &mut Table<'_, u64, &'static [u8]>,
    data: &[u8],
) -> Result<Place, StoreError> {
    if data.len() <= BESIDE_KEY_BYTES {
        return Ok(Place::Here(data.to_vec()));
    }
    let first = pieces.last()?.map_or(0, |(number, _)| number.value() + 1);
    let (mut number, mut rest) = (first, data);
    while !rest.is_empty() {
        let size = if rest.len() >= LARGE_PIECE { LARGE_PIECE } else { SMALL_PIECE };
        let (piece, left) = rest.split_at(size.min(rest.len()));
        pieces.insert(number, piece)?;
        (number, rest) = (number + 1, left);
    }
    Ok(Place::Pieces { first, len: data.len() as u64 })
}

/// Removes the pieces of a block that is not kept any more.
pub(super) fn remove_pieces(
    pieces: &mut Table<'_, u64, &'static [u8]>,
    place: &Place,
) -> Result<(), StoreError> {
    let Place::Pieces { first, len } = *place else { return Ok(()) };
    let (mut number, mut found) = (first, 0);
    while found < len {
        let piece = pieces.remove(number)?.ok_or(StoreError::Damaged { table: "pieces" })?;
        found += piece.value().len() as u64;
        number += 1;
    }
    Ok(())
}
