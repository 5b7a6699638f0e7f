use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::data::{
    Block, HashKind, Profile,
    directory::{self, Entry},
    hamt,
    layout::{Built, FileLayout},
    unixfs::Metadata,
};

/// Small enough for trees of many levels.
const TINY: Profile = Profile {
    chunk_size: 4,
    max_links: 3,
    hamt_threshold: 400,
    hamt_fanout: 8,
    ..Profile::UNIXFS_V1_2025
};

#[derive(Default)]
struct Graph {
    blocks: HashMap<Cid, Bytes>,
}

impl Graph {
    fn put(&mut self, block: Block) -> Cid {
        let (cid, data) = block.into_parts();
        self.blocks.insert(cid, data);
        cid
    }

    fn file(&mut self, bytes: &[u8]) -> Built {
        let mut layout = FileLayout::new(TINY);
        let mut keep = |block| {
            self.put(block);
        };
        for chunk in bytes.chunks(TINY.chunk_size) {
            layout.push_chunk(Bytes::copy_from_slice(chunk), &mut keep);
        }
        layout.finish(&Metadata::default(), &mut keep).unwrap()
    }

    fn folder(&mut self, entries: &[(&str, Built)]) -> Built {
        let entries = entries.iter().map(|(name, built)| Entry {
            name: (*name).to_owned().into(),
            cid: built.cid,
            total_size: built.total_size,
        });
        let entries = entries.collect();
        directory::build(entries, &Metadata::default(), &TINY, &mut |block| {
            self.put(block);
        })
        .unwrap()
    }

    fn many(&mut self, count: usize) -> Built {
        let names: Vec<_> = (0..count).map(|index| format!("file-{index}")).collect();
        let files: Vec<_> =
            names.iter().map(|name| (name.as_str(), self.file(name.as_bytes()))).collect();
        self.folder(&files)
    }

    /// The blocks of a walk that are sent, in order.
    fn walk(&self, selection: Selection) -> Result<Vec<Cid>, WalkError> {
        let mut walk = Walk::new(selection);
        let mut sent = Vec::new();
        while let Some(step) = walk.advance()? {
            if step.feed {
                assert_eq!(walk.advance()?, None, "waits for its block");
                assert!(!walk.is_done());
                walk.feed(&step.cid, &self.blocks[&step.cid])?;
            }
            if !step.repeat {
                sent.push(step.cid);
            }
        }
        assert!(walk.is_done());
        Ok(sent)
    }

    /// All blocks below, depth first, with duplicates: the plain recursion.
    fn naive(&self, cid: Cid) -> Vec<Cid> {
        let mut all = vec![cid];
        let below: Vec<Cid> = match View::of(&cid, &self.blocks[&cid]).unwrap() {
            View::File { children, .. } => children.iter().map(|child| child.cid).collect(),
            View::Directory { entries, .. } => entries.iter().map(|entry| entry.cid).collect(),
            View::Shard { links, .. } => links
                .iter()
                .map(|link| match link {
                    ShardLink::Entry { entry, .. } => entry.cid,
                    ShardLink::Shard { cid, .. } => *cid,
                })
                .collect(),
            View::Raw(_) | View::Symlink { .. } => Vec::new(),
        };
        all.extend(below.into_iter().flat_map(|cid| self.naive(cid)));
        all
    }

    fn tree(&mut self) -> Built {
        let long = self.file(b"a file of several chunks, with a few levels");
        let short = self.file(b"x");
        let inner = self.folder(&[("again", long), ("short", short)]);
        let many = self.many(30);
        self.folder(&[("inner", inner), ("long", long), ("many", many)])
    }
}

fn select(root: Cid, path: &[&str], scope: DagScope) -> Selection {
    let path = path.iter().map(|name| Bytes::copy_from_slice(name.as_bytes())).collect();
    Selection { path, scope, ..Selection::all(root) }
}

fn first_occurrences(cids: &[Cid]) -> Vec<Cid> {
    let mut seen = HashSet::new();
    cids.iter().copied().filter(|cid| seen.insert(*cid)).collect()
}

#[test]
fn everything_comes_depth_first_with_and_without_duplicates() {
    let mut graph = Graph::default();
    let root = graph.tree().cid;
    let naive = graph.naive(root);
    let all = Selection::all(root);
    assert_eq!(graph.walk(Selection { duplicates: true, ..all.clone() }).unwrap(), naive);
    assert_eq!(graph.walk(all).unwrap(), first_occurrences(&naive));
    assert!(first_occurrences(&naive).len() < naive.len());
}

