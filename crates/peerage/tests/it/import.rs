//! Import: the same CIDs as the plain way, whatever is in the folder.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use peerage::{
    home::Home,
    import::{ImportError, ImportOptions, ImportProgress, ImportWarning, Imported, import},
    store::Store,
};
use peerage_core::data::{
    Cid, HashKind, Profile, View,
    directory::{self, Entry},
    layout::{self, Built, FileLayout},
    symlink as symlink_node,
    unixfs::{Metadata, Mtime},
    verify,
};
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// Bytes without a pattern of the length of a chunk.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect()
}

/// A folder with everything that folders have.
fn strange_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let sizes =
        [0, 1, 100, 262_143, 262_144, 262_145, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 17];
    for (n, size) in sizes.into_iter().enumerate() {
        fs::write(base.join(format!("file {size}")), noise(n as u64, size)).unwrap();
    }
    fs::create_dir_all(base.join("a/b/c/empty")).unwrap();
    fs::create_dir(base.join("many")).unwrap();
    for n in 0..300 {
        fs::write(base.join(format!("many/{n}.txt")), format!("{n}")).unwrap();
    }
    fs::write(base.join(".hidden"), "hidden").unwrap();
    fs::write(base.join("a/twin"), noise(7, MIB)).unwrap();
    fs::write(base.join(std::ffi::OsStr::from_bytes(b"not \xff text\\\n")), "x").unwrap();
    symlink("nowhere/at all", base.join("a/link")).unwrap();
    symlink("..", base.join("a/up")).unwrap();
    fs::set_permissions(base.join("file 1"), fs::Permissions::from_mode(0o4755)).unwrap();
    folder
}

fn metadata_of(path: &Path, options: &ImportOptions) -> Metadata {
    let found = fs::symlink_metadata(path).unwrap();
    if !options.metadata {
        return Metadata::default();
    }
    let mode = (!found.is_symlink()).then_some(found.mode() & 0o7777);
    let nanoseconds = u32::try_from(found.mtime_nsec()).unwrap();
    Metadata { mode, mtime: Some(Mtime { seconds: found.mtime(), nanoseconds }) }
}

/// The plain way: one file after the other, from memory. `all` gets the CID of
/// every block.
fn model(path: &Path, options: &ImportOptions, all: &mut BTreeSet<Cid>) -> Built {
    let profile = &options.profile;
    let metadata = metadata_of(path, options);
    let kind = fs::symlink_metadata(path).unwrap();
    let mut emit = |block: peerage_core::data::Block| {
        all.insert(*block.cid());
    };
    if kind.is_symlink() {
        let target = fs::read_link(path).unwrap();
        let block =
            symlink_node::encode(target.as_os_str().as_bytes(), &metadata, profile).unwrap();
        let (cid, total_size) = (*block.cid(), block.data().len() as u64);
        emit(block);
        return Built { cid, total_size, file_bytes: 0 };
    }
    if kind.is_file() {
        let data = fs::read(path).unwrap();
        if !metadata.is_empty() && data.len() <= profile.chunk_size {
            let block = layout::inline(&data, &metadata, profile);
            let (cid, total_size) = (*block.cid(), block.data().len() as u64);
            emit(block);
            return Built { cid, total_size, file_bytes: data.len() as u64 };
        }
        let mut file = FileLayout::new(*profile);
        for chunk in data.chunks(profile.chunk_size) {
            file.push_chunk(Bytes::copy_from_slice(chunk), &mut emit);
        }
        return file.finish(&metadata, &mut emit).unwrap();
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if !options.hidden && name.as_bytes().starts_with(b".") {
            continue;
        }
        let built = model(&entry.path(), options, all);
        let name = Bytes::copy_from_slice(name.as_bytes());
        entries.push(Entry { name, cid: built.cid, total_size: built.total_size });
    }
    directory::build(entries, &metadata, profile, &mut |block| {
        all.insert(*block.cid());
    })
    .unwrap()
}

fn run(store: &Store, path: &Path, options: &ImportOptions) -> Imported {
    import(store, &[path.to_path_buf()], options, &()).unwrap()
}

#[test]
fn gives_the_same_blocks_as_the_plain_way() {
    let folder = strange_folder();
    let profiles = [
        Profile::UNIXFS_V1_2025,
        Profile::LEGACY_CIDV1,
        Profile::UNIXFS_V0,
        Profile::default().with_hash(HashKind::Blake3),
        Profile { chunk_size: 30_000, max_links: 3, hamt_threshold: 4096, ..Profile::default() },
        Profile { chunk_size: 2 * MIB, ..Profile::default() },
    ];
    for profile in profiles {
        for metadata in [true, false] {
            let options =
                ImportOptions { profile, metadata, hidden: metadata, ..ImportOptions::default() };
            let store = Store::memory().unwrap();
            let imported = run(&store, folder.path(), &options);
            let mut all = BTreeSet::new();
            let expected = model(folder.path(), &options, &mut all);
            assert_eq!(imported.root, expected.cid, "{options:?}");
            assert_eq!(imported.dag_size, expected.total_size);
            for cid in &all {
                let block = store.get(cid).unwrap().unwrap();
                verify(cid, &block).unwrap();
                assert_eq!(store.size(cid).unwrap(), Some(block.len() as u64));
            }
        }
    }
}

