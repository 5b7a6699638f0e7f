//! The database's tables. Everything is laid out for size, because a store of
//! small files must stay a small part of them.
//!
//! * `meta`: the format's number, the store's secret, counters.
//! * `owners`: owner -> its kind, root, and folder or name ([`super::record::owner`]).
//! * `files`: (owner, file number / 64) -> up to 64 files, their paths
//!   front-coded ([`super::record::FileGroup`]).
//! * `blocks`: 12-byte key -> where the block is ([`super::record::Entry`]).
//! * `values`: (owner + 1 or 0 for nobody, space, key) -> value.
//! * `pieces`: number -> part of a kept block that is too large for `blocks`.
//!
//! A block's key is the head of a keyed hash of its multihash. The key is the
//! store's own secret, so nobody can prepare two blocks that share a key, and
//! by chance two in 10^8 blocks do with a probability of 10^-13.

use redb::{ReadTransaction, TableDefinition, WriteTransaction};

use super::StoreError;

pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
pub(super) const OWNERS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("owners");
pub(super) const FILES: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("files");
pub(super) const BLOCKS: TableDefinition<'_, &BlockKey, &[u8]> = TableDefinition::new("blocks");
pub(super) const PIECES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("pieces");

pub(super) const VALUES: TableDefinition<'_, ValueKey, &[u8]> = TableDefinition::new("values");

/// What `values` is keyed by.
pub(super) type ValueKey = (u64, &'static str, &'static [u8]);

/// What `blocks` is keyed by.
pub(super) type BlockKey = [u8; 12];

/// The number of the format described above.
pub(super) const FORMAT: u64 = 2;

pub(super) const META_FORMAT: &str = "format";
pub(super) const META_SECRET: &str = "secret";
/// The number that the next owner gets; numbers are never used again.
pub(super) const META_NEXT_OWNER: &str = "next-owner";
/// Present while records of removed owners may remain.
pub(super) const META_SWEEP: &str = "sweep";

/// Makes the tables, so that readers find them, and the store's secret.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<[u8; 32], StoreError> {
    transaction.open_table(OWNERS)?;
    transaction.open_table(FILES)?;
    transaction.open_table(BLOCKS)?;
    transaction.open_table(PIECES)?;
    transaction.open_table(VALUES)?;
    let mut meta = transaction.open_table(META)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    meta.insert(META_FORMAT, FORMAT.to_le_bytes().as_slice())?;
    meta.insert(META_SECRET, secret.as_slice())?;
    Ok(secret)
}

/// Writes the number of the format described above.
pub(super) fn write_format(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(META_FORMAT, FORMAT.to_le_bytes().as_slice())?;
    Ok(())
}

/// A store's format and its secret; `None` in a store that was never prepared.
///
/// # Errors
///
/// [`StoreError::NewerFormat`] when it is not known, whatever else is there.
pub(super) fn read_format(
    transaction: &ReadTransaction,
) -> Result<Option<(u64, [u8; 32])>, StoreError> {
    const DAMAGED: StoreError = StoreError::Damaged { table: "meta" };
    let meta = match transaction.open_table(META) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let number = meta.get(META_FORMAT)?.ok_or(DAMAGED)?;
    let found = u64::from_le_bytes(number.value().try_into().map_err(|_| DAMAGED)?);
    if found > FORMAT {
        return Err(StoreError::NewerFormat { found, known: FORMAT });
    }
    let secret = meta.get(META_SECRET)?.ok_or(DAMAGED)?;
    Ok(Some((found, secret.value().try_into().map_err(|_| DAMAGED)?)))
}