#[test]
fn a_path_comes_first_and_the_scope_begins_at_its_end() {
    let mut graph = Graph::default();
    let long = graph.file(b"a file of several chunks, with a few levels");
    let inner = graph.folder(&[("long", long)]);
    let root = graph.folder(&[("inner", inner), ("other", long)]);
    let with_path = |below: &[Cid]| [&[root.cid, inner.cid], below].concat();
    let walk = |scope| graph.walk(select(root.cid, &["inner", "long"], scope)).unwrap();
    assert_eq!(walk(DagScope::Block), with_path(&[long.cid]));
    assert_eq!(walk(DagScope::Entity), with_path(&graph.naive(long.cid)));
    assert_eq!(walk(DagScope::All), with_path(&graph.naive(long.cid)));
    let entity = |path: &[&str]| graph.walk(select(root.cid, path, DagScope::Entity)).unwrap();
    assert_eq!(entity(&[]), [root.cid]);
    assert_eq!(entity(&["inner"]), [root.cid, inner.cid]);
}

#[test]
fn a_sharded_folder_is_followed_by_hash_and_listed_whole() {
    let mut graph = Graph::default();
    let many = graph.many(60).cid;
    let is_shard = |cid: &Cid| matches!(View::of(cid, &graph.blocks[cid]), Ok(View::Shard { .. }));
    let shards: HashSet<Cid> = graph.naive(many).into_iter().filter(is_shard).collect();
    assert!(shards.len() > 5);
    let listed = graph.walk(select(many, &[], DagScope::Entity)).unwrap();
    assert_eq!(listed.iter().copied().collect::<HashSet<_>>(), shards);
    for index in 0..60 {
        let name = format!("file-{index}");
        let sent = graph.walk(select(many, &[&name], DagScope::All)).unwrap();
        let file = graph.file(name.as_bytes()).cid;
        assert!(sent.contains(&file), "{name}");
        assert_eq!(sent[0], many);
        assert!(sent.len() < 12, "only the shards on the way: {}", sent.len());
    }
    let missing = graph.walk(select(many, &["missing"], DagScope::All));
    assert!(matches!(missing, Err(WalkError::NotFound { name }) if name == "missing"));
}

#[test]
fn a_wrong_path_says_what_is_wrong() {
    let mut graph = Graph::default();
    let file = graph.file(b"x");
    let root = graph.folder(&[("file", file)]).cid;
    let walk = |path: &[&str]| graph.walk(select(root, path, DagScope::All));
    assert!(matches!(walk(&["nothing"]), Err(WalkError::NotFound { name }) if name == "nothing"));
    assert!(matches!(walk(&["file", "x"]), Err(WalkError::NotADirectory { name }) if name == "x"));
}

#[test]
fn the_end_of_the_path_is_told_before_it_comes() {
    let mut graph = Graph::default();
    let file = graph.file(b"more than one chunk");
    let root = graph.folder(&[("file", file)]).cid;
    let mut walk = Walk::new(select(root, &["file"], DagScope::All));
    let first = walk.advance().unwrap().unwrap();
    assert_eq!(walk.terminus(), None);
    walk.feed(&first.cid, &graph.blocks[&root]).unwrap();
    assert_eq!(walk.terminus(), Some(file.cid));
    assert!(matches!(walk.feed(&root, &graph.blocks[&root]), Err(WalkError::Unexpected { .. })));
}

#[test]
fn a_block_needed_twice_in_different_parts_is_sent_once() {
    // The range begins in the first and ends in the second of two equal nodes.
    let mut graph = Graph::default();
    let half = b"aaaabbbbcccc";
    let root = graph.file(&[&half[..], half].concat()).cid;
    let range = EntityBytes { from: 5, to: Some(13) };
    let sent = graph.walk(Selection { range: Some(range), ..Selection::all(root) }).unwrap();
    let leaf = |bytes: &'static [u8]| *TINY.leaf(Bytes::from_static(bytes)).cid();
    let node = graph.file(half).cid;
    assert_eq!(sent, [root, node, leaf(b"bbbb"), leaf(b"cccc"), leaf(b"aaaa")]);
}

