//! Finding and reading blocks.

use std::sync::Arc;

use crate::limits::MAX_BLOCK_BYTES;
use bytes::Bytes;
use peerage_core::data::{
    Cid,
    layout::{Frame, inline_frame},
    unixfs::Metadata,
    verify,
};
use redb::{ReadTransaction, ReadableDatabase as _, ReadableTable, WriteTransaction};

use super::{
    OwnerId, Store, StoreError,
    files::{FileKey, OpenFile, ReadRange},
    lock,
    record::{Around, Entry, FileGroup, Place, Reference, StoredFile, block_key, group_of},
    tables::{BLOCKS, BlockKey, FILES, PIECES},
};

/// The multihash code of a "hash" that is the data itself.
const IDENTITY: u64 = 0;

impl Store {
    /// The block that `cid` names, or `None` when it is not here.
    ///
    /// A block that is in a user's file is read from there. If that file has
    /// changed since it was recorded, another place is tried; when there is
    /// none, the error names the file, and [`Store::changed_files`] does from
    /// then on. Blocks of files that were still being written when recorded
    /// are hashed again and count as absent when they do not match. Other
    /// blocks are not hashed again.
    ///
    /// # Errors
    ///
    /// [`StoreError::FileChanged`], [`StoreError::FileMissing`] or
    /// [`StoreError::FileUnreadable`] for the user's file, others when the
    /// store's disk fails.
    pub fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        if cid.hash().code() == IDENTITY {
            return Ok(Some(Bytes::copy_from_slice(cid.hash().digest())));
        }
        let generation = lock(&self.inner.open_files).generation();
        let database = self.inner.database();
        let transaction = database.begin_read()?;
        let Some(entry) = self.find(&transaction, cid)? else { return Ok(None) };
        if let Some(kept) = &entry.kept {
            return read_kept(&transaction, &kept.place).map(Some);
        }
        let snapshot = Snapshot { store: self, transaction, generation };
        let mut failure = None;
        for reference in &entry.references {
            match snapshot.read(reference, cid) {
                Ok(Some(data)) => return Ok(Some(data)),
                Ok(None) => {}
                Err(error) => {
                    lock(&self.inner.changed).note(reference.owner, &error);
                    failure = failure.or(Some(error));
                }
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// Whether the block is recorded here. Its file is not looked at.
    ///
    /// # Errors
    ///
    /// When the store's disk fails.
    pub fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        if cid.hash().code() == IDENTITY {
            return Ok(true);
        }
        Ok(self.find(&self.inner.database().begin_read()?, cid)?.is_some())
    }

    /// The block's size in bytes, or `None` when it is not recorded here. Its
    /// file is not looked at.
    ///
    /// # Errors
    ///
    /// When the store's disk fails.
    pub fn size(&self, cid: &Cid) -> Result<Option<u64>, StoreError> {
        if cid.hash().code() == IDENTITY {
            return Ok(Some(cid.hash().digest().len() as u64));
        }
        let transaction = self.inner.database().begin_read()?;
        let Some(entry) = self.find(&transaction, cid)? else { return Ok(None) };
        if let Some(kept) = &entry.kept {
            return Ok(Some(kept.place.len()));
        }
        let Some(reference) = entry.references.first() else { return Ok(None) };
        let stored = read_stored(&transaction, (reference.owner, reference.file))?;
        let (_, len) = reference.range(&stored)?;
        let frame = reference.frame(len, &stored).map_or(0, |frame| frame.len());
        Ok(Some((len + frame) as u64))
    }

    /// The owners that a block belongs to, each once; none when it is not
    /// recorded here.
    ///
    /// # Errors
    ///
    /// When the store's disk fails.
    pub fn owners_of(&self, cid: &Cid) -> Result<Vec<OwnerId>, StoreError> {
        let transaction = self.inner.database().begin_read()?;
        let Some(entry) = self.find(&transaction, cid)? else { return Ok(Vec::new()) };
        let live = self.inner.owners();
        let kept_for = entry.kept.into_iter().flat_map(|kept| kept.owners);
        let found_in = entry.references.into_iter().map(|reference| reference.owner);
        let mut owners: Vec<OwnerId> =
            kept_for.chain(found_in).filter(|owner| live.contains_key(owner)).collect();
        owners.sort_unstable();
        owners.dedup();
        Ok(owners)
    }

    /// What is known of a block, without what belongs to removed owners.
    fn find(&self, transaction: &ReadTransaction, cid: &Cid) -> Result<Option<Entry>, StoreError> {
        let key = block_key(&self.inner.secret, cid);
        let Some(bytes) = transaction.open_table(BLOCKS)?.get(&key)? else { return Ok(None) };
        let mut entry = Entry::decode(bytes.value())?;
        let owners = self.inner.owners();
        let live = |owner: &OwnerId| owners.contains_key(owner);
        entry.references.retain(|reference| live(&reference.owner));
        entry.kept = entry.kept.filter(|kept| kept.owners.iter().any(live));
        Ok((!entry.is_empty()).then_some(entry))
    }
}

/// The store at one moment.
struct Snapshot<'a> {
    store: &'a Store,
    transaction: ReadTransaction,
    generation: u64,
}

