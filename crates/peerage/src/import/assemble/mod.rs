//! Walking, handing out work, and putting the results together.

mod large;

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsString,
    fs, io,
    path::PathBuf,
    sync::{
        Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use crate::{home::Private, limits::MAX_IMPORT_DEPTH};
use bytes::Bytes;
use peerage_core::data::{
    directory::{self, Entry},
    layout::{Built, FileLayout, Part},
    symlink,
    unixfs::Metadata,
};

use large::LargeFile;

use super::{
    ImportError, ImportOptions, ImportProgress, ImportWarning, Imported,
    hashing::{self, Hashed, Job, Outcome, Rules, SmallFile, Trouble},
    walk::{self, Start},
};
use crate::store::{
    Batch, FileRecord, Frame, OwnerId, Store,
    os::{self, Stat},
};

/// Files over this size are read in pieces of about it by all threads.
const PIECE_BYTES: u64 = 1024 * 1024;

/// Small files are handed out in groups: so many, or [`PIECE_BYTES`].
const GROUP_FILES: usize = 32;

/// Jobs handed out and not yet back, for each thread: enough that none waits.
const JOBS_PER_THREAD: usize = 4;

/// Records are written to the store in batches of this many, about 5 MB.
const BATCH_RECORDS: usize = 32_768;

/// The same for the bytes of blocks that no file holds: those of large folders.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Imports what `start` names.
pub(super) fn run(
    store: &Store,
    owner: OwnerId,
    start: &Start,
    options: &ImportOptions,
    private: Private,
    progress: &dyn ImportProgress,
) -> Result<Imported, ImportError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let limit = threads * JOBS_PER_THREAD;
    let (jobs, jobs_out) = sync_channel(limit);
    let (outcomes_in, outcomes) = sync_channel(limit);
    let jobs_out = Mutex::new(jobs_out);
    let rules = Rules { profile: options.profile, metadata: options.metadata };
    thread::scope(|scope| {
        for _ in 0..threads {
            let (jobs, outcomes) = (&jobs_out, outcomes_in.clone());
            scope.spawn(move || hashing::work(rules, jobs, &outcomes));
        }
        drop(outcomes_in);
        let mut assembly = Assembly::new(store, owner, start, options, progress, rules);
        assembly.private = private;
        assembly.drive(jobs, &outcomes, limit)?;
        assembly.finish(start)
    })
}

/// A file or folder that is not in its folder yet.
struct Item {
    /// The folder that it is in; `None` for the root.
    folder: Option<usize>,
    name: OsString,
    path: PathBuf,
    depth: usize,
}

/// A folder of which something is still missing.
struct Folder {
    item: Item,
    metadata: Metadata,
    entries: Vec<Entry>,
    /// How many entries are still to come.
    missing: usize,
}

struct Assembly<'a> {
    store: &'a Store,
    owner: OwnerId,
    base: PathBuf,
    options: &'a ImportOptions,
    progress: &'a dyn ImportProgress,
    rules: Rules,
    private: Private,
    batch: Batch,
    /// What is still to be walked, next one last.
    walk: Vec<Item>,
    folders: HashMap<usize, Folder>,
    next_folder: usize,
    next_file: u32,
    small: HashMap<u32, Item>,
    large: HashMap<u32, LargeFile>,
    /// The large files whose pieces are to be handed out: one, or a few when
    /// some changed and are read again.
    issuing: VecDeque<u32>,
    root: Option<(Built, bool)>,
    files: u64,
    total_bytes: u64,
}

impl<'a> Assembly<'a> {
    fn new(
        store: &'a Store,
        owner: OwnerId,
        start: &Start,
        options: &'a ImportOptions,
        progress: &'a dyn ImportProgress,
        rules: Rules,
    ) -> Self {
        let mut assembly = Self {
            store,
            owner,
            base: start.base.clone(),
            options,
            progress,
            rules,
            private: Private::default(),
            batch: Batch::new(owner),
            walk: Vec::new(),
            folders: HashMap::new(),
            next_folder: 0,
            next_file: 0,
            small: HashMap::new(),
            large: HashMap::new(),
            issuing: VecDeque::new(),
            root: None,
            files: 0,
            total_bytes: 0,
        };
        let mut folder = None;
        if start.wrapped {
            let item =
                Item { folder: None, name: start.name.clone(), path: start.base.clone(), depth: 0 };
            folder = Some(assembly.add_folder(item, Metadata::default(), start.items.len()));
        }
        for (name, path) in start.items.iter().rev() {
            assembly.walk.push(Item { folder, name: name.clone(), path: path.clone(), depth: 1 });
        }
        assembly
    }

