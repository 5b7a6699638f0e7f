//! The CIDs that other people's software gives the same bytes: see
//! `tests/vectors/unixfs/README.md`.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "the vectors are ours")]

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use peerage_core::data::{
    Block, Cid, Profile, View,
    directory::{self, Entry},
    layout::{self, Built, FileLayout},
    symlink,
    unixfs::{Metadata, Mtime},
    view::ShardLink,
};
use serde_json::Value;

const HELIA: &str = include_str!("../../../../tests/vectors/unixfs/helia.json");
const KUBO: &str = include_str!("../../../../tests/vectors/unixfs/kubo.json");

/// Byte i is (7 i + 13 floor(i / 251) + seed) mod 256.
fn content(size: usize, seed: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    let mut start = seed;
    while bytes.len() < size {
        let mut byte = start;
        for _ in 0..251.min(size - bytes.len()) {
            bytes.push(byte);
            byte = byte.wrapping_add(7);
        }
        start = byte.wrapping_add(13);
    }
    bytes
}

fn profile(value: &Value) -> Profile {
    let mut profile = match value["base"].as_str().unwrap() {
        "unixfs-v1-2025" => Profile::UNIXFS_V1_2025,
        "unixfs-v0-2015" => Profile::UNIXFS_V0,
        "legacy-cidv1" => Profile::LEGACY_CIDV1,
        other => panic!("unknown profile {other}"),
    };
    let number = |key: &str| value[key].as_u64().map(|number| number as usize);
    profile.chunk_size = number("chunkSize").unwrap_or(profile.chunk_size);
    profile.max_links = number("maxLinks").unwrap_or(profile.max_links);
    profile.hamt_threshold = number("shardThreshold").unwrap_or(profile.hamt_threshold);
    profile.hamt_fanout = number("fanoutBits").map_or(profile.hamt_fanout, |bits| 1 << bits);
    profile
}

fn metadata(node: &Value) -> Metadata {
    let mtime = &node["mtime"];
    Metadata {
        mode: node["mode"].as_u64().map(|mode| mode as u32),
        mtime: mtime[0]
            .as_i64()
            .map(|seconds| Mtime { seconds, nanoseconds: mtime[1].as_u64().unwrap() as u32 }),
    }
}

#[derive(Default)]
struct Folder {
    metadata: Metadata,
    files: Vec<Entry>,
    folders: BTreeMap<String, Folder>,
}

struct Importer {
    profile: Profile,
    blocks: HashMap<Cid, Bytes>,
}

impl Importer {
    fn keep(&mut self) -> impl FnMut(Block) {
        |block: Block| {
            let (cid, data) = block.into_parts();
            self.blocks.insert(cid, data);
        }
    }

    fn file(&mut self, bytes: Vec<u8>, metadata: Metadata) -> Built {
        let profile = self.profile;
        if bytes.len() <= profile.chunk_size && !metadata.is_empty() {
            let block = layout::inline(&bytes, &metadata, &profile);
            let cid = *block.cid();
            let total_size = block.data().len() as u64;
            self.keep()(block);
            return Built { cid, total_size, file_bytes: bytes.len() as u64 };
        }
        let bytes = Bytes::from(bytes);
        let mut file = FileLayout::new(profile);
        let mut keep = self.keep();
        for start in (0..bytes.len()).step_by(profile.chunk_size) {
            let end = bytes.len().min(start + profile.chunk_size);
            file.push_chunk(bytes.slice(start..end), &mut keep);
        }
        file.finish(&metadata, &mut keep).unwrap()
    }

    fn folder(&mut self, folder: Folder) -> Built {
        let mut entries = folder.files;
        for (name, inner) in folder.folders {
            let Built { cid, total_size, .. } = self.folder(inner);
            entries.push(Entry { name: name.into(), cid, total_size });
        }
        let profile = self.profile;
        directory::build(entries, &folder.metadata, &profile, &mut self.keep()).unwrap()
    }

