//! The folder beside the output where a download grows until it is whole.
//!
//! It is named after the root's CID, so that a later try finds it, and it holds
//! the output under its final name. When everything has arrived the output is
//! renamed out of it and the folder goes: nothing is copied, nothing is left.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use peerage_core::{data::Cid, exchange::download::EntryPath};
use rustix::{
    fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags},
    io::Errno,
};

use super::error::GetError;
use crate::limits::MAX_STAGING_NAMES;

/// How many characters of the CID name the folder: enough to be unique on one
/// disk, and from the end, where CIDs differ.
const CID_CHARACTERS: usize = 20;

/// A download's folder while it grows. Only one process holds it at a time.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    /// Everything is opened below this, never by a path from the top, so that
    /// nothing outside can be reached whatever a graph says.
    handle: OwnedFd,
    name: Vec<u8>,
    output: PathBuf,
}

impl Staging {
    /// Opens or creates the folder for `root` in `directory`, for an output
    /// that will be called `name` there.
    ///
    /// # Errors
    ///
    /// When the output exists already, another process fetches the same, or
    /// the folder cannot be written.
    pub(crate) fn open(directory: &Path, name: &[u8], root: &Cid) -> Result<Self, GetError> {
        let output = directory.join(OsStr::from_bytes(name));
        if output.symlink_metadata().is_ok() {
            return Err(GetError::OutputExists { path: output });
        }
        std::fs::create_dir_all(directory).map_err(|e| GetError::write(directory, e))?;
        let (folder, handle) = own_folder(directory, root)?;
        fs::flock(&handle, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| GetError::AlreadyRunning { path: folder.clone() })?;
        let staging = Self { folder, handle, name: name.to_vec(), output };
        staging.adopt_other_name()?;
        Ok(staging)
    }

    /// An earlier try may have known the output under another name.
    fn adopt_other_name(&self) -> Result<(), GetError> {
        let entries = std::fs::read_dir(&self.folder).map_err(|e| self.failed(e))?;
        for entry in entries {
            let found = entry.map_err(|e| self.failed(e))?.file_name();
            if found.as_bytes() != self.name {
                fs::renameat(&self.handle, found, &self.handle, self.name.as_slice())
                    .map_err(|e| self.failed(e.into()))?;
            }
        }
        Ok(())
    }

    /// The folder that holds the output while it grows.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the output will be.
    pub(crate) fn output(&self) -> &Path {
        &self.output
    }

    /// A path of the graph, relative to the folder.
    pub(crate) fn relative(&self, path: &EntryPath) -> Vec<u8> {
        let mut relative = self.name.clone();
        if !path.is_root() {
            relative.push(b'/');
            relative.extend_from_slice(path.as_bytes());
        }
        relative
    }

    /// Opens a file for reading and writing, creating it where needed, and in
    /// the place of what others could change too.
    pub(crate) fn open_file(&self, path: &EntryPath) -> Result<File, GetError> {
        let flags = OFlags::CREATE | OFlags::RDWR;
        let file = match self.open_below(path, flags).and_then(|file| self.own(file)) {
            Err(Errno::PERM) => fs::unlinkat(&self.handle, self.relative(path), AtFlags::empty())
                .and_then(|()| self.open_below(path, flags | OFlags::EXCL)),
            opened => opened,
        };
        file.map(File::from).map_err(|e| self.failed_at(path, e))
    }

    /// Opens a file for reading if an earlier try left one.
    pub(crate) fn existing_file(&self, path: &EntryPath) -> Option<File> {
        self.open_below(path, OFlags::RDWR).and_then(|file| self.own(file)).ok().map(File::from)
    }

    /// A plain file of this folder's owner that has no other name: through
    /// another one it could be changed after it was verified.
    fn own(&self, file: OwnedFd) -> Result<OwnedFd, Errno> {
        let (folder, about) = (fs::fstat(&self.handle)?, fs::fstat(&file)?);
        let is_plain = FileType::from_raw_mode(about.st_mode) == FileType::RegularFile;
        let is_own = about.st_uid == folder.st_uid && about.st_nlink == 1;
        if is_plain && is_own { Ok(file) } else { Err(Errno::PERM) }
    }

    /// Creates a folder; one that is there already is kept.
    pub(crate) fn create_directory(&self, path: &EntryPath) -> Result<(), GetError> {
        match fs::mkdirat(&self.handle, self.relative(path), Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => self
                .open_below(path, OFlags::DIRECTORY)
                .map(drop)
                .map_err(|e| self.failed_at(path, e)),
            Err(e) => Err(self.failed_at(path, e)),
        }
    }

    /// Opens a folder, to set what is known of it.
    pub(crate) fn open_directory(&self, path: &EntryPath) -> Result<OwnedFd, GetError> {
        self.open_below(path, OFlags::DIRECTORY).map_err(|e| self.failed_at(path, e))
    }