#[test]
fn one_file_is_its_own_root_and_several_are_wrapped() {
    let folder = strange_folder();
    let store = Store::memory().unwrap();
    let options = ImportOptions { metadata: false, ..ImportOptions::default() };
    let file = folder.path().join("file 100");
    let imported = run(&store, &file, &options);
    assert_eq!(imported.root, Profile::default().raw_leaf_cid(&fs::read(&file).unwrap()));
    assert_eq!((imported.name.as_slice(), imported.is_dir), (b"file 100".as_slice(), false));
    assert_eq!((imported.files, imported.total_bytes), (1, 100));
    assert!(store.get(&imported.root).unwrap().is_some());

    let paths = [folder.path().join("many"), folder.path().join("a/b"), file];
    let wrapped = import(&store, &paths, &options, &()).unwrap();
    let root = store.get(&wrapped.root).unwrap().unwrap();
    let View::Directory { entries, .. } = View::of(&wrapped.root, &root).unwrap() else { panic!() };
    let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, ["b", "file 100", "many"]);
    assert!(wrapped.is_dir);
    assert_eq!(wrapped.files, 301);
    let leaf = Profile::default().raw_leaf_cid(b"7");
    store.remove_owner(imported.owner).unwrap();
    assert_eq!(store.get(&leaf).unwrap().as_deref(), Some(b"7".as_slice()));
}

#[test]
fn the_same_name_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|parent| folder.path().join(parent).join("same"));
    paths.iter().for_each(|path| fs::create_dir_all(path).unwrap());
    let store = Store::memory().unwrap();
    let failed = import(&store, &paths, &ImportOptions::default(), &());
    assert!(matches!(failed, Err(ImportError::Directory { .. })), "{failed:?}");
    assert!(store.owners().is_empty());
}

/// Notes what it is told.
#[derive(Default)]
struct Notes {
    warnings: Mutex<Vec<ImportWarning>>,
    found: AtomicU64,
    hashed: AtomicU64,
    /// Cancels when more bytes than this have been hashed.
    stop_after: Option<u64>,
}

impl ImportProgress for Notes {
    fn found(&self, bytes: u64) {
        self.found.fetch_add(bytes, Ordering::Relaxed);
    }
    fn hashed(&self, bytes: u64) {
        self.hashed.fetch_add(bytes, Ordering::Relaxed);
    }
    fn warning(&self, warning: &ImportWarning) {
        self.warnings.lock().unwrap().push(warning.clone());
    }
    fn cancelled(&self) -> bool {
        self.stop_after.is_some_and(|bytes| self.hashed.load(Ordering::Relaxed) > bytes)
    }
}

#[test]
fn leaves_out_sockets_with_a_warning_and_reports_progress() {
    let folder = strange_folder();
    let path = folder.path().join("a/socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (store, notes) = (Store::memory().unwrap(), Notes::default());
    let paths = [folder.path().to_path_buf()];
    let imported = import(&store, &paths, &ImportOptions::default(), &notes).unwrap();
    let real = fs::canonicalize(folder.path()).unwrap().join("a/socket");
    assert_eq!(*notes.warnings.lock().unwrap(), [ImportWarning::Special { path: real }]);
    assert_eq!(notes.found.load(Ordering::Relaxed), imported.total_bytes);
    assert_eq!(notes.hashed.load(Ordering::Relaxed), imported.total_bytes);
    let alone = import(&store, &[path], &ImportOptions::default(), &());
    assert!(matches!(alone, Err(ImportError::NotImportable { .. })));
}

#[test]
fn stops_when_asked_and_leaves_nothing() {
    let folder = strange_folder();
    let store = Store::memory().unwrap();
    let notes = Notes { stop_after: Some(3 * MIB as u64), ..Notes::default() };
    let paths = [folder.path().to_path_buf()];
    let stopped = import(&store, &paths, &ImportOptions::default(), &notes);
    assert!(matches!(stopped, Err(ImportError::Cancelled)));
    assert!(store.owners().is_empty());
    let leaf = Profile::default().raw_leaf_cid(&noise(9, 2 * MIB)[..MIB]);
    assert!(!store.has(&leaf).unwrap());
}

#[test]
fn what_cannot_be_read_is_named() {
    let store = Store::memory().unwrap();
    let options = ImportOptions::default();
    assert!(matches!(import(&store, &[], &options, &()), Err(ImportError::Nothing)));
    let missing = PathBuf::from("/nowhere/at/all");
    match import(&store, std::slice::from_ref(&missing), &options, &()) {
        Err(ImportError::Unreadable { path, .. }) => assert_eq!(path, missing),
        other => panic!("{other:?}"),
    }
    let folder = strange_folder();
    let secret = folder.path().join("a/twin");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let paths = [folder.path().to_path_buf()];
    match as_nobody(|| import(&store, &paths, &options, &())) {
        Err(ImportError::Unreadable { path, .. }) => assert!(path.ends_with("a/twin")),
        other => panic!("{other:?}"),
    }
    assert!(store.owners().is_empty());
}

/// Runs what must not have the rights of the superuser, who reads everything.
fn as_nobody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let nobody = rustix::process::Uid::from_raw(65_534);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                // On Linux this is the thread's alone, and of those it starts.
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            act()
        });
        thread.join().unwrap()
    })
}

