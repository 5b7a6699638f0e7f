//! Where a download's bytes go: files in the staging folder, nodes in the
//! store, and for every finished file a reference from the store to it, so
//! that it can be served at once without a copy.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::{
        ffi::OsStringExt,
        fs::{FileExt, MetadataExt},
    },
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use peerage_core::{
    data::{Block, Cid, codec, layout::inline_frame, unixfs::Metadata, verify},
    exchange::download::{Allowance, EntryPath, Item, Output, Piece, Place, expand},
};
use rustix::fs::{Mode, Timespec, Timestamps, UTIME_OMIT};

use super::{GetRequest, error::GetError, staging::Staging};
use crate::store::{
    Batch, FileRecord, Frame, Modified, Owner, OwnerId, OwnerKind, Store, StoreError,
};
use crate::sync::lock;

/// How long what has arrived may wait to be recorded: a process that is killed
/// forgets at most this much of which nodes it had.
const RECORD_INTERVAL: Duration = Duration::from_secs(1);

/// How many blocks and references may wait to be recorded.
const RECORD_ENTRIES: usize = 2048;

/// The same for the bytes of blocks that no file holds.
const RECORD_BYTES: usize = 4 * 1024 * 1024;

/// Permission bits that a remote folder may set: not set-user-id and its kin.
const PERMITTED_MODE: u32 = 0o777;

/// A file of the output while its bytes arrive. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct OutputFile(Arc<FileState>);

#[derive(Debug)]
struct FileState {
    path: EntryPath,
    size: u64,
    metadata: Metadata,
    remaining: AtomicU64,
    handle: Mutex<Option<Arc<File>>>,
    references: Mutex<Vec<Reference>>,
}

/// A block that lies in a file of the output.
#[derive(Debug)]
struct Reference {
    cid: Cid,
    offset: u64,
    length: u64,
    frame: Frame,
}

/// Counts that anybody may read while the download runs.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes: AtomicU64,
    pub(crate) files: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) total: AtomicU64,
}

struct Recording {
    batch: Batch,
    since: Instant,
}

struct Inner {
    staging: Staging,
    store: Store,
    owner: OwnerId,
    /// The staging folder as the store knows it.
    staged: PathBuf,
    allowance: Mutex<Allowance>,
    counters: Counters,
    next_file: AtomicU32,
    recording: Mutex<Recording>,
    directories: Mutex<Vec<(EntryPath, Metadata)>>,
    symlinks: Mutex<Vec<(EntryPath, Vec<u8>, Metadata)>>,
}

/// The output of one download. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Disk {
    inner: Arc<Inner>,
    /// Whether what arrives was on this machine already.
    from_here: bool,
}

