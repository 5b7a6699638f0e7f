//! Files and folders as blocks, in memory: made, fetched and read back.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Mutex, MutexGuard},
};

use bytes::{Bytes, BytesMut};
use peerage::{
    access::Requester,
    exchange::{
        BlockSource, SourceError,
        bitswap::{Event, Session},
    },
};
use peerage_core::data::{
    Block, Cid, Profile,
    directory::{self, Entry},
    layout::{Built, FileLayout},
    unixfs::Metadata,
    view::{ShardLink, View},
};

use super::soon;

/// A folder's files, by their paths in it.
pub(crate) type Files = BTreeMap<String, Bytes>;

/// Blocks in memory.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<Cid, Bytes>>);

impl BlockSource for Shelf {
    fn get(&self, _: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        Ok(self.blocks().get(cid).cloned())
    }
}

impl Shelf {
    pub(crate) fn blocks(&self) -> MutexGuard<'_, HashMap<Cid, Bytes>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn put(&self, block: Block) {
        let (cid, data) = block.into_parts();
        self.blocks().insert(cid, data);
    }

    /// Adds a file.
    pub(crate) fn add_file(&self, bytes: &Bytes, profile: &Profile) -> Built {
        let mut layout = FileLayout::new(*profile);
        for start in (0..bytes.len()).step_by(profile.chunk_size) {
            let end = bytes.len().min(start + profile.chunk_size);
            layout.push_chunk(bytes.slice(start..end), &mut |block| self.put(block));
        }
        layout.finish(&Metadata::default(), &mut |block| self.put(block)).unwrap()
    }

    /// Adds a folder with its folders.
    pub(crate) fn add_folder(&self, files: &Files, profile: &Profile) -> Built {
        let mut entries = Vec::new();
        let mut folders: BTreeMap<&str, Files> = BTreeMap::new();
        for (path, bytes) in files {
            match path.split_once('/') {
                Some((folder, rest)) => {
                    folders.entry(folder).or_default().insert(rest.to_owned(), bytes.clone());
                }
                None => entries.push(entry(path, self.add_file(bytes, profile))),
            }
        }
        for (name, files) in &folders {
            entries.push(entry(name, self.add_folder(files, profile)));
        }
        directory::build(entries, &Metadata::default(), profile, &mut |block| self.put(block))
            .unwrap()
    }

    /// Reads a file or folder back; a file's path is empty.
    pub(crate) fn read(&self, root: &Cid) -> Files {
        let mut files = Files::new();
        self.read_into(root, "", &mut files);
        files
    }

    fn read_into(&self, cid: &Cid, path: &str, files: &mut Files) {
        match self.view(cid) {
            View::Directory { entries, .. } => {
                for entry in entries {
                    self.read_into(&entry.cid, &below(path, &entry), files);
                }
            }
            View::Shard { links, .. } => {
                for link in links {
                    match link {
                        ShardLink::Entry { entry, .. } => {
                            self.read_into(&entry.cid, &below(path, &entry), files);
                        }
                        ShardLink::Shard { cid, .. } => self.read_into(&cid, path, files),
                    }
                }
            }
            _ => {
                let mut bytes = BytesMut::new();
                self.append(cid, &mut bytes);
                files.insert(path.to_owned(), bytes.freeze());
            }
        }
    }

    fn append(&self, cid: &Cid, bytes: &mut BytesMut) {
        match self.view(cid) {
            View::Raw(data) => bytes.extend_from_slice(&data),
            View::File { inline, children, .. } => {
                bytes.extend_from_slice(&inline);
                for child in children {
                    self.append(&child.cid, bytes);
                }
            }
            other => panic!("{cid} is not part of a file: {other:?}"),
        }
    }

    fn view(&self, cid: &Cid) -> View {
        View::of(cid, &self.blocks()[cid]).unwrap()
    }
}

fn entry(name: &str, built: Built) -> Entry {
    Entry { name: name.to_owned().into(), cid: built.cid, total_size: built.total_size }
}

fn below(path: &str, entry: &Entry) -> String {
    let name = str::from_utf8(&entry.name).unwrap();
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// The blocks that a block links to.
fn links(cid: &Cid, data: &Bytes) -> Vec<Cid> {
    match View::of(cid, data).unwrap() {
        View::File { children, .. } => children.iter().map(|child| child.cid).collect(),
        View::Directory { entries, .. } => entries.iter().map(|entry| entry.cid).collect(),
        View::Shard { links, .. } => {
            let target = |link: ShardLink| match link {
                ShardLink::Entry { entry, .. } => entry.cid,
                ShardLink::Shard { cid, .. } => cid,
            };
            links.into_iter().map(target).collect()
        }
        _ => Vec::new(),
    }
}

/// Fetches a whole file or folder, a thousand wants at a time.
pub(crate) async fn fetch(session: &Session, root: Cid) -> Shelf {
    const AT_ONCE: usize = 1000;
    let shelf = Shelf::default();
    let mut queue = VecDeque::from([root]);
    let mut seen = HashSet::from([root]);
    loop {
        let count = queue.len().min(AT_ONCE.saturating_sub(session.wants()));
        let wanted: Vec<Cid> = queue.drain(..count).collect();
        session.want(&wanted).unwrap();
        match soon("the next block", session.next()).await {
            Some(Event::Block { block, .. }) => {
                let links = links(block.cid(), block.data());
                queue.extend(links.into_iter().filter(|cid| seen.insert(*cid)));
                shelf.put(block);
            }
            Some(other) => panic!("{other:?}"),
            None => return shelf,
        }
    }
}

/// Bytes that do not repeat, the same for a seed everywhere.
pub(crate) fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words = (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes());
    words.take(length).collect()
}

/// A folder of so many small files, and one of files of sizes at edges. The
/// small ones repeat, since Kubo fetches one after another.
pub(crate) fn sample(small: usize) -> Files {
    const CHUNK: usize = 1024 * 1024;
    let mut files = Files::new();
    for (number, size) in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 17].iter().enumerate() {
        files.insert(format!("edges/{size}"), noise(number as u64, *size));
    }
    for number in 0..small {
        let name = format!("many/picture of the summer, number {number:05}.txt");
        let kind = number % 97;
        files.insert(name, noise(kind as u64 + 100, 20 + kind));
    }
    files
}

pub(crate) fn write(files: &Files, folder: &Path) {
    for (path, bytes) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Reads a folder, or a file (whose path is then empty), from disk.
pub(crate) fn read(path: &Path) -> Files {
    let mut files = Files::new();
    if path.is_file() {
        files.insert(String::new(), std::fs::read(path).unwrap().into());
        return files;
    }
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        for (below, bytes) in read(&entry.path()) {
            let path = if below.is_empty() { name.clone() } else { format!("{name}/{below}") };
            files.insert(path, bytes);
        }
    }
    files
}

/// Fails without printing all bytes.
pub(crate) fn assert_same(got: &Files, expected: &Files) {
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(expected));
    for (path, bytes) in expected {
        assert!(got[path] == *bytes, "{path} differs");
    }
}