#[test]
fn too_deep_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let deep: PathBuf = std::iter::repeat_n("d", 300).collect();
    fs::create_dir_all(folder.path().join(deep)).unwrap();
    let store = Store::memory().unwrap();
    let options = ImportOptions::default();
    let failed = import(&store, &[folder.path().to_path_buf()], &options, &());
    assert!(matches!(failed, Err(ImportError::TooDeep { .. })), "{failed:?}");
}

/// Changes a file when its first bytes have been hashed.
struct Meddler {
    path: PathBuf,
    times: u64,
    done: AtomicU64,
}

impl ImportProgress for Meddler {
    fn hashed(&self, _: u64) {
        let done = self.done.fetch_add(1, Ordering::Relaxed);
        if done < self.times {
            let changed = noise(100 + done, 3 * MIB + 5 + usize::try_from(done).unwrap());
            fs::write(&self.path, changed).unwrap();
        }
    }
}

#[test]
fn a_file_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let options = ImportOptions { metadata: false, ..ImportOptions::default() };
    for (times, gives_up) in [(1, false), (u64::MAX, true)] {
        fs::write(&path, noise(1, 3 * MIB)).unwrap();
        let store = Store::memory().unwrap();
        let meddler = Meddler { path: path.clone(), times, done: AtomicU64::new(0) };
        let done = import(&store, &[folder.path().to_path_buf()], &options, &meddler);
        if gives_up {
            assert!(matches!(done, Err(ImportError::Changing { .. })), "{done:?}");
        } else {
            let mut all = BTreeSet::new();
            assert_eq!(done.unwrap().root, model(folder.path(), &options, &mut all).cid);
            assert!(all.iter().all(|cid| store.get(cid).unwrap().is_some()));
        }
    }
}

#[test]
fn homes_are_left_out_by_whatever_path_they_are_met() {
    let folder = tempfile::tempdir().unwrap();
    let user = fs::canonicalize(folder.path()).unwrap();
    let (mine, other) = (user.join("mine"), user.join("user/.other"));
    for home in [&mine, &other] {
        Home::open(home).unwrap();
        fs::create_dir(home.join("identities")).unwrap();
        fs::write(home.join("identities/default.key"), noise(1, 100)).unwrap();
    }
    fs::write(user.join("user/letter"), noise(2, 100)).unwrap();
    // Before its home in the order of names, and of a home that is not met.
    fs::hard_link(other.join("identities/default.key"), user.join("user/.a")).unwrap();
    fs::hard_link(mine.join("identities/default.key"), user.join("user/z")).unwrap();
    let (store, notes) = (Store::memory().unwrap(), Notes::default());
    let options = ImportOptions { homes: vec![mine.clone()], ..ImportOptions::default() };
    let imported = import(&store, &[user.join("user")], &options, &notes).unwrap();
    assert_eq!((imported.files, imported.total_bytes), (1, 100));
    assert_eq!(notes.warnings.lock().unwrap().len(), 3);
    let linked = user.join("user/z");
    for named in [&mine, &other, &other.join("identities"), &linked] {
        for paths in [vec![named.clone()], vec![user.join("user/letter"), named.clone()]] {
            let refused = import(&store, &paths, &options, &());
            assert!(matches!(refused, Err(ImportError::Home { .. })), "{refused:?}");
        }
    }
}

#[test]
fn a_home_of_an_older_program_is_known_by_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("old/identities")).unwrap();
    fs::write(folder.path().join("old/identities/default.key"), noise(1, 100)).unwrap();
    let (store, options) = (Store::memory().unwrap(), ImportOptions::default());
    let imported = import(&store, &[folder.path().to_path_buf()], &options, &()).unwrap();
    assert_eq!(imported.files, 0);
    let refused = import(&store, &[folder.path().join("old")], &options, &());
    assert!(matches!(refused, Err(ImportError::Home { .. })), "{refused:?}");
}
