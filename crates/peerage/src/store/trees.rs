//! Trees: what a share or a download owns in the store.

use std::{
    collections::{BTreeMap, HashMap, hash_map},
    path::{Path, PathBuf},
    sync::PoisonError,
};

use peerage_core::data::Cid;
use redb::{ReadTransaction, ReadableTable as _, WriteTransaction};

use super::{
    Purpose, Store, StoreError, lock, os, purpose,
    record::{Entry, Reader, put},
    tables::{BLOCKS, BlockKey, FILES, META, META_NEXT_TREE, META_SWEEP, PIECES, TREES},
    write::remove_pieces,
};

/// How many records are examined or removed in one transaction when a tree is
/// removed, so that other writers wait for milliseconds only.
const SWEEP_BATCH: usize = 4096;

/// Names a tree of a store. Never used again for another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(pub(super) u32);

impl TreeId {
    /// Owns the blocks that were put without a tree; they stay for good.
    pub(super) const NONE: Self = Self(0);

    /// The tree's number, to name it in a file of one's own.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The tree with a number that [`TreeId::number`] gave.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// A share or a download: the owner of files and blocks in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The tree's name in the store.
    pub id: TreeId,
    /// What it is the tree of, when that is known.
    pub root: Option<Cid>,
    /// The absolute path that its files' paths start from.
    pub base: PathBuf,
    /// What it is there for.
    pub purpose: Purpose,
}

impl Tree {
    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let root = self.root.map(|cid| cid.to_bytes()).unwrap_or_default();
        let mut out = Vec::new();
        put(&mut out, root.len() as u64);
        out.extend_from_slice(&root);
        out.extend_from_slice(os::path_bytes(&self.base)?);
        Ok(out)
    }

    fn decode(id: TreeId, bytes: &[u8], purpose: Purpose) -> Result<Self, StoreError> {
        let mut reader = Reader::new(bytes, "trees");
        let len = reader.number()?;
        let root = match reader.bytes(len)? {
            [] => None,
            bytes => Some(Cid::try_from(bytes).map_err(|_| reader.damaged())?),
        };
        Ok(Self { id, root, base: os::path_from(reader.rest().to_vec())?, purpose })
    }

    /// Where a file of the tree is.
    pub(super) fn path_of(&self, path: &Path) -> PathBuf {
        // Joining an empty path would add a slash, which a file has not.
        if path.as_os_str().is_empty() { self.base.clone() } else { self.base.join(path) }
    }
}

/// All trees in the database.
pub(super) fn load(transaction: &ReadTransaction) -> Result<BTreeMap<TreeId, Tree>, StoreError> {
    let mut trees = BTreeMap::new();
    let purposes = purpose::table(transaction)?;
    for row in transaction.open_table(TREES)?.iter()? {
        let (id, bytes) = row?;
        let id = TreeId(id.value());
        let purpose = purpose::read(purposes.as_ref(), id)?;
        trees.insert(id, Tree::decode(id, bytes.value(), purpose)?);
    }
    Ok(trees)
}

/// How many trees have each root.
pub(super) fn count_roots(trees: &BTreeMap<TreeId, Tree>) -> HashMap<Cid, u32> {
    let mut roots = HashMap::new();
    for root in trees.values().filter_map(|tree| tree.root) {
        *roots.entry(root).or_default() += 1;
    }
    roots
}

impl Store {
    /// Adds a tree whose files are recorded relative to `base`: the shared
    /// folder, or the file itself. Its root may be set later.
    ///
    /// # Errors
    ///
    /// When `base` cannot be made absolute, or the disk fails.
    pub fn add_tree(&self, root: Option<Cid>, base: &Path) -> Result<TreeId, StoreError> {
        let base = absolute(base)?;
        let database = self.inner.database();
        let transaction = self.inner.begin_write(&database, false)?;
        let id = next_tree(&transaction.redb)?;
        let tree = Tree { id, root, base, purpose: Purpose::default() };
        transaction.redb.open_table(TREES)?.insert(id.0, tree.encode()?.as_slice())?;
        transaction.commit()?;
        self.remember(tree);
        Ok(id)
    }