    fn tree(&mut self, nodes: &[Value]) -> Built {
        let mut root = Folder::default();
        for node in nodes {
            let (parents, name) = split(node["path"].as_str().unwrap());
            let folder = parents.iter().fold(&mut root, |folder, parent| {
                folder.folders.entry((*parent).to_owned()).or_default()
            });
            let file = self.leaf(node);
            match (file, node["many"].as_u64()) {
                (Some(built), Some(many)) => {
                    for index in 0..many {
                        folder.files.push(entry(&format!("{name}{index:06}"), built));
                    }
                }
                (Some(built), None) if name.is_empty() => return built,
                (Some(built), None) => folder.files.push(entry(name, built)),
                (None, _) => {
                    folder.folders.entry(name.to_owned()).or_default().metadata = metadata(node);
                }
            }
        }
        self.folder(root)
    }

    /// The file or symbolic link that a line of the recipe describes.
    fn leaf(&mut self, node: &Value) -> Option<Built> {
        let metadata = metadata(node);
        if let Some(target) = node["link"].as_str() {
            let block = symlink::encode(target.as_bytes(), &metadata, &self.profile).unwrap();
            let (cid, total_size) = (*block.cid(), block.data().len() as u64);
            self.keep()(block);
            return Some(Built { cid, total_size, file_bytes: 0 });
        }
        let size = if node["many"].is_u64() { 1 } else { node["size"].as_u64()? as usize };
        let seed = node["seed"].as_u64().unwrap_or(0) as u8;
        Some(self.file(content(size, seed), metadata))
    }

    /// The CIDs of all blocks below `root`, read back through `View`.
    fn reach(&self, root: Cid) -> HashMap<Cid, usize> {
        let mut seen = HashMap::new();
        let mut open = vec![root];
        while let Some(cid) = open.pop() {
            let block = &self.blocks[&cid];
            if seen.insert(cid, block.len()).is_some() {
                continue;
            }
            match View::of(&cid, block).unwrap() {
                View::File { children, .. } => open.extend(children.iter().map(|child| child.cid)),
                View::Directory { entries, .. } => open.extend(entries.iter().map(|e| e.cid)),
                View::Shard { links, .. } => open.extend(links.iter().map(|link| match link {
                    ShardLink::Entry { entry, .. } => entry.cid,
                    ShardLink::Shard { cid, .. } => *cid,
                })),
                View::Raw(_) | View::Symlink { .. } => {}
            }
        }
        seen
    }
}

fn entry(name: &str, built: Built) -> Entry {
    Entry { name: name.to_owned().into(), cid: built.cid, total_size: built.total_size }
}

fn split(path: &str) -> (Vec<&str>, &str) {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap();
    (parts, name)
}

#[test]
fn gives_the_cids_that_helia_gives() {
    let vectors: Vec<Value> = serde_json::from_str(HELIA).unwrap();
    assert!(vectors.len() > 100);
    let mut wrong = Vec::new();
    for vector in vectors {
        let profile = profile(&vector["profile"]);
        let mut importer = Importer { profile, blocks: HashMap::new() };
        let built = importer.tree(vector["tree"].as_array().unwrap());
        let reached = importer.reach(built.cid);
        let found = (
            built.cid.to_string(),
            built.total_size,
            reached.len() as u64,
            reached.values().sum::<usize>() as u64,
        );
        let number = |key: &str| vector[key].as_u64().unwrap();
        let cid = vector["cid"].as_str().unwrap().to_owned();
        if found != (cid, number("size"), number("blocks"), number("bytes")) {
            wrong.push(format!("{}: {found:?}, expected {vector}", vector["name"]));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn gives_the_cids_that_kubo_gives() {
    let vectors: Vec<Value> = serde_json::from_str(KUBO).unwrap();
    for vector in vectors {
        let mut importer = Importer { profile: Profile::UNIXFS_V0, blocks: HashMap::new() };
        let built = importer.tree(vector["tree"].as_array().unwrap());
        assert_eq!(Some(&*built.cid.to_string()), vector["cid"].as_str(), "{}", vector["tree"]);
    }
}
