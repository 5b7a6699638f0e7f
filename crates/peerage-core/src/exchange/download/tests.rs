//! Whole downloads without a network: a plan, an output in memory, and
//! providers that drop what they hold.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;

use super::{EntryPath, ExpandError, Fetch, Item, Output, Piece, Plan, expand};
use crate::data::{
    Block, Cid, HashKind, codec,
    directory::{self, Entry},
    layout::FileLayout,
    profile::Profile,
    unixfs::Metadata,
};

/// A profile whose graphs are deep with little data.
const TINY: Profile =
    Profile { chunk_size: 8, max_links: 3, hamt_threshold: 300, ..Profile::UNIXFS_V1_2025 };

type Store = HashMap<Cid, Block>;
type Files = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct Memory {
    files: BTreeMap<Vec<u8>, Rc<RefCell<Vec<u8>>>>,
    kept: usize,
}

impl Output for Memory {
    type File = Rc<RefCell<Vec<u8>>>;
    type Error = std::convert::Infallible;

    fn directory(&mut self, _: &EntryPath, _: Metadata) -> Result<(), Self::Error> {
        Ok(())
    }

    fn symlink(&mut self, _: &EntryPath, _: &[u8], _: Metadata) -> Result<(), Self::Error> {
        Ok(())
    }

    fn file(
        &mut self,
        path: &EntryPath,
        size: u64,
        _: Metadata,
    ) -> Result<Self::File, Self::Error> {
        let file = Rc::new(RefCell::new(vec![0xff; usize::try_from(size).unwrap()]));
        self.files.insert(path.as_bytes().to_vec(), Rc::clone(&file));
        Ok(file)
    }

    fn data(&mut self, piece: Piece<'_, Self::File>) -> Result<(), Self::Error> {
        let from = usize::try_from(piece.offset).unwrap();
        let bytes = piece.bytes();
        piece.file.borrow_mut()[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn keep(&mut self, _: &Block) -> Result<(), Self::Error> {
        self.kept += 1;
        Ok(())
    }
}

fn add_file(bytes: &[u8], store: &mut Store) -> (Cid, u64) {
    let mut emit = |block: Block| {
        store.insert(*block.cid(), block);
    };
    let mut layout = FileLayout::new(TINY);
    for chunk in bytes.chunks(TINY.chunk_size) {
        layout.push_chunk(Bytes::copy_from_slice(chunk), &mut emit);
    }
    let built = layout.finish(&Metadata::default(), &mut emit).unwrap();
    (built.cid, built.total_size)
}

fn add_folder(files: &Files, store: &mut Store) -> Cid {
    let entries = files
        .iter()
        .map(|(name, bytes)| {
            let (cid, total_size) = add_file(bytes, store);
            Entry { name: Bytes::copy_from_slice(name), cid, total_size }
        })
        .collect();
    let mut emit = |block: Block| {
        store.insert(*block.cid(), block);
    };
    directory::build(entries, &Metadata::default(), &TINY, &mut emit).unwrap().cid
}

/// Fetches everything; of every unit a provider delivers as many blocks as
/// `patience` says and then drops the rest.
fn download(root: Cid, store: &Store, patience: &[usize]) -> Files {
    let mut plan = Plan::new();
    let mut output = Memory::default();
    plan.push(vec![Item::root(root)]).unwrap();
    let mut patience = patience.iter().copied().cycle();
    while let Some(mut unit) = plan.take(0, Duration::ZERO) {
        let mut children = Vec::new();
        let mut left = patience.next().unwrap();
        while left > 0 && !unit.items.is_empty() {
            left -= 1;
            let item = unit.items.pop().unwrap();
            let below = expand(&item, &store[&item.cid], &mut output).unwrap();
            match unit.fetch {
                Fetch::Block(_) => children.extend(below),
                _ => unit.items.extend(below),
            }
        }
        if unit.items.is_empty() {
            plan.complete(unit.id, children).unwrap();
        } else {
            plan.give_back(unit.id, unit.items);
        }
    }
    assert!(plan.is_done());
    output.files.into_iter().map(|(path, file)| (path, file.take())).collect()
}

proptest! {
    #[test]
    fn everything_arrives_whatever_is_dropped(
        files in proptest::collection::btree_map("[a-z]{1,6}", proptest::collection::vec(any::<u8>(), 0..200), 0..20),
        patience in proptest::collection::vec(1_usize..9, 1..9),
    ) {
        let files: Files = files.into_iter().map(|(name, bytes)| (name.into_bytes(), bytes)).collect();
        let mut store = Store::new();
        let root = add_folder(&files, &mut store);
        prop_assert_eq!(download(root, &store, &patience), files);
    }
}

#[test]
fn a_single_raw_leaf_is_a_file() {
    let mut store = Store::new();
    let (root, _) = add_file(b"dawn", &mut store);
    assert_eq!(root.codec(), codec::RAW);
    let files = download(root, &store, &[1]);
    assert_eq!(files[&Vec::new()], b"dawn");
}

#[test]
fn a_part_shorter_than_promised_is_refused() {
    let leaf = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"short"));
    let file = Rc::new(RefCell::new(Vec::new()));
    let place = super::Place::Part { file, parent: *leaf.cid(), start: 0, offset: 0, length: 9 };
    let item = Item { cid: *leaf.cid(), place, depth: 1, size: Some(9) };
    let refused = expand(&item, &leaf, &mut Memory::default());
    assert!(matches!(refused, Err(ExpandError::WrongLength { found: 5, wanted: 9, .. })));
}

#[test]
fn a_folder_in_a_file_s_place_is_refused() {
    let mut store = Store::new();
    let folder = add_folder(&Files::new(), &mut store);
    let file = Rc::new(RefCell::new(Vec::new()));
    let place = super::Place::Part { file, parent: folder, start: 0, offset: 0, length: 0 };
    let item = Item { cid: folder, place, depth: 1, size: None };
    let refused = expand(&item, &store[&folder], &mut Memory::default());
    assert!(matches!(refused, Err(ExpandError::Unexpected { found: "a folder", .. })));
}

#[test]
fn a_graph_that_is_too_deep_or_a_path_that_is_too_long_is_refused() {
    let mut store = Store::new();
    let files = Files::from([(b"name".to_vec(), b"x".to_vec())]);
    let folder = add_folder(&files, &mut store);
    let mut item = Item::root(folder);
    item.depth = crate::limits::DOWNLOAD_GRAPH_DEPTH;
    assert!(expand(&item, &store[&folder], &mut Memory::default()).is_ok());
    item.depth += 1;
    let refused = expand(&item, &store[&folder], &mut Memory::default());
    assert!(matches!(refused, Err(ExpandError::TooDeep)));
    let mut path = EntryPath::default();
    while let Some(longer) = path.join(b"aaa") {
        path = longer;
    }
    item = Item { place: super::Place::Entry(path), ..Item::root(folder) };
    let refused = expand(&item, &store[&folder], &mut Memory::default());
    assert!(matches!(refused, Err(ExpandError::PathTooLong)));
}
