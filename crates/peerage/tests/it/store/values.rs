//! Keys and values: what is written is read, in order, and goes with its owner.

use std::{collections::BTreeMap, ops::Bound};

use peerage::{
    limits::{MAX_KEY_BYTES, MAX_SPACE_BYTES, MAX_VALUE_BYTES, MAX_VALUES_PAGE},
    store::{Batch, Store, StoreError, ValueChange, Values},
};
use proptest::prelude::*;
use redb::{ReadableDatabase as _, ReadableTableMetadata as _};

use super::{database, format::VALUES, lossy::Lossy, on_each, sized};

fn change(key: &[u8], value: Option<&[u8]>) -> ValueChange {
    ValueChange { key: key.to_vec(), value: value.map(<[u8]>::to_vec) }
}

/// Everything in a space, page by page.
fn all(values: &Values) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut page = values.prefix(b"", None).unwrap();
    loop {
        let last = page.entries.last().map(|(key, _)| key.clone());
        all.extend(page.entries);
        match last.filter(|_| page.more) {
            Some(last) => page = values.prefix(b"", Some(&last)).unwrap(),
            None => return all,
        }
    }
}

#[test]
fn spaces_and_owners_keep_apart() {
    on_each(|store, _| {
        let [one, two] = [database(store), database(store)];
        let spaces = [
            store.values("heads").unwrap(),
            store.values("head").unwrap(),
            store.values("").unwrap(),
            store.values_of(one, "heads").unwrap(),
            store.values_of(two, "heads").unwrap(),
        ];
        for (n, space) in (0..).zip(&spaces) {
            space.put(b"", &[n]).unwrap();
            space.put(b"key", &[n, 1]).unwrap();
        }
        for (n, space) in (0..).zip(&spaces) {
            assert_eq!(space.get(b"").unwrap(), Some(vec![n]));
            assert_eq!(all(space).len(), 2);
        }
        spaces[3].remove(b"key").unwrap();
        spaces[3].remove(b"never there").unwrap();
        assert_eq!(spaces[3].get(b"key").unwrap(), None);
        assert!(spaces[4].get(b"key").unwrap().is_some());

        store.remove_owner(two).unwrap();
        assert_eq!(spaces[4].get(b"key").unwrap(), None);
        assert_eq!(all(&spaces[4]).len(), 0);
        assert!(matches!(spaces[4].put(b"k", b"v"), Err(StoreError::NoSuchOwner { .. })));
        assert_eq!(all(&spaces[0]).len(), 2);
    });
}

#[test]
fn what_an_owner_had_takes_no_room_when_it_is_gone() {
    let backend = Lossy::new(1);
    let store = Store::with_backend(backend.clone()).unwrap();
    let [gone, stays] = [database(&store), database(&store)];
    for (owner, count) in [(gone, 9000u32), (stays, 10)] {
        let values = store.values_of(owner, "log").unwrap();
        let changes = (0..count).map(|n| change(&n.to_be_bytes(), Some(b"entry"))).collect();
        values.write(changes).unwrap();
    }
    store.remove_owner(gone).unwrap();
    drop(store);
    let database = redb::Builder::new().create_with_backend(backend).unwrap();
    let table = database.begin_read().unwrap().open_table(VALUES).unwrap();
    assert_eq!(table.len().unwrap(), 10);
}

#[test]
fn ranges_and_prefixes_come_in_pages() {
    on_each(|store, _| {
        let values = store.values_of(database(store), "log").unwrap();
        let count = u32::try_from(MAX_VALUES_PAGE).unwrap() + 10;
        let changes = (0..count).map(|n| change(&n.to_be_bytes(), Some(b"entry"))).collect();
        values.write(changes).unwrap();
        let page = values.page(Bound::Unbounded, Bound::Unbounded).unwrap();
        assert!(page.more);
        assert_eq!(page.entries.len(), MAX_VALUES_PAGE);
        assert_eq!(all(&values).len(), count as usize);

        let [five, nine] = [5u32.to_be_bytes(), 9u32.to_be_bytes()];
        let keys = |from, to| values.page(from, to).unwrap().entries.len();
        assert_eq!(keys(Bound::Included(&five[..]), Bound::Excluded(&nine[..])), 4);
        assert_eq!(keys(Bound::Excluded(&five[..]), Bound::Included(&nine[..])), 4);
        assert_eq!(keys(Bound::Included(&nine[..]), Bound::Included(&five[..])), 0);
        assert_eq!(values.prefix(&[0, 0, 1], None).unwrap().entries.len(), 256);
        assert_eq!(values.prefix(&[255; 4], None).unwrap().entries.len(), 0);
    });
}

#[test]
fn a_page_has_no_more_bytes_than_it_may() {
    let store = Store::memory().unwrap();
    let values = store.values("large").unwrap();
    for n in 0..6 {
        values.put(&[n], &vec![n; MAX_VALUE_BYTES]).unwrap();
    }
    let page = values.prefix(b"", None).unwrap();
    assert!(page.more && page.entries.len() < 6);
    assert_eq!(all(&values).len(), 6);
}

#[test]
fn what_is_too_long_is_refused() {
    let store = Store::memory().unwrap();
    let values = store.values(&"s".repeat(MAX_SPACE_BYTES)).unwrap();
    let long = store.values(&"s".repeat(MAX_SPACE_BYTES + 1));
    assert!(matches!(long, Err(StoreError::NameTooLong { .. })));
    values.put(&[1; MAX_KEY_BYTES], &vec![1; MAX_VALUE_BYTES]).unwrap();
    let long = values.put(&[1; MAX_KEY_BYTES + 1], b"");
    assert!(matches!(long, Err(StoreError::KeyTooLong { .. })));
    let long = values.put(b"", &vec![1; MAX_VALUE_BYTES + 1]);
    assert!(matches!(long, Err(StoreError::ValueTooLong { .. })));
    let mut batch = Batch::new(database(&store));
    let long = batch.value("heads", change(&[1; MAX_KEY_BYTES + 1], None));
    assert!(matches!(long, Err(StoreError::KeyTooLong { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A block and the value that names it are both there or neither, wherever
    /// the machine stops.
    #[test]
    fn values_and_blocks_are_never_torn(
        seed in any::<u64>(),
        sizes in proptest::collection::vec(0usize..5000, 1..30),
        crash_after in 0u64..300,
    ) {
        let backend = Lossy::new(seed);
        let store = Store::with_backend(backend.clone()).unwrap();
        let owner = database(&store);
        store.sync().unwrap();
        backend.crash_after(crash_after);
        let mut synced = 0;
        for (n, size) in (0u8..).zip(&sizes) {
            let block = sized(n.into(), *size);
            let mut batch = Batch::new(owner);
            batch.value("log", change(&[n], Some(&block.cid().to_bytes()))).unwrap();
            batch.block(block);
            if store.write(batch).is_err() || (n % 3 == 0 && store.sync().is_err()) {
                break;
            }
            synced = if n % 3 == 0 { n + 1 } else { synced };
        }
        drop(store);

        let store = Store::with_backend(backend.after_crash()).unwrap();
        let log = store.values_of(owner, "log").unwrap();
        for (n, size) in (0u8..).zip(&sizes) {
            let cid = *sized(n.into(), *size).cid();
            let named = log.get(&[n]).unwrap();
            prop_assert_eq!(named.is_some(), store.has(&cid).unwrap(), "entry {} was torn", n);
            prop_assert!(named.is_none_or(|named| named == cid.to_bytes()));
            prop_assert!(n >= synced || store.has(&cid).unwrap());
        }
    }
}
