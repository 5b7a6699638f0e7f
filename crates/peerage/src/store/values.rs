//! Keys and values beside the blocks: what a database notes about itself, what
//! a program has to remember.

use std::ops::Bound;

use redb::{ReadableDatabase as _, WriteTransaction};

use super::{OwnerId, Store, StoreError, owners::is_live, tables::VALUES};
use crate::limits::{
    MAX_KEY_BYTES, MAX_SPACE_BYTES, MAX_VALUE_BYTES, MAX_VALUES_PAGE, MAX_VALUES_PAGE_BYTES,
};

/// A key in a space, in the order of its bytes, and the value there.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// A space of keys and values in a store, of an owner's or of nobody's. Cheap
/// to clone.
///
/// ```
/// use peerage::store::{OwnerKind, Store};
///
/// let store = Store::memory()?;
/// let album = store.add_owner(OwnerKind::database("album"))?;
/// let heads = store.values_of(album, "heads")?;
/// heads.put(b"newest", b"dawn")?;
/// assert_eq!(heads.get(b"newest")?.as_deref(), Some(b"dawn".as_slice()));
///
/// store.remove_owner(album)?;
/// assert_eq!(heads.get(b"newest")?, None);
/// # Ok::<(), peerage::store::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Values {
    store: Store,
    owner: Option<OwnerId>,
    space: String,
}

/// Some of a space's keys and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValuesPage {
    /// In the order of the keys.
    pub entries: Vec<KeyValue>,
    /// Whether more follow, after the last key here.
    pub more: bool,
}

/// What is done to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueChange {
    /// The key.
    pub key: Vec<u8>,
    /// Its new value; `None` to remove it.
    pub value: Option<Vec<u8>>,
}

/// Whose a space is, in the table: 0 is nobody.
pub(super) fn owner_key(owner: Option<OwnerId>) -> u64 {
    owner.map_or(0, |owner| u64::from(owner.0) + 1)
}

/// Whose the space with this number is.
pub(super) fn owner_of(key: u64) -> Option<OwnerId> {
    key.checked_sub(1).and_then(|number| u32::try_from(number).ok()).map(OwnerId)
}

impl Store {
    /// A space of keys and values that belongs to no owner: what it holds stays
    /// until it is removed.
    ///
    /// # Errors
    ///
    /// [`StoreError::NameTooLong`].
    pub fn values(&self, space: &str) -> Result<Values, StoreError> {
        check_space(space)?;
        Ok(Values { store: self.clone(), owner: None, space: space.to_owned() })
    }

    /// A space of keys and values of an owner's: they go when it is removed.
    /// Each owner has its own spaces.
    ///
    /// # Errors
    ///
    /// [`StoreError::NameTooLong`]. An owner that is not in the store has no
    /// values, and gets none.
    pub fn values_of(&self, owner: OwnerId, space: &str) -> Result<Values, StoreError> {
        check_space(space)?;
        Ok(Values { store: self.clone(), owner: Some(owner), space: space.to_owned() })
    }
}

