//! A home that an older version made opens with this one, with all that was in
//! it. How it was made is in `tests/homes/README.md`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use peerage::{
    home::Home,
    store::{DownloadState, OwnerKind, Purpose, Store},
};
use peerage_core::data::{
    Block, Cid,
    view::{Child, View},
};

/// Where the home was made.
const MADE_AT: &str = "/srv/peerage-kept-home";

/// When the files were last modified, as the store has it: 2026-01-02 03:04:05.
const MODIFIED: Duration = Duration::from_secs(1_767_323_045);

const PEER: &str = "12D3KooWSjsjdyofDniBZXhvogCc1cxPqD6TWFdC7GjrwH9fcj6P";
const SHARED: &str = "bafybeicjv6n3fh26epysybfys2z3ehh7mbab4qn3ihwsyvrglwnpc52pzu";
const ADDED: &str = "bafkreifpalcjjdgxqjaw5egec34yk42ktlajexnscysbgr3fa2bb3aqhgi";
const GOT: &str = "bafybeifpuldeq3dfwpahu36wwv2fj7d2mcnykwfi3pkjd463glvbjjl4fm";
const PINNED: &str = "bafkreig33p6e52taymo73nuigdopioj2u7q7ww3ev5rxpzcey3cc5eesam";

fn cid(text: &str) -> Cid {
    text.parse().unwrap()
}

/// Copies a folder, with the modes that a home has.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy(&from, &to);
            continue;
        }
        fs::copy(&from, &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        let file = File::options().append(true).open(&to).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + MODIFIED).unwrap();
    }
}

/// A copy of the kept home.
fn kept_home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/homes/format-1");
    copy(&kept, folder.path());
    folder
}

/// What the owners are, with their folders as in `base`.
fn owners(base: &Path) -> Vec<OwnerKind> {
    let at = |name: &str| base.join(name);
    let files = |name: &str, root| {
        let (base, purpose) = (at(name), Purpose::Added);
        OwnerKind::Files { base, purpose, root: Some(cid(root)) }
    };
    let got = OwnerKind::Download { base: at("got"), state: DownloadState::Got, root: cid(GOT) };
    vec![
        OwnerKind::database("blocks without an owner"),
        got,
        files("added.txt", ADDED),
        // Format 1 does not tell what was shared from what was added.
        files("shared", SHARED),
    ]
}

/// The names and contents of all files below a block.
fn contents(store: &Store, cid: &Cid, path: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let data = store.get(cid).unwrap().unwrap();
    let block = Block::verified(*cid, data).unwrap();
    match View::of(cid, block.data()).unwrap() {
        View::Directory { entries, .. } => {
            for entry in entries {
                let name = std::str::from_utf8(&entry.name).unwrap();
                contents(store, &entry.cid, &path.join(name), into);
            }
        }
        View::Raw(bytes) => add(into, path, &bytes),
        View::File { inline, children, .. } => {
            add(into, path, &inline);
            for Child { cid, .. } in children {
                contents(store, &cid, path, into);
            }
        }
        other => panic!("{other:?}"),
    }
}

fn add(into: &mut BTreeMap<PathBuf, Vec<u8>>, path: &Path, bytes: &Bytes) {
    into.entry(path.to_path_buf()).or_default().extend_from_slice(bytes);
}

fn check_contents(store: &Store) {
    let mut found = BTreeMap::new();
    for (name, root) in [("shared", SHARED), ("added", ADDED), ("album", GOT), ("pin", PINNED)] {
        contents(store, &cid(root), Path::new(name), &mut found);
    }
    let long = "d".repeat(3000);
    let expected = [
        ("added", "added on its own\n"),
        ("album/night.txt", "night\n"),
        ("album/pictures/dusk.txt", "dusk\n"),
        ("pin", "pinned\n"),
        ("shared/dawn.txt", "dawn\n"),
        ("shared/nested/deep/long.txt", &long),
        ("shared/nested/noon.txt", "noon\n"),
    ];
    let expected = expected.map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
    assert_eq!(found, BTreeMap::from(expected));
}

fn kinds(store: &Store) -> Vec<OwnerKind> {
    store.owners().into_iter().map(|owner| owner.kind).collect()
}

#[test]
fn a_home_of_format_1_has_all_that_it_had() {
    let folder = kept_home();
    let home = Home::open(folder.path().join("home")).unwrap();
    let names = home.identities().names().unwrap();
    let identity = home.identities().identity(&names[0]).unwrap();
    assert_eq!(identity.file.peer_id().to_string(), PEER);

    let store = Store::open(&home.store()).unwrap();
    assert_eq!(kinds(&store), owners(Path::new(MADE_AT)));
    for owner in store.owners() {
        if let Some(base) = owner.base() {
            let name = base.file_name().unwrap();
            store.move_owner(owner.id, &folder.path().join(name)).unwrap();
        }
    }
    check_contents(&store);
    drop(store);

    let store = Store::open(&home.store()).unwrap();
    assert_eq!(kinds(&store), owners(folder.path()));
    check_contents(&store);
    let unknown = store.owners()[0].id;
    store.remove_owner(unknown).unwrap();
    assert!(!store.has(&cid(PINNED)).unwrap());
    let new = store.add_owner(OwnerKind::database("new")).unwrap();
    assert!(store.owners().iter().filter(|owner| owner.id == new).count() == 1);
}