    /// Says what the tree is the tree of.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchTree`], or when the disk fails.
    pub fn set_root(&self, tree: TreeId, root: Cid) -> Result<(), StoreError> {
        self.change_tree(tree, |tree| tree.root = Some(root))
    }

    /// Says that the tree's folder or file is now at `base`, for instance
    /// because it was renamed. One small write, however large the tree.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchTree`], or when the disk fails.
    pub fn move_tree(&self, tree: TreeId, base: &Path) -> Result<(), StoreError> {
        let base = absolute(base)?;
        self.change_tree(tree, |tree| tree.base = base)?;
        lock(&self.inner.open_files).invalidate(|(owner, _)| owner == tree);
        lock(&self.inner.changed).forget_tree(tree);
        Ok(())
    }

    /// The trees in the store, in the order in which they were added.
    #[must_use]
    pub fn trees(&self) -> Vec<Tree> {
        let trees = self.inner.trees.read().unwrap_or_else(PoisonError::into_inner);
        trees.values().cloned().collect()
    }

    /// One tree, if it is in the store.
    #[must_use]
    pub fn tree(&self, tree: TreeId) -> Option<Tree> {
        self.inner.trees.read().unwrap_or_else(PoisonError::into_inner).get(&tree).cloned()
    }

    /// Whether a tree has this root.
    pub(crate) fn is_root(&self, cid: &Cid) -> bool {
        let roots = self.inner.roots.read().unwrap_or_else(PoisonError::into_inner);
        roots.contains_key(cid)
    }

    /// Removes a tree, its files' records and references, and the blocks that
    /// were kept for it alone. The user's files stay.
    ///
    /// From the first moment nothing of it is found any more; then the records
    /// are removed in batches of 4096, each a transaction. A removal that was
    /// cut short is completed by the next one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchTree`], or when the disk fails.
    pub fn remove_tree(&self, tree: TreeId) -> Result<(), StoreError> {
        {
            let database = self.inner.database();
            let transaction = self.inner.begin_write(&database, false)?;
            transaction.redb.open_table(META)?.insert(META_SWEEP, [].as_slice())?;
            if transaction.redb.open_table(TREES)?.remove(tree.0)?.is_none() {
                return Err(StoreError::NoSuchTree { tree });
            }
            purpose::forget(&transaction.redb, tree)?;
            transaction.commit()?;
        }
        let removed =
            self.inner.trees.write().unwrap_or_else(PoisonError::into_inner).remove(&tree);
        self.change_root(removed.and_then(|tree| tree.root), None);
        lock(&self.inner.open_files).invalidate(|(owner, _)| owner == tree);
        lock(&self.inner.changed).forget_tree(tree);
        self.tell_change();
        self.sweep()
    }