#[test]
fn a_range_outside_the_file_is_its_root_alone() {
    let mut graph = Graph::default();
    let root = graph.file(b"twenty bytes of text").cid;
    for range in [EntityBytes { from: 20, to: None }, EntityBytes { from: 5, to: Some(-19) }] {
        let selection = Selection { range: Some(range), ..Selection::all(root) };
        assert_eq!(graph.walk(selection).unwrap(), [root]);
    }
}

#[test]
fn a_graph_that_repeats_itself_exponentially_is_walked_once() {
    let mut graph = Graph::default();
    let mut folder = graph.file(b"x");
    for _ in 0..100 {
        folder = Built { total_size: 1, ..graph.folder(&[("a", folder), ("b", folder)]) };
    }
    assert_eq!(graph.walk(Selection::all(folder.cid)).unwrap().len(), 101);
}

#[test]
fn too_deep_is_refused_and_just_deep_enough_is_not() {
    let mut graph = Graph::default();
    let mut folder = graph.file(b"x");
    for _ in 0..MAX_DAG_DEPTH {
        folder = graph.folder(&[("a", folder)]);
    }
    assert!(graph.walk(Selection::all(folder.cid)).is_ok());
    folder = graph.folder(&[("a", folder)]);
    assert!(matches!(graph.walk(Selection::all(folder.cid)), Err(WalkError::TooDeep)));
}

#[test]
fn too_many_links_on_one_path_are_refused() {
    let mut graph = Graph::default();
    let flat = Profile { hamt_threshold: usize::MAX, ..TINY };
    let leaf = graph.file(b"x");
    let mut inner = leaf;
    for _ in 0..8 {
        let mut entries: Vec<_> = (0..20_000_u32)
            .map(|index| Entry { name: format!("{index}").into(), cid: leaf.cid, total_size: 1 })
            .collect();
        entries.push(Entry { name: "!".into(), cid: inner.cid, total_size: 1 });
        inner = directory::build(entries, &Metadata::default(), &flat, &mut |block| {
            graph.put(block);
        })
        .unwrap();
    }
    assert!(matches!(graph.walk(Selection::all(inner.cid)), Err(WalkError::TooWide)));
}

#[test]
fn a_part_of_another_size_than_said_is_refused() {
    let mut graph = Graph::default();
    let part = graph.file(b"five chunks of text.");
    let mut layout = FileLayout::new(TINY);
    let lie = crate::data::layout::Part {
        cid: part.cid,
        file_bytes: part.file_bytes + 1,
        total_size: part.total_size,
    };
    let mut keep = |block| {
        graph.put(block);
    };
    layout.push(lie, &mut keep);
    layout.push(lie, &mut keep);
    let root = layout.finish(&Metadata::default(), &mut keep).unwrap().cid;
    let refused = graph.walk(Selection::all(root));
    assert!(matches!(refused, Err(WalkError::NotThePart { cid }) if cid == part.cid));
}

#[test]
fn an_entry_in_the_wrong_shard_is_refused() {
    let mut graph = Graph::default();
    let leaf = graph.file(b"x").cid;
    // The root's only link is a shard at a position that is not its entry's.
    let fanout = hamt::Fanout::new(8).unwrap();
    let right = fanout.position(hamt::hash_name(b"name"), 0).unwrap();
    let below = fanout.position(hamt::hash_name(b"name"), 1).unwrap();
    let mut shard = |position: usize, name: &[u8], cid: &Cid| {
        let mut node = crate::data::unixfs::Node::new(crate::data::unixfs::Kind::HamtShard);
        node.data = Bytes::copy_from_slice(&[1 << position]);
        node.hash_type = Some(hamt::HASH_MURMUR3_X64_64);
        node.fanout = Some(8);
        let mut writer = crate::data::dag_pb::Writer::default();
        writer.link(cid, format!("{position:X}").as_bytes(), name, 1);
        graph.put(TINY.node(writer.finish(&node.encode()).0))
    };
    let inner = shard(below, b"name", &leaf);
    let good = shard(right, b"", &inner);
    let bad = shard((right + 1) % 8, b"", &inner);
    let mut within =
        |cid| graph.folder(&[("folder", Built { cid, total_size: 1, file_bytes: 0 })]).cid;
    let (with_good, with_bad) = (within(good), within(bad));
    let sent = graph.walk(Selection::all(with_good)).unwrap();
    assert_eq!(sent, [with_good, good, inner, leaf]);
    let refused = graph.walk(Selection::all(with_bad));
    assert!(matches!(refused, Err(WalkError::NotTheShard { cid }) if cid == inner));
    // A walk that begins at a shard cannot know which of a folder's it is.
    assert_eq!(graph.walk(Selection::all(inner)).unwrap(), [inner, leaf]);
}

