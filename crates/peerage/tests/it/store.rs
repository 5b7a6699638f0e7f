//! The store, on each of its backends.

mod format;
mod kept_home;
mod lossy;
mod owners;
mod values;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use peerage::store::{
    Batch, FileRecord, Frame, Modified, OwnerId, OwnerKind, Purpose, Store, StoreError,
};
use peerage_core::data::{Block, Cid, HashKind, codec, hash};
use proptest::prelude::*;

use self::lossy::Lossy;

fn block(data: &[u8]) -> Block {
    Block::new(codec::RAW, HashKind::Sha2_256, Bytes::copy_from_slice(data))
}

/// A block of a given size that differs from others with another seed.
fn sized(seed: u64, size: usize) -> Block {
    let data: Vec<u8> =
        (0..size as u64).map(|n| (n * 31 + seed * 7 + n / 251).to_le_bytes()[0]).collect();
    block(&[&seed.to_le_bytes(), data.as_slice()].concat())
}

/// An owner of files in `base`.
fn files(base: &Path) -> OwnerKind {
    OwnerKind::files(Purpose::Shared, base)
}

/// An owner of blocks that are in no file.
fn database(store: &Store) -> OwnerId {
    store.add_owner(OwnerKind::database("somewhere")).unwrap()
}

/// Runs a test on every kind of store. The test gets a scratch folder too.
fn on_each(test: impl Fn(&Store, &Path)) {
    let scratch = || tempfile::tempdir().unwrap();
    let (one, two, three) = (scratch(), scratch(), scratch());
    test(&Store::memory().unwrap(), one.path());
    test(&Store::open(&two.path().join("store")).unwrap(), two.path());
    test(&Store::with_backend(Lossy::new(1)).unwrap(), three.path());
}

fn record(path: &str, file: &Path) -> FileRecord {
    let modified = fs::metadata(file).unwrap().modified().unwrap();
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    FileRecord {
        path: PathBuf::from(path),
        size: fs::metadata(file).unwrap().len(),
        modified: Some(Modified {
            seconds: since.as_secs().try_into().unwrap(),
            nanoseconds: since.subsec_nanos(),
        }),
    }
}

/// Writes a file and records its two halves; gives their CIDs.
fn share_halves(store: &Store, base: &Path, name: &str, data: &[u8]) -> [Cid; 2] {
    fs::write(base.join(name), data).unwrap();
    let owner = store.add_owner(files(base)).unwrap();
    let mut batch = Batch::new(owner);
    batch.file(0, record(name, &base.join(name))).unwrap();
    let half = data.len() / 2;
    let cids =
        [&data[..half], &data[half..]].map(|part| hash(codec::RAW, HashKind::Sha2_256, part));
    batch.reference(cids[0], 0, 0, half as u64, Frame::Raw);
    batch.reference(cids[1], 0, half as u64, (data.len() - half) as u64, Frame::Raw);
    store.write(batch).unwrap();
    cids
}

/// Sets a file's time to one that it did not have before.
fn age(file: &Path) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
}

#[test]
fn keeps_blocks_of_every_size() {
    on_each(|store, _| {
        let owner = database(store);
        for size in [0, 1, 1000, 1024, 1025, 4079, 4080, 4081, 65_520, 65_521, 200_000, 2_097_152] {
            let block = sized(size as u64, size);
            assert_eq!(store.get(block.cid()).unwrap(), None);
            assert!(!store.has(block.cid()).unwrap());
            store.put(owner, std::slice::from_ref(&block)).unwrap();
            assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block.data()));
            assert_eq!(store.size(block.cid()).unwrap(), Some(block.data().len() as u64));
            assert!(store.has(block.cid()).unwrap());
        }
    });
}

#[test]
fn reads_ranges_of_files_and_follows_a_moved_folder() {
    on_each(|store, scratch| {
        let base = scratch.join("before");
        fs::create_dir(&base).unwrap();
        let cids = share_halves(store, &base, "a picture.jpg", b"dawn and dusk");
        assert_eq!(store.get(&cids[0]).unwrap().as_deref(), Some(b"dawn a".as_slice()));
        assert_eq!(store.get(&cids[1]).unwrap().as_deref(), Some(b"nd dusk".as_slice()));
        assert_eq!(store.size(&cids[1]).unwrap(), Some(7));

        fs::rename(&base, scratch.join("after")).unwrap();
        store.move_owner(store.owners()[0].id, &scratch.join("after")).unwrap();
        assert_eq!(store.get(&cids[1]).unwrap().as_deref(), Some(b"nd dusk".as_slice()));
    });
}

