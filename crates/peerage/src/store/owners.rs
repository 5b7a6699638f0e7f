//! The owners of a store: adding, changing and removing them.

use std::{
    collections::{BTreeMap, HashMap, hash_map},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLockReadGuard},
};

use peerage_core::data::Cid;
use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};

use tokio::sync::watch;

use super::{
    Inner, Owner, OwnerId, OwnerKind, Store, StoreError, lock,
    owner::DownloadState,
    tables::{META, META_NEXT_OWNER, META_SWEEP, OWNERS},
};
use crate::limits::{MAX_OWNER_NAME_BYTES, MAX_OWNERS};

/// All owners in the database.
pub(super) fn load(transaction: &ReadTransaction) -> Result<BTreeMap<OwnerId, Owner>, StoreError> {
    let mut owners = BTreeMap::new();
    for row in transaction.open_table(OWNERS)?.iter()? {
        let (id, bytes) = row?;
        let id = OwnerId(id.value());
        owners.insert(id, Owner::decode(id, bytes.value())?);
    }
    Ok(owners)
}

/// How many owners have each root.
pub(super) fn count_roots(owners: &BTreeMap<OwnerId, Owner>) -> HashMap<Cid, u32> {
    let mut roots = HashMap::new();
    for root in owners.values().filter_map(Owner::root) {
        *roots.entry(root).or_default() += 1;
    }
    roots
}

impl Store {
    /// Adds an owner. Relative folders are made absolute.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooManyOwners`], [`StoreError::NameTooLong`], and others
    /// when a folder cannot be made absolute or the disk fails.
    ///
    /// ```
    /// use peerage::store::{OwnerKind, Store};
    ///
    /// let store = Store::memory()?;
    /// let album = store.add_owner(OwnerKind::database("album"))?;
    /// assert_eq!(store.owner(album).map(|owner| owner.id), Some(album));
    /// # Ok::<(), peerage::store::StoreError>(())
    /// ```
    pub fn add_owner(&self, mut kind: OwnerKind) -> Result<OwnerId, StoreError> {
        check(&mut kind)?;
        let _changing = lock(&self.inner.changing_owners);
        let id = self.in_transaction(|transaction| {
            let mut owners = transaction.open_table(OWNERS)?;
            if owners.len()? >= MAX_OWNERS as u64 {
                return Err(StoreError::TooManyOwners);
            }
            let id = next_owner(transaction)?;
            owners.insert(id.0, kind.encode()?.as_slice())?;
            Ok(id)
        })?;
        self.remember(Owner { id, kind });
        Ok(id)
    }

    /// Says what the owner is the owner of, as it is imported or changes.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchOwner`], or when the disk fails.
    pub fn set_root(&self, owner: OwnerId, root: Cid) -> Result<(), StoreError> {
        self.change_owner(owner, |kind| {
            kind.set_root(root);
            Ok(())
        })
    }

    /// Says that the owner's folder or file is now at `base`, for instance
    /// because it was renamed. One small write, however much it owns.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchOwner`], [`StoreError::NoFolder`] for an owner
    /// without files, or when the disk fails.
    pub fn move_owner(&self, owner: OwnerId, base: &Path) -> Result<(), StoreError> {
        let new = absolute(base)?;
        self.change_owner(owner, |kind| {
            *kind.base_mut().ok_or(StoreError::NoFolder { owner })? = new;
            Ok(())
        })?;
        self.close_files(owner);
        Ok(())
    }

    /// Says that all of a download is here, and now lies at `base`.
    pub(crate) fn finish_download(&self, owner: OwnerId, base: &Path) -> Result<(), StoreError> {
        let new = absolute(base)?;
        self.change_owner(owner, |kind| {
            *kind.base_mut().ok_or(StoreError::NoFolder { owner })? = new;
            if let OwnerKind::Download { state, .. } = kind {
                *state = DownloadState::Got;
            }
            Ok(())
        })?;
        self.close_files(owner);
        Ok(())
    }

    /// The owners in the store, in the order in which they were added.
    #[must_use]
    pub fn owners(&self) -> Vec<Owner> {
        self.inner.owners().values().cloned().collect()
    }

    /// One owner, if it is in the store.
    #[must_use]
    pub fn owner(&self, owner: OwnerId) -> Option<Owner> {
        self.inner.owners().get(&owner).cloned()
    }

    /// Changes whenever an owner has come, changed or gone: the sign to look at
    /// [`Store::owners`] again.
    #[must_use]
    pub fn owner_changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Whether an owner has this root.
    pub(crate) fn is_root(&self, cid: &Cid) -> bool {
        let roots = self.inner.roots.read().unwrap_or_else(PoisonError::into_inner);
        roots.contains_key(cid)
    }