#[test]
fn records_are_walked_and_paths_lead_through_them() {
    use dag_cbor::Ipld;
    let mut graph = Graph::default();
    let leaves = [graph.file(b"a").cid, graph.file(b"b").cid];
    let list = Ipld::List(leaves.map(Ipld::Link).to_vec());
    let record = Ipld::Map([("next".to_owned(), list)].into());
    let block = dag_cbor::encode(&record).unwrap();
    let root = graph.put(Block::new(codec::DAG_CBOR, HashKind::Sha2_256, block));
    let walk = |path: &[&str], scope| graph.walk(select(root, path, scope));
    assert_eq!(walk(&[], DagScope::All).unwrap(), [root, leaves[0], leaves[1]]);
    assert_eq!(walk(&[], DagScope::Entity).unwrap(), [root]);
    assert_eq!(walk(&["next"], DagScope::All).unwrap(), [root, leaves[0], leaves[1]]);
    assert_eq!(walk(&["next", "1"], DagScope::All).unwrap(), [root, leaves[1]]);
    assert!(matches!(walk(&["next", "2"], DagScope::All), Err(WalkError::NotFound { .. })));
    assert!(matches!(
        walk(&["next", "1", "x"], DagScope::All),
        Err(WalkError::NotADirectory { .. })
    ));
}

#[test]
fn a_block_inside_its_cid_is_not_sent() {
    let mut graph = Graph::default();
    let folder = graph.folder(&[("x", graph_file())]).cid;
    let digest = &graph.blocks[&folder];
    let multihash =
        cid::multihash::Multihash::<64>::wrap(IDENTITY, &digest[..digest.len().min(64)]);
    let inlined = Cid::new_v1(codec::DAG_PB, multihash.unwrap());
    let outcome = graph.walk(Selection::all(inlined)).unwrap();
    assert_eq!(outcome, [graph_file().cid]);

    fn graph_file() -> Built {
        let cid = Cid::new_v1(codec::RAW, cid::multihash::Multihash::wrap(0x12, &[7; 32]).unwrap());
        Built { cid, total_size: 1, file_bytes: 1 }
    }
}

proptest! {
    #[test]
    fn a_range_gives_the_leaves_that_hold_it(
        size in 0..200_usize, from in -250..250_i64, to in proptest::option::of(-250..250_i64),
        duplicates: bool,
    ) {
        let mut graph = Graph::default();
        let bytes: Vec<u8> = (0..size).map(|index| u8::try_from(index).unwrap()).collect();
        let root = graph.file(&bytes).cid;
        let range = EntityBytes { from, to };
        let selection = Selection { range: Some(range), duplicates, ..Selection::all(root) };
        let sent = graph.walk(selection).unwrap();
        let leaves: Vec<Cid> =
            sent.into_iter().filter(|cid| cid.codec() == codec::RAW && *cid != root).collect();
        let wanted = range.resolve(size as u64).unwrap_or(0..0);
        let expected: Vec<Cid> = (0_u64..)
            .step_by(TINY.chunk_size)
            .zip(bytes.chunks(TINY.chunk_size))
            .filter(|(start, chunk)| *start < wanted.end && wanted.start < start + chunk.len() as u64)
            .map(|(_, chunk)| *TINY.leaf(Bytes::copy_from_slice(chunk)).cid())
            .filter(|cid| *cid != root)
            .collect();
        prop_assert_eq!(leaves, expected);
    }

    #[test]
    fn any_block_is_walked_or_refused(
        block in proptest::collection::vec(any::<u8>(), 0..300), record: bool, path in 0..3_usize,
    ) {
        let codec = if record { codec::DAG_CBOR } else { codec::DAG_PB };
        let block = Block::new(codec, HashKind::Sha2_256, block.into());
        let mut walk = Walk::new(select(*block.cid(), &["a", "0"][..path.min(2)], DagScope::All));
        let step = walk.advance().unwrap().unwrap();
        if walk.feed(&step.cid, block.data()).is_ok() {
            let _ = walk.advance();
        }
    }
}