impl Disk {
    /// # Errors
    ///
    /// When the store fails.
    pub(crate) fn new(
        staging: Staging,
        store: Store,
        request: &GetRequest,
    ) -> Result<Self, GetError> {
        let owner = store.add_owner(OwnerKind::download(request.root, staging.folder()))?;
        let staged = store.owner(owner);
        let staged = staged.as_ref().and_then(Owner::base).unwrap_or(staging.folder()).into();
        let inner = Arc::new(Inner {
            staging,
            store,
            owner,
            staged,
            allowance: Mutex::new(request.allowance.clone()),
            counters: Counters::default(),
            next_file: AtomicU32::new(0),
            recording: Mutex::new(Recording { batch: Batch::new(owner), since: Instant::now() }),
            directories: Mutex::new(Vec::new()),
            symlinks: Mutex::new(Vec::new()),
        });
        Ok(Self { inner, from_here: false })
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    pub(crate) fn staging(&self) -> &Staging {
        &self.inner.staging
    }

    /// Takes all of `items` that an earlier try left on this disk, or that the
    /// store holds for another reason, to their places; returns the rest, as a
    /// stack. Every byte is verified: what is on disk is a hint, not a proof.
    pub(crate) fn missing_here(
        &self,
        items: Vec<Item<OutputFile>>,
    ) -> Result<Vec<Item<OutputFile>>, GetError> {
        let mut missing = Vec::new();
        let mut stack = items;
        let mut here = Self { inner: Arc::clone(&self.inner), from_here: true };
        while let Some(item) = stack.pop() {
            if here.adopt(&item) {
                continue;
            }
            match here.stored(&item.cid) {
                Some(block) => stack.extend(expand(&item, &block, &mut here)?),
                None => missing.push(item),
            }
        }
        missing.reverse();
        Ok(missing)
    }

    /// A part of a file that lies in its place already.
    fn adopt(&self, item: &Item<OutputFile>) -> bool {
        let Place::Part { file, offset, length, .. } = &item.place else { return false };
        if item.cid.codec() != codec::RAW {
            return false;
        }
        let Some(handle) = file.existing(&self.inner.staging) else { return false };
        let Ok(length_in_memory) = usize::try_from(*length) else { return false };
        if length_in_memory > crate::limits::MAX_BLOCK_BYTES {
            return false;
        }
        let mut bytes = vec![0; length_in_memory];
        if handle.read_exact_at(&mut bytes, *offset).is_err() || verify(&item.cid, &bytes).is_err()
        {
            return false;
        }
        let (cid, offset, length) = (item.cid, *offset, *length);
        let reference = Reference { cid, offset, length, frame: Frame::Raw };
        self.arrived(file, Some(reference), length).is_ok()
    }

    /// A block that the store holds, verified anew.
    fn stored(&self, cid: &Cid) -> Option<Block> {
        if let Some(block) = Block::inline(cid) {
            return Some(block);
        }
        let data = self.inner.store.get(cid).ok()??;
        Block::verified(*cid, data).ok()
    }

    /// Some bytes of a file are in their place; the last ones finish it.
    fn arrived(
        &self,
        file: &OutputFile,
        reference: Option<Reference>,
        length: u64,
    ) -> Result<(), GetError> {
        lock(&file.0.references).extend(reference);
        self.inner.counters.bytes.fetch_add(length, Ordering::Relaxed);
        if self.from_here {
            self.inner.counters.resumed.fetch_add(length, Ordering::Relaxed);
        }
        let before = file.0.remaining.fetch_sub(length, Ordering::AcqRel);
        if before == length { self.finish_file(file) } else { Ok(()) }
    }

    fn finish_file(&self, file: &OutputFile) -> Result<(), GetError> {
        let state = &file.0;
        let handle = file.open(&self.inner.staging)?;
        lock(&state.handle).take();
        let failed = |e: io::Error| GetError::write(&self.inner.staging.folder().join("…"), e);
        let found = handle.metadata().map_err(failed)?;
        if found.len() != state.size {
            handle.set_len(state.size).map_err(failed)?;
        }
        set_metadata(&handle, &state.metadata)
            .map_err(|e| self.inner.staging.failed_at(&state.path, e))?;
        let record = FileRecord {
            path: OsString::from_vec(self.inner.staging.relative(&state.path)).into(),
            size: state.size,
            modified: Some(modified(&handle.metadata().map_err(failed)?)),
        };
        self.inner.counters.files.fetch_add(1, Ordering::Relaxed);
        self.record_file(record, std::mem::take(&mut *lock(&state.references)))
    }

    fn record_file(&self, record: FileRecord, references: Vec<Reference>) -> Result<(), GetError> {
        let number = self.inner.next_file.fetch_add(1, Ordering::Relaxed);
        let size = record.size;
        self.record(|batch| {
            batch.file(number, record)?;
            for Reference { cid, offset, length, frame } in references {
                if length == size {
                    batch.whole_file(cid, number, frame);
                } else {
                    batch.reference(cid, number, offset, length, frame);
                }
            }
            Ok(())
        })
    }

    fn record(
        &self,
        add: impl FnOnce(&mut Batch) -> Result<(), StoreError>,
    ) -> Result<(), GetError> {
        let mut recording = lock(&self.inner.recording);
        add(&mut recording.batch)?;
        let due = recording.since.elapsed() > RECORD_INTERVAL;
        if due
            || recording.batch.len() >= RECORD_ENTRIES
            || recording.batch.block_bytes() >= RECORD_BYTES
        {
            self.flush(&mut recording)?;
        }
        Ok(())
    }

    fn flush(&self, recording: &mut Recording) -> Result<(), GetError> {
        recording.since = Instant::now();
        let batch = std::mem::replace(&mut recording.batch, Batch::new(self.inner.owner));
        Ok(self.inner.store.write(batch)?)
    }

    /// Records what has arrived, so that another try continues from it.
    pub(crate) fn save(&self) -> Result<(), GetError> {
        let mut recording = lock(&self.inner.recording);
        self.flush(&mut recording)?;
        Ok(self.inner.store.sync()?)
    }

    /// Everything has arrived: links, what is known of folders, and the name.
    pub(crate) fn finish(&self) -> Result<(), GetError> {
        let staging = &self.inner.staging;
        for (path, target, metadata) in lock(&self.inner.symlinks).drain(..) {
            staging.create_symlink(&path, &target)?;
            if let Some(times) = timestamps(&metadata) {
                staging.touch_symlink(&path, &times)?;
            }
        }
        let mut directories = std::mem::take(&mut *lock(&self.inner.directories));
        // The deepest first: work inside a folder changes its time.
        directories.sort_by(|a, b| b.0.cmp(&a.0));
        for (path, metadata) in directories {
            let handle = staging.open_directory(&path)?;
            set_metadata(&handle, &metadata).map_err(|e| staging.failed_at(&path, e))?;
        }
        self.save()?;
        staging.finish()?;
        let home = staging.output().parent().unwrap_or(staging.output());
        self.inner.store.finish_download(self.inner.owner, home)?;
        self.forget_tries()
    }

    /// The download failed: what arrived stays for another try; if nothing
    /// did, nothing stays.
    pub(crate) fn keep_for_later(&self) {
        // The error that ended the download is the one to report.
        let _ = self.save();
        if self.inner.staging.discard_if_empty() {
            let _ = self.forget_tries();
        }
    }

    /// The download can never succeed: nothing of it stays.
    pub(crate) fn discard(&self) {
        self.inner.staging.discard();
        let _ = self.forget_tries();
    }

    /// Removes from the store what this and earlier tries recorded about files
    /// in the staging folder, which is gone.
    fn forget_tries(&self) -> Result<(), GetError> {
        let store = &self.inner.store;
        let staged = Some(self.inner.staged.as_path());
        for owner in store.owners().iter().filter(|owner| owner.base() == staged) {
            store.remove_owner(owner.id)?;
        }
        Ok(())
    }
}

impl OutputFile {
    fn open(&self, staging: &Staging) -> Result<Arc<File>, GetError> {
        let mut handle = lock(&self.0.handle);
        if let Some(open) = handle.as_ref() {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(staging.open_file(&self.0.path)?);
        *handle = Some(Arc::clone(&open));
        Ok(open)
    }

    fn existing(&self, staging: &Staging) -> Option<Arc<File>> {
        let mut handle = lock(&self.0.handle);
        if handle.is_none() {
            *handle = staging.existing_file(&self.0.path).map(Arc::new);
        }
        handle.clone()
    }
}

impl Output for Disk {
    type File = OutputFile;
    type Error = GetError;