    /// Removes an owner, its files' records and references, and the blocks that
    /// were kept for it alone. The user's files stay.
    ///
    /// From the first moment nothing of it is found any more; then the records
    /// are removed in batches of 4096, each a transaction. A removal that was
    /// cut short is completed by the next one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchOwner`], or when the disk fails.
    pub fn remove_owner(&self, owner: OwnerId) -> Result<(), StoreError> {
        {
            let _changing = lock(&self.inner.changing_owners);
            self.in_transaction(|transaction| {
                transaction.open_table(META)?.insert(META_SWEEP, [].as_slice())?;
                let mut owners = transaction.open_table(OWNERS)?;
                let was_there = owners.remove(owner.0)?.is_some();
                was_there.then_some(()).ok_or(StoreError::NoSuchOwner { owner })
            })?;
            let mut owners = self.inner.owners.write().unwrap_or_else(PoisonError::into_inner);
            let removed = owners.remove(&owner);
            drop(owners);
            self.change_root(removed.and_then(|owner| owner.root()), None);
            self.inner.tell_change();
        }
        self.close_files(owner);
        self.sweep()
    }

    /// Closes an owner's files, and forgets what was found of them.
    fn close_files(&self, owner: OwnerId) {
        lock(&self.inner.open_files).invalidate(|(whose, _)| whose == owner);
        lock(&self.inner.changed).forget_owner(owner);
    }

    fn remember(&self, owner: Owner) {
        let root = owner.root();
        let mut owners = self.inner.owners.write().unwrap_or_else(PoisonError::into_inner);
        let before = owners.insert(owner.id, owner);
        drop(owners);
        self.change_root(before.and_then(|owner| owner.root()), root);
        self.inner.tell_change();
    }

    fn change_root(&self, before: Option<Cid>, after: Option<Cid>) {
        let mut roots = self.inner.roots.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = after {
            *roots.entry(root).or_default() += 1;
        }
        if let Some(root) = before
            && let hash_map::Entry::Occupied(mut count) = roots.entry(root)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    fn change_owner(
        &self,
        id: OwnerId,
        change: impl FnOnce(&mut OwnerKind) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let _changing = lock(&self.inner.changing_owners);
        let mut owner = self.owner(id).ok_or(StoreError::NoSuchOwner { owner: id })?;
        change(&mut owner.kind)?;
        self.in_transaction(|transaction| {
            transaction.open_table(OWNERS)?.insert(id.0, owner.kind.encode()?.as_slice())?;
            Ok(())
        })?;
        self.remember(owner);
        Ok(())
    }

    pub(super) fn in_transaction<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.inner.database();
        let transaction = self.inner.begin_write(&database, false)?;
        let done = work(&transaction.redb)?;
        transaction.commit()?;
        Ok(done)
    }
}

impl Inner {
    fn tell_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn owners(&self) -> RwLockReadGuard<'_, BTreeMap<OwnerId, Owner>> {
        self.owners.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an owner's folder absolute, and refuses names that are too long.
fn check(kind: &mut OwnerKind) -> Result<(), StoreError> {
    if let Some(base) = kind.base_mut() {
        *base = absolute(base)?;
    }
    match kind {
        OwnerKind::Database { name, .. } if name.len() > MAX_OWNER_NAME_BYTES => {
            Err(StoreError::NameTooLong { bytes: name.len(), most: MAX_OWNER_NAME_BYTES })
        }
        _ => Ok(()),
    }
}

fn absolute(base: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(base)
        .map_err(|source| StoreError::Folder { path: base.to_path_buf(), source })
}

fn next_owner(transaction: &WriteTransaction) -> Result<OwnerId, StoreError> {
    let damaged = || StoreError::Damaged { table: "meta" };
    let mut meta = transaction.open_table(META)?;
    let last = match meta.get(META_NEXT_OWNER)? {
        Some(bytes) => u32::from_le_bytes(bytes.value().try_into().map_err(|_| damaged())?),
        None => 0,
    };
    let next = last.checked_add(1).ok_or_else(damaged)?;
    meta.insert(META_NEXT_OWNER, next.to_le_bytes().as_slice())?;
    Ok(OwnerId(next))
}

/// Whether an owner is in the store.
pub(super) fn is_live(transaction: &WriteTransaction, owner: OwnerId) -> Result<bool, StoreError> {
    Ok(transaction.open_table(OWNERS)?.get(owner.0)?.is_some())
}