    fn remember(&self, tree: Tree) {
        let root = tree.root;
        let before =
            self.inner.trees.write().unwrap_or_else(PoisonError::into_inner).insert(tree.id, tree);
        self.change_root(before.and_then(|tree| tree.root), root);
        self.tell_change();
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

    pub(super) fn change_tree(
        &self,
        tree: TreeId,
        change: impl FnOnce(&mut Tree),
    ) -> Result<(), StoreError> {
        let mut changed = self.tree(tree).ok_or(StoreError::NoSuchTree { tree })?;
        change(&mut changed);
        let database = self.inner.database();
        let transaction = self.inner.begin_write(&database, false)?;
        transaction.redb.open_table(TREES)?.insert(tree.0, changed.encode()?.as_slice())?;
        purpose::write(&transaction.redb, &changed)?;
        transaction.commit()?;
        self.remember(changed);
        Ok(())
    }

    /// Removes what belongs to no tree.
    fn sweep(&self) -> Result<(), StoreError> {
        while self.in_transaction(sweep_files)? {}
        let mut from = Some(BlockKey::default());
        while let Some(key) = from {
            from = self.in_transaction(|transaction| sweep_blocks(transaction, &key))?;
        }
        self.in_transaction(|transaction| {
            transaction.open_table(META)?.remove(META_SWEEP)?;
            Ok(())
        })
    }

    fn in_transaction<T>(
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

fn absolute(base: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(base)
        .map_err(|source| StoreError::Folder { path: base.to_path_buf(), source })
}

fn next_tree(transaction: &WriteTransaction) -> Result<TreeId, StoreError> {
    let damaged = || StoreError::Damaged { table: "meta" };
    let mut meta = transaction.open_table(META)?;
    let last = match meta.get(META_NEXT_TREE)? {
        Some(bytes) => u32::from_le_bytes(bytes.value().try_into().map_err(|_| damaged())?),
        None => 0,
    };
    let next = last.checked_add(1).ok_or_else(damaged)?;
    meta.insert(META_NEXT_TREE, next.to_le_bytes().as_slice())?;
    Ok(TreeId(next))
}

fn is_live(transaction: &WriteTransaction, tree: TreeId) -> Result<bool, StoreError> {
    Ok(tree == TreeId::NONE || transaction.open_table(TREES)?.get(tree.0)?.is_some())
}

/// Removes a batch of file records whose tree is gone; whether more may follow.
fn sweep_files(transaction: &WriteTransaction) -> Result<bool, StoreError> {
    let mut dead = Vec::new();
    {
        let files = transaction.open_table(FILES)?;
        let mut from = (0, 0);
        while let Some(row) = files.range(from..)?.next() {
            let tree = row?.0.value().0;
            if !is_live(transaction, TreeId(tree))? {
                let groups = files.range((tree, 0)..=(tree, u32::MAX))?.take(SWEEP_BATCH);
                dead =
                    groups.map(|row| row.map(|(key, _)| key.value())).collect::<Result<_, _>>()?;
                break;
            }
            let Some(next) = tree.checked_add(1) else { break };
            from = (next, 0);
        }
    }
    let mut files = transaction.open_table(FILES)?;
    for key in &dead {
        files.remove(key)?;
    }
    Ok(!dead.is_empty())
}

/// Examines a batch of blocks from `from` on; where the next one starts.
fn sweep_blocks(
    transaction: &WriteTransaction,
    from: &BlockKey,
) -> Result<Option<BlockKey>, StoreError> {
    let trees: Vec<u32> = transaction
        .open_table(TREES)?
        .iter()?
        .map(|row| row.map(|(id, _)| id.value()))
        .collect::<Result<_, _>>()?;
    let live = |tree: TreeId| tree == TreeId::NONE || trees.binary_search(&tree.0).is_ok();
    let mut blocks = transaction.open_table(BLOCKS)?;
    let mut changed = Vec::new();
    let mut next = None;
    for (index, row) in blocks.range::<&BlockKey>(from..)?.enumerate() {
        let (key, value) = row?;
        if index == SWEEP_BATCH {
            next = Some(*key.value());
            break;
        }
        let entry = Entry::decode(value.value())?;
        if !entry.wholly(live) {
            changed.push((*key.value(), entry));
        }
    }
    let mut pieces = transaction.open_table(PIECES)?;
    for (key, mut entry) in changed {
        if let Some(place) = entry.retain(live) {
            remove_pieces(&mut pieces, &place)?;
        }
        if entry.is_empty() {
            blocks.remove(&key)?;
        } else {
            blocks.insert(&key, entry.encode().as_slice())?;
        }
    }
    Ok(next)
}

impl Entry {
    /// Whether everything in the entry belongs to trees that are `live`.
    fn wholly(&self, live: impl Fn(TreeId) -> bool) -> bool {
        self.references.iter().all(|reference| live(reference.tree))
            && self.kept.iter().all(|kept| kept.owners.iter().all(|owner| live(*owner)))
    }

    /// Drops what belongs to other trees; gives the place of a block that is
    /// not kept any more.
    fn retain(&mut self, live: impl Fn(TreeId) -> bool) -> Option<super::record::Place> {
        self.references.retain(|reference| live(reference.tree));
        let kept = self.kept.as_mut()?;
        kept.owners.retain(|owner| live(*owner));
        if kept.owners.is_empty() { self.kept.take().map(|kept| kept.place) } else { None }
    }
}