    /// Hands out jobs and takes outcomes until everything is done.
    fn drive(
        &mut self,
        jobs: SyncSender<Job>,
        outcomes: &Receiver<Outcome>,
        limit: usize,
    ) -> Result<(), ImportError> {
        let mut out = 0;
        loop {
            if self.progress.cancelled() {
                return Err(ImportError::Cancelled);
            }
            while out < limit
                && let Some(job) = self.next_job()?
            {
                // The queue holds as many as are ever out, so this never
                // waits; and the threads are there as long as it is.
                if jobs.send(job).is_err() {
                    return Err(ImportError::Cancelled);
                }
                out += 1;
            }
            if out == 0 {
                return Ok(());
            }
            let Ok(outcome) = outcomes.recv() else { return Err(ImportError::Cancelled) };
            out -= 1;
            self.take(outcome)?;
        }
    }

    fn take(&mut self, outcome: Outcome) -> Result<(), ImportError> {
        match outcome {
            Outcome::Files(files) => {
                for (number, hashed) in files {
                    if let Some(item) = self.small.remove(&number) {
                        self.take_small(number, item, hashed)?;
                    }
                }
            }
            Outcome::Piece { number, offset, leaves } => self.take_piece(number, offset, leaves)?,
            Outcome::Lost => return Err(ImportError::Cancelled),
        }
        self.flush(BATCH_RECORDS)
    }

