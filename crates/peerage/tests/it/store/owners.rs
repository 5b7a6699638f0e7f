//! Whose the blocks are, and for how long.

use std::path::Path;

use peerage::store::{Batch, DownloadState, Owner, OwnerId, OwnerKind, Purpose, Store, StoreError};

use super::{database, lossy::Lossy, on_each, sized};

fn kinds() -> [OwnerKind; 6] {
    let [shared, getting, pinned] = [1, 2, 3].map(|seed| *sized(seed, 10).cid());
    let base = Path::new("/somewhere/else").to_path_buf();
    [
        OwnerKind::Files { base: base.clone(), purpose: Purpose::Shared, root: Some(shared) },
        OwnerKind::files(Purpose::Added, &base),
        OwnerKind::download(getting, &base),
        OwnerKind::Download { base, state: DownloadState::Got, root: getting },
        OwnerKind::database("album"),
        OwnerKind::Pin { root: pinned },
    ]
}

#[test]
fn what_owners_are_is_known_after_a_restart() {
    let backend = Lossy::new(3);
    let store = Store::with_backend(backend.clone()).unwrap();
    let ids = kinds().map(|kind| store.add_owner(kind).unwrap());
    let expected: Vec<Owner> =
        ids.into_iter().zip(kinds()).map(|(id, kind)| Owner { id, kind }).collect();
    assert_eq!(store.owners(), expected);
    store.sync().unwrap();
    drop(store);
    let store = Store::with_backend(backend.after_crash()).unwrap();
    assert_eq!(store.owners(), expected);
    assert_eq!(store.owner(ids[4]), Some(expected[4].clone()));
}

#[test]
fn what_is_offered_and_what_is_wanted_follow_from_the_owners() {
    let store = Store::memory().unwrap();
    let ids = kinds().map(|kind| store.add_owner(kind).unwrap());
    let offered = |store: &Store| store.owners().iter().filter_map(Owner::offered).count();
    let wanted = |store: &Store| store.owners().iter().filter_map(Owner::wanted).count();
    assert_eq!((offered(&store), wanted(&store)), (1, 1));
    store.set_root(ids[1], *sized(9, 9).cid()).unwrap();
    assert_eq!(offered(&store), 2);
    store.remove_owner(ids[0]).unwrap();
    store.remove_owner(ids[2]).unwrap();
    assert_eq!((offered(&store), wanted(&store)), (1, 0));
}

#[test]
fn only_owners_with_files_move() {
    on_each(|store, scratch| {
        for kind in kinds() {
            let has_files = kind.base().is_some();
            let owner = store.add_owner(kind).unwrap();
            match store.move_owner(owner, scratch) {
                Ok(()) => assert!(has_files),
                Err(StoreError::NoFolder { owner: named }) => {
                    assert!(!has_files);
                    assert_eq!(named, owner);
                }
                Err(error) => panic!("{error}"),
            }
            let base = store.owner(owner).unwrap();
            assert_eq!(base.base(), has_files.then_some(scratch));
        }
    });
}

#[test]
fn nothing_is_kept_for_nobody() {
    on_each(|store, _| {
        let block = sized(1, 5000);
        let never = OwnerId::from_number(77);
        let refused = store.put(never, std::slice::from_ref(&block));
        assert!(matches!(refused, Err(StoreError::NoSuchOwner { owner }) if owner == never));
        let owner = database(store);
        store.put(owner, std::slice::from_ref(&block)).unwrap();
        assert_eq!(store.owners_of(block.cid()).unwrap(), [owner]);
        store.remove_owner(owner).unwrap();
        let refused = store.put(owner, std::slice::from_ref(&block));
        assert!(matches!(refused, Err(StoreError::NoSuchOwner { .. })));
        assert!(!store.has(block.cid()).unwrap());
    });
}

#[test]
fn a_block_of_many_owners_goes_with_the_last() {
    let store = Store::memory().unwrap();
    let block = sized(1, 100);
    let owners: Vec<OwnerId> = (0..200).map(|_| database(&store)).collect();
    for owner in &owners {
        store.put(*owner, std::slice::from_ref(&block)).unwrap();
    }
    for owner in &owners {
        assert!(store.has(block.cid()).unwrap());
        store.remove_owner(*owner).unwrap();
    }
    assert!(!store.has(block.cid()).unwrap());
    assert!(matches!(store.write(Batch::new(owners[0])), Err(StoreError::NoSuchOwner { .. })));
}

#[test]
fn a_name_of_any_length_is_not_taken() {
    let store = Store::memory().unwrap();
    store.add_owner(OwnerKind::database("n".repeat(255))).unwrap();
    let refused = store.add_owner(OwnerKind::database("n".repeat(256)));
    assert!(matches!(refused, Err(StoreError::NameTooLong { bytes: 256, .. })));
}
