//! The store's format: what is old becomes new, what is newer is left alone.

use std::{collections::BTreeMap, fs, path::Path};

use peerage::store::{
    Batch, DownloadState, FileRecord, Frame, OwnerId, OwnerKind, Purpose, Store, StoreError,
};
use peerage_core::data::{Cid, HashKind, codec, hash};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _,
};

use super::{lossy::Lossy, sized};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const TREES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("trees");
const OWNERS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("owners");
pub(super) const VALUES: TableDefinition<'_, (u64, &str, &[u8]), &[u8]> =
    TableDefinition::new("values");

fn raw(backend: Lossy) -> Database {
    redb::Builder::new().create_with_backend(backend).unwrap()
}

fn set_format(database: &Database, format: u64) {
    let transaction = database.begin_write().unwrap();
    let mut meta = transaction.open_table(META).unwrap();
    meta.insert("format", format.to_le_bytes().as_slice()).unwrap();
    drop(meta);
    transaction.commit().unwrap();
}

/// Makes a store one of format 1: an owner's record there is the same without
/// its kind.
fn make_old(backend: Lossy) {
    let database = raw(backend);
    let transaction = database.begin_write().unwrap();
    {
        let owners = transaction.open_table(OWNERS).unwrap();
        let mut trees = transaction.open_table(TREES).unwrap();
        for row in owners.iter().unwrap() {
            let (id, owner) = row.unwrap();
            trees.insert(id.value(), &owner.value()[1..]).unwrap();
        }
        let mut meta = transaction.open_table(META).unwrap();
        let next = meta.remove("next-owner").unwrap().unwrap().value().to_vec();
        meta.insert("next-tree", next.as_slice()).unwrap();
    }
    transaction.delete_table(OWNERS).unwrap();
    transaction.delete_table(VALUES).unwrap();
    transaction.commit().unwrap();
    set_format(&database, 1);
}

/// A file below `base`, recorded as one block.
fn add_file(store: &Store, kind: OwnerKind, path: &str, data: &[u8]) -> (OwnerId, Cid) {
    let cid = hash(codec::RAW, HashKind::Sha2_256, data);
    let owner = store.add_owner(kind).unwrap();
    let mut batch = Batch::new(owner);
    let file = FileRecord { path: path.into(), size: data.len() as u64, modified: None };
    batch.file(0, file).unwrap();
    batch.whole_file(cid, 0, Frame::Raw);
    store.write(batch).unwrap();
    store.set_root(owner, cid).unwrap();
    (owner, cid)
}

/// What is in a store: owners and, of each, a block.
#[derive(Debug, PartialEq)]
struct Expected(BTreeMap<OwnerId, (OwnerKind, Cid)>);

/// A store with one owner of each kind that format 1 can tell.
fn fill(store: &Store, folder: &Path) -> Expected {
    let added = folder.join("added");
    fs::write(&added, b"dawn").unwrap();
    fs::write(folder.join("got"), b"dusk").unwrap();
    let staging = folder.join(".peerage-abc.partial");
    fs::create_dir_all(&staging).unwrap();
    fs::write(staging.join("half"), b"noon").unwrap();
    let unknown = *sized(0, 0).cid();
    let kinds = [
        (OwnerKind::files(Purpose::Added, &added), "", "dawn"),
        (OwnerKind::download(unknown, folder), "got", "dusk"),
        (OwnerKind::download(unknown, &staging), "half", "noon"),
    ];
    let mut expected = BTreeMap::new();
    for (kind, path, data) in kinds {
        let (owner, cid) = add_file(store, kind, path, data.as_bytes());
        let mut kind = store.owner(owner).unwrap().kind;
        if let OwnerKind::Download { state, base, .. } = &mut kind
            && *base == folder
        {
            *state = DownloadState::Got;
        }
        expected.insert(owner, (kind, cid));
    }
    Expected(expected)
}

fn check(store: &Store, expected: &Expected) {
    let found = store.owners().into_iter().map(|owner| (owner.id, owner.kind));
    let kinds = expected.0.iter().map(|(id, (kind, _))| (*id, kind.clone()));
    assert_eq!(found.collect::<Vec<_>>(), kinds.collect::<Vec<_>>());
    for (_, cid) in expected.0.values() {
        assert!(store.get(cid).unwrap().is_some());
    }
}

