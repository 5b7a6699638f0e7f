//! Small files that are whole or not there, and nobody else's business.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

/// How long to wait for another process that changes the same folder; each
/// change takes milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// Marks a file that is being written.
const DRAFT: &str = "draft-";

/// Makes a folder, and those above it, that only the owner can enter. One
/// that is there is left as it is.
///
/// # Errors
///
/// When it cannot be made, or is something else than a folder.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether a file or folder is this process's user's.
pub(crate) fn is_own(about: &Metadata) -> bool {
    about.uid() == rustix::process::geteuid().as_raw()
}

/// Whether others than the owner have one of these rights (of `0o077`).
pub(crate) fn others_may(about: &Metadata, rights: u32) -> bool {
    about.mode() & 0o077 & rights != 0
}

/// Reads a file of at most `limit` bytes, and what the system says of the very
/// file that was read. The bytes are wiped when dropped.
///
/// # Errors
///
/// `InvalidData` when it is larger or no plain file, and whatever the system
/// says.
pub(crate) fn read(path: &Path, limit: usize) -> io::Result<(Zeroizing<Vec<u8>>, Metadata)> {
    // Without this flag, a pipe in the file's place would have us wait.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no plain file"));
    }
    // Of one size from the start, so that no outgrown copy stays in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is far too large"));
    }
    Ok((bytes, about))
}

/// Locks a folder against other processes that change it, until the file is
/// dropped, and clears what a crash left half written there.
///
/// # Errors
///
/// `WouldBlock` when another process keeps it locked for seconds, and whatever
/// the system says.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(folder.join(".lock"))?;
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                std::thread::sleep(LOCK_INTERVAL);
            }
            Err(error) => return Err(error.into()),
        }
    }
    clear_drafts(folder)?;
    Ok(file)
}

/// Whoever holds the lock is the only writer, so every draft is a dead one's.
fn clear_drafts(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| extension.starts_with(DRAFT)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Removes a file for good.
///
/// # Errors
///
/// Whatever the system says.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_folder(path)
}

/// Puts a file in place that was not there.
///
/// # Errors
///
/// `AlreadyExists` when it was, and whatever the system says.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::write(path, bytes)?;
    fs::hard_link(&draft.path, path)?;
    drop(draft);
    sync_folder(path)
}

/// Puts a file in place, in place of what was there.
///
/// # Errors
///
/// Whatever the system says; then what was there is untouched.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::write(path, bytes)?;
    fs::rename(&draft.path, path)?;
    sync_folder(path)
}

/// A file beside its place, with all its bytes on the disk; removed when
/// dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(place: &Path, bytes: &[u8]) -> io::Result<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let draft =
            Self { path: place.with_extension(format!("{DRAFT}{}-{number}", std::process::id())) };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename it is gone already.
        drop(fs::remove_file(&self.path));
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