    fn announced(&mut self, bytes: u64) -> Result<(), GetError> {
        Ok(lock(&self.inner.allowance).look_at(bytes)?)
    }

    fn listing(&mut self, cid: &Cid, entries: usize) -> Result<(), GetError> {
        Ok(lock(&self.inner.allowance).look_at_listing(cid, entries)?)
    }

    fn directory(&mut self, path: &EntryPath, metadata: Metadata) -> Result<(), GetError> {
        lock(&self.inner.allowance).take_entry(0)?;
        self.inner.staging.create_directory(path)?;
        if metadata != Metadata::default() {
            lock(&self.inner.directories).push((path.clone(), metadata));
        }
        Ok(())
    }

    fn symlink(
        &mut self,
        path: &EntryPath,
        target: &[u8],
        metadata: Metadata,
    ) -> Result<(), GetError> {
        lock(&self.inner.allowance).take_entry(0)?;
        lock(&self.inner.symlinks).push((path.clone(), target.to_vec(), metadata));
        Ok(())
    }

    fn file(
        &mut self,
        path: &EntryPath,
        size: u64,
        metadata: Metadata,
    ) -> Result<OutputFile, GetError> {
        lock(&self.inner.allowance).take_entry(size)?;
        let file = OutputFile(Arc::new(FileState {
            path: path.clone(),
            size,
            metadata,
            remaining: AtomicU64::new(size),
            handle: Mutex::new(None),
            references: Mutex::new(Vec::new()),
        }));
        if size == 0 {
            self.finish_file(&file)?;
        }
        Ok(file)
    }

