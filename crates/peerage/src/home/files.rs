//! Small files that are whole or not there, and nobody else's business.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Makes a folder, and those above it, that only the owner can enter. One
/// that is there is left as it is.
///
/// # Errors
///
/// When it cannot be made, or is something else than a folder.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Puts a file in place that was not there.
///
/// # Errors
///
/// `AlreadyExists` when it was, and whatever the system says.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
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
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
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
            Self { path: place.with_extension(format!("draft-{}-{number}", std::process::id())) };
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
