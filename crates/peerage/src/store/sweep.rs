//! Removing what belonged to owners that are gone.

use redb::{ReadableTable as _, WriteTransaction};

use super::{
    OwnerId, Store, StoreError,
    owners::is_live,
    record::{Entry, Place},
    tables::{BLOCKS, BlockKey, FILES, META, META_SWEEP, OWNERS, PIECES, VALUES},
    values::owner_of,
    write::remove_pieces,
};

/// How many records are examined or removed in one transaction when an owner is
/// removed, so that other writers wait for milliseconds only.
const SWEEP_BATCH: usize = 4096;

impl Store {
    /// Removes what belongs to no owner.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        while self.in_transaction(sweep_files)? {}
        while self.in_transaction(sweep_values)? {}
        let mut from = Some(BlockKey::default());
        while let Some(key) = from {
            from = self.in_transaction(|transaction| sweep_blocks(transaction, &key))?;
        }
        self.in_transaction(|transaction| {
            transaction.open_table(META)?.remove(META_SWEEP)?;
            Ok(())
        })
    }
}

/// Removes a batch of file records whose owner is gone; whether more may follow.
fn sweep_files(transaction: &WriteTransaction) -> Result<bool, StoreError> {
    let mut dead = Vec::new();
    {
        let files = transaction.open_table(FILES)?;
        let mut from = (0, 0);
        while let Some(row) = files.range(from..)?.next() {
            let owner = row?.0.value().0;
            if !is_live(transaction, OwnerId(owner))? {
                let groups = files.range((owner, 0)..=(owner, u32::MAX))?.take(SWEEP_BATCH);
                dead =
                    groups.map(|row| row.map(|(key, _)| key.value())).collect::<Result<_, _>>()?;
                break;
            }
            let Some(next) = owner.checked_add(1) else { break };
            from = (next, 0);
        }
    }
    let mut files = transaction.open_table(FILES)?;
    for key in &dead {
        files.remove(key)?;
    }
    Ok(!dead.is_empty())
}

/// Removes a batch of values whose owner is gone; whether more may follow.
fn sweep_values(transaction: &WriteTransaction) -> Result<bool, StoreError> {
    let mut dead = Vec::new();
    let mut values = transaction.open_table(VALUES)?;
    let mut from = 0;
    while let Some(row) = values.range((from, "", [].as_slice())..)?.next() {
        let whose = row?.0.value().0;
        if let Some(owner) = owner_of(whose)
            && !is_live(transaction, owner)?
        {
            let rows = values.range((whose, "", [].as_slice())..(whose + 1, "", [].as_slice()))?;
            for row in rows.take(SWEEP_BATCH) {
                let (key, _) = row?;
                let (_, space, key) = key.value();
                dead.push((whose, space.to_owned(), key.to_vec()));
            }
            break;
        }
        let Some(next) = whose.checked_add(1) else { break };
        from = next;
    }
    for (whose, space, key) in &dead {
        values.remove((*whose, space.as_str(), key.as_slice()))?;
    }
    Ok(!dead.is_empty())
}

/// Examines a batch of blocks from `from` on; where the next one starts.
fn sweep_blocks(
    transaction: &WriteTransaction,
    from: &BlockKey,
) -> Result<Option<BlockKey>, StoreError> {
    let owners: Vec<u32> = transaction
        .open_table(OWNERS)?
        .iter()?
        .map(|row| row.map(|(id, _)| id.value()))
        .collect::<Result<_, _>>()?;
    let live = |owner: OwnerId| owners.binary_search(&owner.0).is_ok();
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
    /// Whether everything in the entry belongs to owners that are `live`.
    fn wholly(&self, live: impl Fn(OwnerId) -> bool) -> bool {
        self.references.iter().all(|reference| live(reference.owner))
            && self.kept.iter().all(|kept| kept.owners.iter().all(|whose| live(*whose)))
    }

    /// Drops what belongs to other owners; gives the place of a block that is
    /// not kept any more.
    fn retain(&mut self, live: impl Fn(OwnerId) -> bool) -> Option<Place> {
        self.references.retain(|reference| live(reference.owner));
        let kept = self.kept.as_mut()?;
        kept.owners.retain(|whose| live(*whose));
        if kept.owners.is_empty() { self.kept.take().map(|kept| kept.place) } else { None }
    }
}