#[test]
fn an_owner_may_be_one_file() {
    on_each(|store, scratch| {
        let path = scratch.join("only");
        fs::write(&path, b"dawn").unwrap();
        let cid = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
        let owner = store.add_owner(files(&path)).unwrap();
        store.set_root(owner, cid).unwrap();
        let mut batch = Batch::new(owner);
        batch.file(7, record("", &path)).unwrap();
        batch.whole_file(cid, 7, Frame::Raw);
        store.write(batch).unwrap();
        assert_eq!(store.get(&cid).unwrap().as_deref(), Some(b"dawn".as_slice()));
        assert_eq!(store.size(&cid).unwrap(), Some(4));
        assert_eq!(store.owner(owner).unwrap().root(), Some(cid));
    });
}

#[test]
fn what_an_owner_is_for_outlasts_the_process_and_others_hear_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut changes = store.owner_changes();
    let root = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
    let got = store.add_owner(OwnerKind::download(root, folder.path())).unwrap();
    let [shared, added] = [Purpose::Shared, Purpose::Added].map(|purpose| {
        let owner = store.add_owner(OwnerKind::files(purpose, folder.path())).unwrap();
        store.set_root(owner, root).unwrap();
        owner
    });
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    store.remove_owner(shared).unwrap();
    assert!(changes.has_changed().unwrap());
    drop(store);

    let store = Store::open(folder.path()).unwrap();
    let offered: Vec<_> = store.owners().iter().map(|owner| (owner.id, owner.offered())).collect();
    assert_eq!(offered, [(got, None), (added, Some(root))]);
}

#[test]
fn notices_a_changed_a_shortened_and_a_missing_file() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("touched", age),
        ("appended", |path| {
            File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
        }),
        ("shortened", |path| {
            File::options().write(true).open(path).unwrap().set_len(3).unwrap();
        }),
        ("replaced", |path| {
            fs::write(path.with_extension("new"), b"other content").unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        }),
        ("made a link", |path| {
            fs::rename(path, path.with_extension("moved")).unwrap();
            std::os::unix::fs::symlink(path.with_extension("moved"), path).unwrap();
        }),
    ];
    on_each(|store, scratch| {
        for (what, change) in changes {
            // Once with the file open already, once not.
            for read_before in [false, true] {
                let name = format!("{what} {read_before}");
                let cids = share_halves(store, scratch, &name, format!("{name}/{name}").as_bytes());
                if read_before {
                    assert!(store.get(&cids[0]).unwrap().is_some());
                }
                change(&scratch.join(&name));
                match store.get(&cids[1]) {
                    Err(StoreError::FileChanged { path }) => assert_eq!(path, scratch.join(&name)),
                    // A link elsewhere is not followed, but the open file is the one recorded.
                    Ok(Some(_)) if what == "made a link" && read_before => continue,
                    other => panic!("{name}: {other:?}"),
                }
                assert_eq!(store.changed_files().last().unwrap().path, scratch.join(&name));
            }
        }
        let cids = share_halves(store, scratch, "gone", b"dawn and dusk");
        assert!(store.get(&cids[0]).unwrap().is_some());
        fs::remove_file(scratch.join("gone")).unwrap();
        assert!(matches!(store.get(&cids[0]), Err(StoreError::FileMissing { .. })));
        // The records stay: nothing says that the file will not come back.
        assert!(store.has(&cids[0]).unwrap());
    });
}

#[test]
fn falls_back_to_another_file_with_the_same_bytes() {
    on_each(|store, scratch| {
        let first = share_halves(store, scratch, "first", b"dawn and dusk");
        let second = share_halves(store, scratch, "second", b"dawn and dusk");
        assert_eq!(first, second);
        age(&scratch.join("first"));
        assert_eq!(store.get(&first[0]).unwrap().as_deref(), Some(b"dawn a".as_slice()));
        assert_eq!(store.changed_files().len(), 1);
    });
}

#[test]
fn a_file_being_written_serves_only_what_hashes() {
    on_each(|store, scratch| {
        let path = scratch.join("partial");
        fs::write(&path, b"dawn\0\0\0\0").unwrap();
        let owner = store.add_owner(files(&path)).unwrap();
        let growing = FileRecord { path: PathBuf::new(), size: 12, modified: None };
        let [dawn, dusk, later] = ["dawn", "dusk", "late"]
            .map(|part| hash(codec::RAW, HashKind::Sha2_256, part.as_bytes()));
        let mut batch = Batch::new(owner);
        batch.file(0, growing).unwrap();
        batch.reference(dawn, 0, 0, 4, Frame::Raw);
        batch.reference(dusk, 0, 4, 4, Frame::Raw);
        batch.reference(later, 0, 8, 4, Frame::Raw);
        store.write(batch).unwrap();
        assert_eq!(store.get(&dawn).unwrap().as_deref(), Some(b"dawn".as_slice()));
        assert_eq!(store.get(&dusk).unwrap(), None);
        assert_eq!(store.get(&later).unwrap(), None);

        fs::write(&path, b"dawndusklate").unwrap();
        let mut whole = Batch::new(owner);
        whole.file(0, record("", &path)).unwrap();
        store.write(whole).unwrap();
        assert_eq!(store.get(&later).unwrap().as_deref(), Some(b"late".as_slice()));
        age(&path);
        assert!(matches!(store.get(&later), Err(StoreError::FileChanged { .. })));
    });
}