    /// The next work for a thread; `None` when there is none for now.
    fn next_job(&mut self) -> Result<Option<Job>, ImportError> {
        if let Some(job) = self.next_piece() {
            return Ok(Some(job));
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_FILES && bytes < PIECE_BYTES {
            let Some(item) = self.walk.pop() else { break };
            if let Some((number, size, path)) = self.visit(item)? {
                bytes += size;
                group.push(SmallFile { number, path });
            }
            if !self.issuing.is_empty() {
                break;
            }
        }
        if group.is_empty() { Ok(self.next_piece()) } else { Ok(Some(Job::Files(group))) }
    }

    /// Looks at one path. A small file is for the caller to hand out.
    fn visit(&mut self, item: Item) -> Result<Option<(u32, u64, PathBuf)>, ImportError> {
        let metadata = match fs::symlink_metadata(&item.path) {
            Ok(metadata) => metadata,
            Err(error) => return self.leave_out_unreadable(item, error).map(|()| None),
        };
        if self.private.holds(&metadata) {
            self.progress.warning(&ImportWarning::Home { path: item.path });
            return self.entry(item.folder, None).map(|()| None);
        }
        let kind = metadata.file_type();
        let stat = os::stat_of(&metadata);
        if kind.is_dir() {
            self.open_folder(item, &stat)?;
        } else if kind.is_symlink() {
            self.add_symlink(item, &stat)?;
        } else if kind.is_file() {
            self.progress.found(stat.size);
            let number = self.number()?;
            if stat.size > self.small_bytes() {
                self.open_large(number, item, 1)?;
            } else {
                let path = item.path.clone();
                self.small.insert(number, item);
                return Ok(Some((number, stat.size, path)));
            }
        } else {
            self.leave_out_special(item)?;
        }
        Ok(None)
    }

    /// The size up to which one thread reads a file whole: at least a chunk.
    fn small_bytes(&self) -> u64 {
        PIECE_BYTES.max(self.rules.profile.chunk_size as u64)
    }

    fn number(&mut self) -> Result<u32, ImportError> {
        let number = self.next_file;
        self.next_file = number.checked_add(1).ok_or(ImportError::TooManyFiles)?;
        Ok(number)
    }

    fn leave_out_special(&mut self, item: Item) -> Result<(), ImportError> {
        if item.folder.is_none() {
            return Err(ImportError::NotImportable { path: item.path });
        }
        self.progress.warning(&ImportWarning::Special { path: item.path });
        self.entry(item.folder, None)
    }

    /// A file that is gone is left out, as if it had never been there; another
    /// fault is the import's.
    fn leave_out_unreadable(&mut self, item: Item, source: io::Error) -> Result<(), ImportError> {
        if source.kind() != io::ErrorKind::NotFound || item.folder.is_none() {
            return Err(ImportError::Unreadable { path: item.path, source });
        }
        self.progress.warning(&ImportWarning::Vanished { path: item.path });
        self.entry(item.folder, None)
    }

    fn trouble(&mut self, item: Item, trouble: Trouble) -> Result<(), ImportError> {
        match trouble {
            Trouble::Io(error) => self.leave_out_unreadable(item, error),
            Trouble::Changing => Err(ImportError::Changing { path: item.path }),
            Trouble::NotAFile => self.leave_out_special(item),
        }
    }

    fn add_symlink(&mut self, item: Item, stat: &Stat) -> Result<(), ImportError> {
        let target = match fs::read_link(&item.path) {
            Ok(target) => target,
            Err(error) => return self.leave_out_unreadable(item, error),
        };
        // The permission bits of a link mean nothing.
        let metadata = Metadata { mode: None, ..self.rules.metadata_of(stat) };
        let target = os::path_bytes(&target)?;
        let block = symlink::encode(target, &metadata, &self.rules.profile)
            .map_err(|source| ImportError::Symlink { path: item.path.clone(), source })?;
        let size = block.data().len() as u64;
        let built = Built { cid: *block.cid(), total_size: size, file_bytes: 0 };
        self.batch.block(block);
        self.place(item, built, false)
    }

    fn open_folder(&mut self, item: Item, stat: &Stat) -> Result<(), ImportError> {
        if item.depth > MAX_IMPORT_DEPTH {
            return Err(ImportError::TooDeep { path: item.path });
        }
        let names = match walk::names(&item.path, self.options) {
            Ok(names) => names,
            Err(error) => return self.leave_out_unreadable(item, error),
        };
        let (path, depth) = (item.path.clone(), item.depth + 1);
        let count = names.len();
        let index = self.add_folder(item, self.rules.metadata_of(stat), count);
        for name in names.into_iter().rev() {
            let path = path.join(&name);
            self.walk.push(Item { folder: Some(index), name, path, depth });
        }
        if count == 0 { self.close_folders(index) } else { Ok(()) }
    }

    fn add_folder(&mut self, item: Item, metadata: Metadata, missing: usize) -> usize {
        let index = self.next_folder;
        self.next_folder += 1;
        let entries = Vec::with_capacity(missing);
        self.folders.insert(index, Folder { item, metadata, entries, missing });
        index
    }

    /// Puts a finished file, folder or link where it belongs.
    fn place(&mut self, item: Item, built: Built, is_dir: bool) -> Result<(), ImportError> {
        if item.folder.is_none() {
            self.root = Some((built, is_dir));
            return Ok(());
        }
        let name = Bytes::from(item.name.into_encoded_bytes());
        let entry = Entry { name, cid: built.cid, total_size: built.total_size };
        self.entry(item.folder, Some(entry))
    }

    fn entry(&mut self, folder: Option<usize>, entry: Option<Entry>) -> Result<(), ImportError> {
        let Some(index) = folder else { return Ok(()) };
        if let Some(folder) = self.folders.get_mut(&index) {
            folder.entries.extend(entry);
            folder.missing -= 1;
            if folder.missing == 0 {
                return self.close_folders(index);
            }
        }
        Ok(())
    }

    /// Builds a folder that is complete, and those around it that then are.
    fn close_folders(&mut self, mut index: usize) -> Result<(), ImportError> {
        while let Some(folder) = self.folders.remove(&index) {
            let batch = &mut self.batch;
            let built = directory::build(
                folder.entries,
                &folder.metadata,
                &self.rules.profile,
                &mut |block| batch.block(block),
            )
            .map_err(|source| ImportError::Directory { path: folder.item.path, source })?;
            let Some(parent) = folder.item.folder else {
                self.root = Some((built, true));
                return Ok(());
            };
            let Some(around) = self.folders.get_mut(&parent) else { return Ok(()) };
            let name = Bytes::from(folder.item.name.into_encoded_bytes());
            around.entries.push(Entry { name, cid: built.cid, total_size: built.total_size });
            around.missing -= 1;
            if around.missing > 0 {
                return Ok(());
            }
            index = parent;
        }
        Ok(())
    }

    fn record(&self, item: &Item, stat: &Stat, settled: bool) -> FileRecord {
        let path = item.path.strip_prefix(&self.base).unwrap_or(&item.path).to_path_buf();
        FileRecord { path, size: stat.size, modified: settled.then_some(stat.modified) }
    }

    fn take_small(
        &mut self,
        number: u32,
        item: Item,
        hashed: Result<Hashed, Trouble>,
    ) -> Result<(), ImportError> {
        let Hashed { stat, leaves } = match hashed {
            Ok(hashed) => hashed,
            Err(trouble) => return self.trouble(item, trouble),
        };
        self.progress.hashed(stat.size);
        let metadata = self.rules.metadata_of(&stat);
        self.batch.file(number, self.record(&item, &stat, true))?;
        let built = match leaves.as_slice() {
            [leaf] => {
                let inline = !self.rules.profile.raw_leaves || !metadata.is_empty();
                let frame = if inline { Frame::Inline(metadata) } else { Frame::Raw };
                self.batch.whole_file(leaf.cid, number, frame);
                Built { cid: leaf.cid, total_size: leaf.total_size, file_bytes: leaf.file_bytes }
            }
            leaves => {
                let mut layout = FileLayout::new(self.rules.profile);
                self.push_leaves(&mut layout, number, 0, leaves);
                self.end_layout(layout, &metadata, &item)?
            }
        };
        self.end_file(item, built)
    }

    /// Adds leaves to a file and records where they are; where the next one is.
    fn push_leaves(
        &mut self,
        layout: &mut FileLayout,
        number: u32,
        mut offset: u64,
        leaves: &[Part],
    ) -> u64 {
        let raw = self.rules.profile.raw_leaves;
        let frame = if raw { Frame::Raw } else { Frame::Inline(Metadata::default()) };
        for leaf in leaves {
            self.batch.reference(leaf.cid, number, offset, leaf.file_bytes, frame);
            let batch = &mut self.batch;
            layout.push(*leaf, &mut |block| batch.block(block));
            offset += leaf.file_bytes;
        }
        offset
    }

    fn end_layout(
        &mut self,
        layout: FileLayout,
        metadata: &Metadata,
        item: &Item,
    ) -> Result<Built, ImportError> {
        let batch = &mut self.batch;
        // One leaf with metadata is made inline before it comes here, unless
        // the file grew or shrank across that border meanwhile.
        layout
            .finish(metadata, &mut |block| batch.block(block))
            .map_err(|_| ImportError::Changing { path: item.path.clone() })
    }

    fn end_file(&mut self, item: Item, built: Built) -> Result<(), ImportError> {
        self.files += 1;
        self.total_bytes += built.file_bytes;
        self.place(item, built, false)
    }

    fn flush(&mut self, over: usize) -> Result<(), ImportError> {
        if self.batch.len() > over || self.batch.block_bytes() > BATCH_BYTES {
            let batch = std::mem::replace(&mut self.batch, Batch::new(self.owner));
            self.store.write(batch)?;
        }
        Ok(())
    }

    fn finish(mut self, start: &Start) -> Result<Imported, ImportError> {
        self.flush(0)?;
        let Some((built, is_dir)) = self.root else { return Err(ImportError::Nothing) };
        self.store.set_root(self.owner, built.cid)?;
        self.store.sync()?;
        // The database grows by doubling; what it does not need goes back now
        // rather than when the store is closed, which may be days later.
        self.store.compact()?;
        Ok(Imported {
            root: built.cid,
            name: start.name.clone().into_encoded_bytes(),
            is_dir,
            files: self.files,
            total_bytes: self.total_bytes,
            dag_size: built.total_size,
            owner: self.owner,
        })
    }
}