    /// Makes a symbolic link, in the place of one that an earlier try left.
    pub(crate) fn create_symlink(&self, path: &EntryPath, target: &[u8]) -> Result<(), GetError> {
        let relative = self.relative(path);
        match fs::unlinkat(&self.handle, relative.as_slice(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(self.failed_at(path, e)),
        }
        fs::symlinkat(target, &self.handle, relative).map_err(|e| self.failed_at(path, e))
    }

    /// Sets a link's own modification time.
    pub(crate) fn touch_symlink(
        &self,
        path: &EntryPath,
        times: &fs::Timestamps,
    ) -> Result<(), GetError> {
        fs::utimensat(&self.handle, self.relative(path), times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| self.failed_at(path, e))
    }

    /// Gives the output its final name and removes the folder.
    ///
    /// # Errors
    ///
    /// When something with that name has appeared meanwhile: nothing is ever
    /// overwritten, and the folder stays for another try.
    pub(crate) fn finish(&self) -> Result<(), GetError> {
        let name = self.name.as_slice();
        match fs::renameat_with(&self.handle, name, fs::CWD, &self.output, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(GetError::OutputExists { path: self.output.clone() }),
            Err(e) => return Err(self.failed(e.into())),
        }
        // The output is in place; a folder that cannot be removed is no failure.
        let _ = std::fs::remove_dir(&self.folder);
        Ok(())
    }

    /// Removes the folder if nothing has arrived, so that a try that failed at
    /// once leaves nothing behind. Whether the folder is gone.
    pub(crate) fn discard_if_empty(&self) -> bool {
        std::fs::remove_dir(&self.folder).is_ok()
    }

    /// Removes the folder with all that has arrived.
    pub(crate) fn discard(&self) {
        // What cannot be removed is in a folder that says what it is.
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// How many bytes the disk still takes.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let stat = fs::fstatvfs(&self.handle).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn open_below(&self, path: &EntryPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        open_beneath(
            self.handle.as_fd(),
            &self.relative(path),
            flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        )
    }

    fn failed(&self, error: io::Error) -> GetError {
        GetError::write(&self.folder, error)
    }

    pub(crate) fn failed_at(&self, path: &EntryPath, error: Errno) -> GetError {
        let relative = self.relative(path);
        GetError::write(&self.folder.join(OsStr::from_bytes(&relative)), error.into())
    }
}

/// The folder of a root, made if it is not there. Who knows the CID can guess
/// its name, and make one first where many may write: a folder that others can
/// change is passed over, since they could change what has been verified.
fn own_folder(directory: &Path, root: &Cid) -> Result<(PathBuf, OwnedFd), GetError> {
    let text = root.to_string();
    let tail = &text[text.len().saturating_sub(CID_CHARACTERS)..];
    for number in 1..=MAX_STAGING_NAMES {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let folder = directory.join(format!(".peerage-{tail}{number}.partial"));
        let is_new = create_private(&folder)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match fs::open(&folder, flags, Mode::empty()) {
            // A new one is ours also where the disk knows no owners and modes.
            Ok(handle) if is_new || is_ours(&handle) => return Ok((folder, handle)),
            // Another user's, or none: a link, a file.
            Ok(_) | Err(Errno::ACCESS | Errno::LOOP | Errno::NOTDIR) => {}
            Err(error) => return Err(GetError::write(&folder, error.into())),
        }
    }
    let taken = io::Error::new(io::ErrorKind::AlreadyExists, "others hold the names for it");
    Err(GetError::write(directory, taken))
}

/// Makes a folder that only its owner can enter; whether it was not there.
fn create_private(folder: &Path) -> Result<bool, GetError> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(GetError::write(folder, e)),
    }
}

/// Whether a folder is ours, and others may not write to it.
fn is_ours(folder: &OwnedFd) -> bool {
    let own = rustix::process::geteuid().as_raw();
    fs::fstat(folder).is_ok_and(|about| about.st_uid == own && about.st_mode & 0o022 == 0)
}

/// Permissions of new files and folders before the umask; the folder around
/// them is private until the output is whole.
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);

/// Opens a path below a folder without ever following a symbolic link, so that
/// a graph that names both a link and a file behind it reaches nothing outside.
#[cfg(target_os = "linux")]
fn open_beneath(
    folder: rustix::fd::BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;
    let mode = if flags.contains(OFlags::CREATE) { NEW_FILE } else { Mode::empty() };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match fs::openat2(folder, path, flags, mode, resolve) {
        // Kernels before 5.6: links are made last, so plain NOFOLLOW is enough.
        Err(Errno::NOSYS) => fs::openat(folder, path, flags, mode),
        other => other,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(
    folder: rustix::fd::BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    // Symbolic links are made last, so plain NOFOLLOW is enough.
    fs::openat(folder, path, flags, NEW_FILE)
}