impl Snapshot<'_> {
    /// Reads a block from a user's file; `None` when the file is still being
    /// written and the block is not there yet.
    fn read(&self, reference: &Reference, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        let file = self.open(reference)?;
        let growing = file.stored.record.modified.is_none();
        match file.read_block(reference) {
            Ok(Some(data)) if growing => Ok(verify(cid, &data).is_ok().then_some(data)),
            Ok(Some(data)) => Ok(Some(data)),
            Ok(None) => self.read_again(reference),
            Err(StoreError::FileChanged { .. }) if growing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads after the file that was open turned out to be removed or
    /// replaced: the one that is now at its path may be the same.
    fn read_again(&self, reference: &Reference) -> Result<Option<Bytes>, StoreError> {
        let key = (reference.owner, reference.file);
        lock(&self.store.inner.open_files).forget(|known| known == key);
        let file = self.open(reference)?;
        let missing = || StoreError::FileMissing { path: file.path.clone() };
        file.read_block(reference)?.ok_or_else(missing).map(Some)
    }

    fn open(&self, reference: &Reference) -> Result<Arc<OpenFile>, StoreError> {
        let key = (reference.owner, reference.file);
        if let Some(file) = lock(&self.store.inner.open_files).get(key) {
            return Ok(file);
        }
        let owner = reference.owner;
        let stored = read_stored(&self.transaction, key)?;
        let found = self.store.owner(owner).ok_or(StoreError::NoSuchOwner { owner })?;
        let path = found.path_of(&stored.record.path).ok_or(StoreError::NoFolder { owner })?;
        let file = Arc::new(OpenFile::open(path, stored)?);
        lock(&self.store.inner.open_files).insert(key, Arc::clone(&file), self.generation);
        Ok(file)
    }
}

impl OpenFile {
    /// The block, or `None` when the file was unlinked since it was opened.
    fn read_block(&self, reference: &Reference) -> Result<Option<Bytes>, StoreError> {
        let (offset, len) = reference.range(&self.stored)?;
        let frame = reference.frame(len, &self.stored);
        let mut out = Vec::with_capacity(len + frame.as_ref().map_or(0, |frame| frame.len()));
        if let Some(frame) = &frame {
            out.extend_from_slice(&frame.prefix);
        }
        if let ReadRange::Unlinked = self.read(offset, len, &mut out)? {
            return Ok(None);
        }
        if let Some(frame) = &frame {
            out.extend_from_slice(&frame.suffix);
        }
        Ok(Some(out.into()))
    }
}

impl Reference {
    /// Offset and length in the file, within the limit for blocks.
    fn range(&self, stored: &StoredFile) -> Result<(u64, usize), StoreError> {
        let (offset, len) = self.part.unwrap_or((0, stored.record.size));
        match usize::try_from(len) {
            Ok(len) if len <= MAX_BLOCK_BYTES => Ok((offset, len)),
            _ => Err(StoreError::Damaged { table: "blocks" }),
        }
    }

    /// What goes around the `len` bytes of the file.
    fn frame(&self, len: usize, stored: &StoredFile) -> Option<Frame> {
        match self.around {
            Around::Nothing => None,
            Around::Leaf => Some(inline_frame(len, &Metadata::default())),
            Around::File => Some(inline_frame(len, &stored.inline)),
        }
    }
}

fn read_stored(transaction: &ReadTransaction, key: FileKey) -> Result<StoredFile, StoreError> {
    let (group, place) = group_of(key.1);
    let damaged = StoreError::Damaged { table: "files" };
    let Some(bytes) = transaction.open_table(FILES)?.get((key.0.0, group))? else {
        return Err(damaged);
    };
    FileGroup::decode(bytes.value())?.get(place).cloned().ok_or(damaged)
}

fn read_kept(transaction: &ReadTransaction, place: &Place) -> Result<Bytes, StoreError> {
    match place {
        Place::Here(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        Place::Pieces { .. } => read_place(&transaction.open_table(PIECES)?, place),
    }
}

/// The block under a key while a transaction writes, if the store keeps it.
pub(super) fn kept_in(
    transaction: &WriteTransaction,
    key: &BlockKey,
) -> Result<Option<Bytes>, StoreError> {
    let blocks = transaction.open_table(BLOCKS)?;
    let Some(bytes) = blocks.get(key)? else { return Ok(None) };
    let Some(kept) = Entry::decode(bytes.value())?.kept else { return Ok(None) };
    read_place(&transaction.open_table(PIECES)?, &kept.place).map(Some)
}

fn read_place(
    pieces: &impl ReadableTable<u64, &'static [u8]>,
    place: &Place,
) -> Result<Bytes, StoreError> {
    let (first, len) = match place {
        Place::Here(bytes) => return Ok(Bytes::copy_from_slice(bytes)),
        Place::Pieces { first, len } => (*first, *len),
    };
    let damaged = || StoreError::Damaged { table: "pieces" };
    let len =
        usize::try_from(len).ok().filter(|len| *len <= MAX_BLOCK_BYTES).ok_or_else(damaged)?;
    let mut out = Vec::with_capacity(len);
    for row in pieces.range(first..)? {
        out.extend_from_slice(row?.1.value());
        if out.len() >= len {
            break;
        }
    }
    if out.len() == len { Ok(out.into()) } else { Err(damaged()) }
}