fn old_store(seed: u64, folder: &Path) -> (Lossy, Expected) {
    let backend = Lossy::new(seed);
    let store = Store::with_backend(backend.clone()).unwrap();
    let expected = fill(&store, folder);
    drop(store);
    make_old(backend.clone());
    (backend, expected)
}

/// The tables of a store, and its format.
fn tables(backend: Lossy) -> (Vec<String>, u64) {
    let database = raw(backend);
    let transaction = database.begin_read().unwrap();
    let mut names: Vec<String> =
        transaction.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    names.sort();
    let format = transaction.open_table(META).unwrap().get("format").unwrap().unwrap();
    let format = u64::from_le_bytes(format.value().try_into().unwrap());
    (names, format)
}

#[test]
fn format_1_becomes_2_wherever_the_machine_stops() {
    let folder = tempfile::tempdir().unwrap();
    let old = ["blocks", "files", "meta", "pieces", "trees"];
    let new = ["blocks", "files", "meta", "owners", "pieces", "values"];
    let (mut halted, mut seen) = (0, [false; 2]);
    // Each cut with several seeds, which lose other sectors.
    for (cut, seed) in (0..).flat_map(|cut| (0..4).map(move |seed| (cut, cut * 7 + seed))) {
        let (backend, expected) = old_store(seed, folder.path());
        assert_eq!(tables(backend.clone()).1, 1);
        backend.crash_after(cut);
        let opened = Store::with_backend(backend.clone());
        let done = opened.is_ok();
        drop(opened);
        let disk = backend.after_crash();
        let (names, format) = tables(disk.clone());
        match format {
            1 => assert_eq!(names, old),
            2 => assert_eq!(names, new),
            other => panic!("format {other}"),
        }
        seen[usize::from(format == 2)] = true;
        let store = Store::with_backend(disk.clone()).unwrap();
        check(&store, &expected);
        drop(store);
        check(&Store::with_backend(disk).unwrap(), &expected);
        halted += u64::from(!done);
        if done && cut > halted / 4 + 10 {
            break;
        }
    }
    assert!(halted > 3, "it was never halted");
    assert_eq!(seen, [true; 2]);
}

#[test]
fn blocks_that_nobody_owned_get_an_owner() {
    let backend = Lossy::new(5);
    let store = Store::with_backend(backend.clone()).unwrap();
    let block = sized(1, 5000);
    let pin = store.add_owner(OwnerKind::Pin { root: *block.cid() }).unwrap();
    store.put(pin, std::slice::from_ref(&block)).unwrap();
    drop(store);
    make_old(backend.clone());
    // In format 1, number 0 stood for no tree.
    let database = raw(backend.clone());
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TREES).unwrap().remove(pin.number()).unwrap();
    {
        let blocks: TableDefinition<'_, &[u8; 12], &[u8]> = TableDefinition::new("blocks");
        let mut blocks = transaction.open_table(blocks).unwrap();
        let (key, mut entry) = {
            let row = blocks.first().unwrap().unwrap();
            (*row.0.value(), row.1.value().to_vec())
        };
        assert_eq!(u32::from(entry[2]), pin.number(), "kind, number of owners, owner");
        entry[2] = 0;
        blocks.insert(&key, entry.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);

    let store = Store::with_backend(backend).unwrap();
    let [owner] = store.owners().try_into().unwrap();
    assert!(matches!(owner.kind, OwnerKind::Database { root: None, .. }));
    assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block.data()));
    store.remove_owner(owner.id).unwrap();
    assert!(!store.has(block.cid()).unwrap());
}

#[test]
fn a_newer_store_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blocks.redb");
    drop(Store::open(folder.path()).unwrap());
    let database = Database::open(&path).unwrap();
    set_format(&database, 3);
    // Once as a crash leaves it, once closed.
    let killed = fs::read(&path).unwrap();
    drop(database);
    let closed = fs::read(&path).unwrap();
    assert_ne!(killed, closed);
    for bytes in [killed, closed] {
        fs::write(&path, &bytes).unwrap();
        for _ in 0..2 {
            match Store::open(folder.path()) {
                Err(StoreError::NewerFormat { found: 3, known: 2 }) => {}
                other => panic!("{other:?}"),
            }
            assert!(fs::read(&path).unwrap() == bytes, "the file was written to");
        }
    }
}
