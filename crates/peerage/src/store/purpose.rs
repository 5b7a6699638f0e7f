//! What a tree is in the store for, and how others hear that trees change.

use tokio::sync::watch;

use super::{
    Store, StoreError,
    tables::PURPOSES,
    trees::{Tree, TreeId},
};

/// What a tree is in the store for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The user's, shared while somebody shares it.
    Shared,
    /// The user's, offered for good.
    Added,
    /// Got from others; or of a store of before, which does not say.
    #[default]
    Got,
}

impl Purpose {
    const fn to_number(self) -> u8 {
        match self {
            Self::Got => 0,
            Self::Shared => 1,
            Self::Added => 2,
        }
    }

    /// A number that is not known was written by a newer program: what it means
    /// is not ours to offer.
    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Shared,
            2 => Self::Added,
            _ => Self::Got,
        }
    }
}

impl Tree {
    /// Whether it is offered to others: shared or added, and all there.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.purpose != Purpose::Got && self.root.is_some()
    }
}

impl Store {
    /// Says what the tree is there for.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchTree`], or when the disk fails.
    pub fn set_purpose(&self, tree: TreeId, purpose: Purpose) -> Result<(), StoreError> {
        self.change_tree(tree, |tree| tree.purpose = purpose)
    }

    /// Changes whenever a tree has come, changed or gone: the sign to look at
    /// [`Store::trees`] again.
    #[must_use]
    pub fn tree_changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Tells that the trees are others now.
    pub(super) fn tell_change(&self) {
        self.inner.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Writes a tree's purpose; the usual one takes no room.
pub(super) fn write(transaction: &redb::WriteTransaction, tree: &Tree) -> Result<(), StoreError> {
    let mut purposes = transaction.open_table(PURPOSES)?;
    match tree.purpose {
        Purpose::Got => purposes.remove(tree.id.0)?,
        purpose => purposes.insert(tree.id.0, purpose.to_number())?,
    };
    Ok(())
}

/// Removes the purpose of a tree that goes.
pub(super) fn forget(transaction: &redb::WriteTransaction, tree: TreeId) -> Result<(), StoreError> {
    transaction.open_table(PURPOSES)?.remove(tree.0)?;
    Ok(())
}

/// The table of purposes; stores of before have none.
pub(super) fn table(
    transaction: &redb::ReadTransaction,
) -> Result<Option<redb::ReadOnlyTable<u32, u8>>, StoreError> {
    match transaction.open_table(PURPOSES) {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The purpose of a tree in the table.
pub(super) fn read(
    table: Option<&redb::ReadOnlyTable<u32, u8>>,
    tree: TreeId,
) -> Result<Purpose, StoreError> {
    let Some(table) = table else { return Ok(Purpose::default()) };
    let number = table.get(tree.0)?;
    Ok(number.map_or(Purpose::default(), |number| Purpose::from_number(number.value())))
}
