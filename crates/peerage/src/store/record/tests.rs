//! What is written is what is read; nothing damaged is taken for right.

use proptest::prelude::*;

use peerage_core::data::{HashKind, codec, hash};

use super::*;
use crate::store::{DownloadState, Owner, OwnerKind, Purpose};

fn file(path: &str, size: u64, modified: Option<(i64, u32)>) -> FileRecord {
    let modified = modified.map(|(seconds, nanoseconds)| Modified { seconds, nanoseconds });
    FileRecord { path: path.into(), size, modified }
}

#[test]
fn a_group_of_similar_files_is_small() {
    let mut group = FileGroup::default();
    for n in 0..64 {
        group.set(
            n,
            file(&format!("album/picture-{n:05}.jpg"), 10_240, Some((1_700_000_000, 123_456_789))),
        );
    }
    let bytes = group.encode().unwrap();
    assert!(bytes.len() < 64 * 16, "{} bytes", bytes.len());
    assert_eq!(FileGroup::decode(&bytes).unwrap(), group);
}

proptest! {
    #[test]
    fn groups_come_back(files in proptest::collection::btree_map(
        0u32..64,
        (
            ("[a-z/]{0,12}", any::<u64>(), proptest::option::of(any::<(i64, u32)>())),
            proptest::option::of(any::<u32>()),
            proptest::option::of(proptest::option::of(any::<(i64, u32)>())),
        ),
        0..64,
    )) {
        let mut group = FileGroup::default();
        for (place, ((path, size, modified), mode, mtime)) in &files {
            group.set(*place, file(path, *size, *modified));
            // None: the file's own time; Some(None): none; else another.
            let mtime = mtime.unwrap_or(*modified);
            let mtime = mtime.map(|(seconds, nanoseconds)| Mtime { seconds, nanoseconds });
            let inline = Metadata { mode: *mode, mtime };
            prop_assert!(group.set_inline(*place, inline));
        }
        let bytes = group.encode().unwrap();
        prop_assert_eq!(FileGroup::decode(&bytes).unwrap(), group);
    }

    #[test]
    fn damage_is_an_error_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = FileGroup::decode(&bytes);
        let _ = Entry::decode(&bytes);
        let _ = Owner::decode(OwnerId(1), &bytes);
    }

    #[test]
    fn entries_come_back(
        owners in proptest::collection::vec(any::<u32>(), 0..4),
        bytes in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        parts in proptest::collection::vec(
            (any::<u32>(), any::<u32>(), proptest::option::of(any::<(u64, u64)>()), 0usize..3),
            0..5,
        ),
    ) {
        let owners: Vec<_> = owners.into_iter().map(OwnerId).collect();
        let kept = Some(Kept {
            owners,
            place: bytes.map_or(Place::Pieces { first: 7, len: 9000 }, Place::Here),
        });
        let references = parts
            .into_iter()
            .map(|(owner, file, part, around)| Reference {
                owner: OwnerId(owner),
                file,
                part,
                around: Around::ALL[around],
            })
            .collect();
        let entry = Entry { kept, references };
        prop_assert_eq!(Entry::decode(&entry.encode()).unwrap(), entry);
    }

    #[test]
    fn owners_come_back(kind in kind()) {
        let owner = Owner { id: OwnerId(7), kind };
        let bytes = owner.kind.encode().unwrap();
        prop_assert_eq!(Owner::decode(OwnerId(7), &bytes).unwrap(), owner);
    }
}

/// Owners of every kind.
fn kind() -> impl Strategy<Value = OwnerKind> {
    let base = "/[a-z/]{0,20}".prop_map(PathBuf::from);
    let cid = any::<[u8; 8]>().prop_map(|data| hash(codec::RAW, HashKind::Sha2_256, &data));
    let root = proptest::option::of(cid.clone());
    prop_oneof![
        (base.clone(), any::<bool>(), root.clone()).prop_map(|(base, is_shared, root)| {
            let purpose = if is_shared { Purpose::Shared } else { Purpose::Added };
            OwnerKind::Files { base, purpose, root }
        }),
        (base, any::<bool>(), cid.clone()).prop_map(|(base, is_got, root)| {
            let state = if is_got { DownloadState::Got } else { DownloadState::Getting };
            OwnerKind::Download { base, state, root }
        }),
        ("\\PC{0,20}", root).prop_map(|(name, root)| OwnerKind::Database { name, root }),
        cid.prop_map(|root| OwnerKind::Pin { root }),
    ]
}