#[test]
fn removing_an_owner_leaves_what_others_own() {
    on_each(|store, scratch| {
        let shared = [sized(1, 10), sized(2, 100_000)];
        let own = [sized(3, 10), sized(4, 100_000)];
        let owners = [(); 2].map(|()| store.add_owner(files(scratch)).unwrap());
        for owner in owners {
            let mut batch = Batch::new(owner);
            shared.iter().for_each(|block| batch.block(block.clone()));
            if owner == owners[0] {
                own.iter().for_each(|block| batch.block(block.clone()));
            }
            store.write(batch).unwrap();
        }
        let cids = share_halves(store, scratch, "file", b"dawn and dusk");
        store.remove_owner(owners[0]).unwrap();
        assert!(own.iter().all(|block| !store.has(block.cid()).unwrap()));
        assert!(own.iter().all(|block| store.get(block.cid()).unwrap().is_none()));
        for block in &shared {
            assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block.data()));
        }
        assert!(store.get(&cids[0]).unwrap().is_some());
        store.remove_owner(owners[1]).unwrap();
        assert!(shared.iter().all(|block| !store.has(block.cid()).unwrap()));

        assert!(matches!(store.remove_owner(owners[0]), Err(StoreError::NoSuchOwner { .. })));
        assert!(matches!(store.write(Batch::new(owners[0])), Err(StoreError::NoSuchOwner { .. })));
        assert_ne!(store.add_owner(files(scratch)).unwrap(), owners[1]);
    });
}

#[test]
fn removing_a_large_owner_takes_all_its_batches() {
    on_each(|store, scratch| {
        let owners = [(); 2].map(|()| store.add_owner(files(scratch)).unwrap());
        let cid = |n: u32| hash(codec::RAW, HashKind::Sha2_256, &n.to_le_bytes());
        for (owner, numbers) in owners.into_iter().zip([0..9000u32, 8000..17_000]) {
            let mut batch = Batch::new(owner);
            for number in numbers {
                let path = PathBuf::from(format!("file {number}"));
                batch.file(number, FileRecord { path, size: 4, modified: None }).unwrap();
                batch.whole_file(cid(number), number, Frame::Raw);
            }
            store.write(batch).unwrap();
        }
        store.remove_owner(owners[0]).unwrap();
        assert!((0..8000).all(|n| !store.has(&cid(n)).unwrap()));
        assert!((8000..17_000).all(|n| store.has(&cid(n)).unwrap()));
    });
}

#[test]
fn a_block_in_many_places_keeps_a_few() {
    on_each(|store, scratch| {
        let owner = store.add_owner(files(scratch)).unwrap();
        let zero = vec![0; 4096];
        let cid = hash(codec::RAW, HashKind::Sha2_256, &zero);
        fs::write(scratch.join("zeros"), vec![0; 4096 * 1000]).unwrap();
        let mut batch = Batch::new(owner);
        batch.file(0, record("zeros", &scratch.join("zeros"))).unwrap();
        (0..1000).for_each(|n| batch.reference(cid, 0, n * 4096, 4096, Frame::Raw));
        store.write(batch).unwrap();
        assert_eq!(store.get(&cid).unwrap().as_deref(), Some(zero.as_slice()));
        // A place in another owner is not crowded out.
        let other = store.add_owner(files(scratch)).unwrap();
        let mut batch = Batch::new(other);
        batch.file(0, record("zeros", &scratch.join("zeros"))).unwrap();
        batch.reference(cid, 0, 0, 4096, Frame::Raw);
        store.write(batch).unwrap();
        store.remove_owner(owner).unwrap();
        assert_eq!(store.get(&cid).unwrap().as_deref(), Some(zero.as_slice()));
    });
}

#[test]
fn refuses_paths_that_leave_the_folder() {
    on_each(|store, scratch| {
        let mut batch = Batch::new(store.add_owner(files(scratch)).unwrap());
        for path in ["../x", "a/../../x", "/etc/passwd", "./x"] {
            let file = FileRecord { path: PathBuf::from(path), size: 0, modified: None };
            assert!(matches!(batch.file(0, file), Err(StoreError::BadPath { .. })), "{path}");
        }
    });
}