    fn data(&mut self, piece: Piece<'_, OutputFile>) -> Result<(), GetError> {
        let (file, bytes) = (piece.file, piece.bytes());
        let length = bytes.len() as u64;
        let handle = file.open(&self.inner.staging)?;
        handle
            .write_all_at(bytes, piece.offset)
            .map_err(|e| GetError::write(self.inner.staging.output(), e))?;
        drop(handle);
        let reference = frame_of(&piece).map(|frame| Reference {
            cid: *piece.block.cid(),
            offset: piece.offset,
            length,
            frame,
        });
        self.arrived(file, reference, length)
    }

    fn keep(&mut self, block: &Block) -> Result<(), GetError> {
        self.record(|batch| {
            batch.block(block.detached());
            Ok(())
        })
    }
}

/// How the store rebuilds a leaf from the file that holds its bytes; `None` for
/// the leaves of other software that it can't rebuild: they are in the file,
/// and can't be served.
fn frame_of(piece: &Piece<'_, OutputFile>) -> Option<Frame> {
    if piece.block.cid().codec() == codec::RAW {
        return Some(Frame::Raw);
    }
    let metadata = if piece.offset == 0 { piece.file.0.metadata } else { Metadata::default() };
    let frame = inline_frame(piece.range.len(), &metadata);
    let (prefix, rest) = piece.block.data().split_at(piece.range.start);
    let suffix = &rest[piece.range.len()..];
    (piece.is_leaf && frame.prefix == prefix && frame.suffix == suffix)
        .then_some(Frame::Inline(metadata))
}

fn modified(found: &std::fs::Metadata) -> Modified {
    Modified {
        seconds: found.mtime(),
        nanoseconds: u32::try_from(found.mtime_nsec()).unwrap_or_default(),
    }
}

/// The rights that this user takes from whatever is made in his name: a graph
/// of somebody else gives no more than that leaves.
fn umask() -> Mode {
    static MASK: OnceLock<Mode> = OnceLock::new();
    // It can be read only by setting it. What another thread makes in between is
    // private.
    *MASK.get_or_init(|| {
        let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        rustix::process::umask(mask);
        mask
    })
}

/// Sets what is known of a file or folder: permissions and modification time.
fn set_metadata(
    handle: impl rustix::fd::AsFd,
    metadata: &Metadata,
) -> Result<(), rustix::io::Errno> {
    if let Some(mode) = metadata.mode {
        let mode = Mode::from_raw_mode(mode & PERMITTED_MODE) - umask();
        rustix::fs::fchmod(&handle, mode)?;
    }
    match timestamps(metadata) {
        Some(times) => rustix::fs::futimens(&handle, &times),
        None => Ok(()),
    }
}

fn timestamps(metadata: &Metadata) -> Option<Timestamps> {
    let mtime = metadata.mtime?;
    Some(Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanoseconds.into() },
    })
}