impl Values {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.is_live() {
            return Ok(None);
        }
        let transaction = self.store.inner.database().begin_read()?;
        let table = transaction.open_table(VALUES)?;
        let value = table.get((owner_key(self.owner), self.space.as_str(), key))?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Sets a key's value.
    ///
    /// # Errors
    ///
    /// As [`Values::write`].
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.write(vec![ValueChange { key: key.to_vec(), value: Some(value.to_vec()) }])
    }

    /// Removes a key; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// As [`Values::write`].
    pub fn remove(&self, key: &[u8]) -> Result<(), StoreError> {
        self.write(vec![ValueChange { key: key.to_vec(), value: None }])
    }

    /// Makes all of the changes, in their order, or none. They survive a crash
    /// after the next [`Store::sync`]. With blocks in the same transaction:
    /// [`Batch::value`](super::Batch::value).
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyTooLong`], [`StoreError::ValueTooLong`],
    /// [`StoreError::NoSuchOwner`], or when the disk fails.
    pub fn write(&self, changes: Vec<ValueChange>) -> Result<(), StoreError> {
        changes.iter().try_for_each(check_change)?;
        self.store.in_transaction(|transaction| {
            if let Some(owner) = self.owner
                && !is_live(transaction, owner)?
            {
                return Err(StoreError::NoSuchOwner { owner });
            }
            write_values(transaction, self.owner, &self.space, &changes)
        })
    }

    /// The keys and values in a range, at most 1024 of them and 4 MiB. The next
    /// page begins after the last key of this one.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn page(&self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Result<ValuesPage, StoreError> {
        let mut page = ValuesPage::default();
        if !self.is_live() || is_empty(from, to) {
            return Ok(page);
        }
        let transaction = self.store.inner.database().begin_read()?;
        let table = transaction.open_table(VALUES)?;
        let (whose, space) = (owner_key(self.owner), self.space.as_str());
        let mut bytes = 0;
        let from = match from {
            Bound::Unbounded => Bound::Included([].as_slice()),
            from => from,
        };
        // To the end of the table, and out at the first key that is not ours:
        // there is no last key of a space to say.
        let rows = table.range((from.map(|key| (whose, space, key)), Bound::Unbounded))?;
        for row in rows {
            let (key, value) = row?;
            let (key_owner, key_space, key) = key.value();
            if (key_owner, key_space) != (whose, space) || is_after(key, to) {
                break;
            }
            bytes += key.len() + value.value().len();
            let full = page.entries.len() >= MAX_VALUES_PAGE || bytes > MAX_VALUES_PAGE_BYTES;
            if full && !page.entries.is_empty() {
                page.more = true;
                break;
            }
            page.entries.push((key.to_vec(), value.value().to_vec()));
        }
        Ok(page)
    }

    /// The keys that begin with `prefix`, after the key `after` if there is one:
    /// a page of them, as of [`Values::page`].
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn prefix(&self, prefix: &[u8], after: Option<&[u8]>) -> Result<ValuesPage, StoreError> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let end = end_of(prefix);
        self.page(from, end.as_deref().map_or(Bound::Unbounded, Bound::Excluded))
    }

    fn is_live(&self) -> bool {
        self.owner.is_none_or(|owner| self.store.inner.owners().contains_key(&owner))
    }
}

/// The first key after all that begin with `prefix`, if there is one.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn is_after(key: &[u8], to: Bound<&[u8]>) -> bool {
    match to {
        Bound::Included(to) => key > to,
        Bound::Excluded(to) => key >= to,
        Bound::Unbounded => false,
    }
}

/// Whether no key can be in a range; the database takes no range that ends
/// before it begins.
fn is_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match from {
        Bound::Included(from) | Bound::Excluded(from) => is_after(from, to),
        Bound::Unbounded => false,
    }
}

/// Makes changes in a transaction.
pub(super) fn write_values(
    transaction: &WriteTransaction,
    owner: Option<OwnerId>,
    space: &str,
    changes: &[ValueChange],
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(VALUES)?;
    for ValueChange { key, value } in changes {
        let key = (owner_key(owner), space, key.as_slice());
        match value {
            Some(value) => drop(table.insert(key, value.as_slice())?),
            None => drop(table.remove(key)?),
        }
    }
    Ok(())
}

/// # Errors
///
/// [`StoreError::NameTooLong`].
pub(super) fn check_space(space: &str) -> Result<(), StoreError> {
    if space.len() <= MAX_SPACE_BYTES {
        return Ok(());
    }
    Err(StoreError::NameTooLong { bytes: space.len(), most: MAX_SPACE_BYTES })
}

/// # Errors
///
/// [`StoreError::KeyTooLong`] and [`StoreError::ValueTooLong`].
pub(super) fn check_change(change: &ValueChange) -> Result<(), StoreError> {
    let key = change.key.len();
    if key > MAX_KEY_BYTES {
        return Err(StoreError::KeyTooLong { bytes: key });
    }
    match &change.value {
        Some(value) if value.len() > MAX_VALUE_BYTES => {
            Err(StoreError::ValueTooLong { bytes: value.len() })
        }
        _ => Ok(()),
    }
}