#[test]
fn names_that_are_not_text() {
    use std::os::unix::ffi::OsStrExt as _;
    on_each(|store, scratch| {
        let name = std::ffi::OsStr::from_bytes(b"\xff\xfe\n\\ \x01");
        fs::write(scratch.join(name), b"dawn").unwrap();
        let cid = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
        let mut batch = Batch::new(store.add_owner(files(scratch)).unwrap());
        let mut file = record("x", &scratch.join(name));
        file.path = PathBuf::from(name);
        batch.file(0, file).unwrap();
        batch.whole_file(cid, 0, Frame::Raw);
        store.write(batch).unwrap();
        assert_eq!(store.get(&cid).unwrap().as_deref(), Some(b"dawn".as_slice()));
    });
}

#[test]
fn identity_blocks_are_always_there() {
    let store = Store::memory().unwrap();
    let multihash = cid::multihash::Multihash::wrap(0, b"dawn").unwrap();
    let cid = Cid::new_v1(codec::RAW, multihash);
    assert!(store.has(&cid).unwrap());
    assert_eq!(store.size(&cid).unwrap(), Some(4));
    assert_eq!(store.get(&cid).unwrap().as_deref(), Some(b"dawn".as_slice()));
}

#[test]
fn a_second_opener_is_told_that_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    match Store::open(folder.path()) {
        Err(StoreError::InUse { path }) => assert_eq!(path, folder.path()),
        other => panic!("{other:?}"),
    }
    drop(store);
    Store::open(folder.path()).unwrap();
}

#[test]
fn a_store_comes_back_when_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("store");
    let (kept, cids);
    {
        let store = Store::open(&home).unwrap();
        kept = sized(9, 70_000);
        store.put(database(&store), std::slice::from_ref(&kept)).unwrap();
        cids = share_halves(&store, folder.path(), "file", b"dawn and dusk");
    }
    let store = Store::open(&home).unwrap();
    assert_eq!(store.get(kept.cid()).unwrap().as_ref(), Some(kept.data()));
    assert_eq!(store.get(&cids[1]).unwrap().as_deref(), Some(b"nd dusk".as_slice()));
    assert_eq!(store.owners().len(), 2);
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(home.join("blocks.redb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_not_a_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("blocks.redb"), vec![7; 100_000]).unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Database(_))));
}

#[test]
fn many_threads_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let owner = database(&store);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..50 {
                    let block = sized(thread * 1000 + n, 3000);
                    store.put(owner, std::slice::from_ref(&block)).unwrap();
                    assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block.data()));
                    if n % 16 == 0 {
                        store.compact().unwrap();
                    }
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever the machine stops, the store opens again and has everything
    /// up to some write at or after the last `sync`, and nothing half-written.
    #[test]
    fn survives_a_crash_at_any_moment(
        seed in any::<u64>(),
        sizes in proptest::collection::vec(0usize..30_000, 1..40),
        sync_every in 1usize..12,
        crash_after in 0u64..400,
    ) {
        let backend = Lossy::new(seed);
        let store = Store::with_backend(backend.clone()).unwrap();
        let synced_owner = database(&store);
        store.sync().unwrap();
        backend.crash_after(crash_after);
        let (mut synced, mut written) = (0, 0);
        for (n, size) in sizes.iter().enumerate() {
            // Two blocks a batch, to see that batches are not torn.
            let mut batch = Batch::new(synced_owner);
            batch.block(sized(n as u64, *size));
            batch.block(sized(n as u64 + 1000, 40));
            if store.write(batch).is_err() {
                break;
            }
            written = n + 1;
            if n % sync_every == 0 {
                if store.sync().is_err() {
                    break;
                }
                synced = n + 1;
            }
        }
        drop(store);

        let store = Store::with_backend(backend.after_crash()).unwrap();
        prop_assert!(store.owner(synced_owner).is_some());
        let present = |n: usize| {
            let pair = [sized(n as u64, sizes[n]), sized(n as u64 + 1000, 40)];
            let found = pair.map(|block| {
                let data = store.get(block.cid()).unwrap();
                assert!(data.as_ref().is_none_or(|data| data == block.data()));
                data.is_some()
            });
            assert_eq!(found[0], found[1], "batch {n} was torn");
            found[0]
        };
        let kept = (0..sizes.len()).take_while(|n| present(*n)).count();
        prop_assert!(kept >= synced, "{kept} batches kept, {synced} were synced");
        prop_assert!(kept <= written + 1);
        prop_assert!((kept..sizes.len()).all(|n| !present(n)));
        store.put(synced_owner, &[sized(77, 5000)]).unwrap();
        store.sync().unwrap();
    }
}
