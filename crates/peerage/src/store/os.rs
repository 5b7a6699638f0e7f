//! The few things that differ between systems: the bytes of paths, and
//! opening and reading files without being led astray.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{StoreError, record::Modified};

/// What the system says of an open file or a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) size: u64,
    pub(crate) modified: Modified,
    /// Permission bits (`0o7777`); 0 where the system has none.
    pub(crate) mode: u32,
    /// Whether a path still leads to the file.
    pub(crate) linked: bool,
    pub(crate) is_file: bool,
}

impl Stat {
    /// Whether the content is the same as far as size and time tell.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        self.size == other.size && self.modified == other.modified
    }
}

#[cfg(unix)]
mod system {
    use std::{
        ffi::OsString,
        os::unix::ffi::{OsStrExt as _, OsStringExt as _},
        os::unix::fs::MetadataExt as _,
    };

    use rustix::{
        buffer::spare_capacity,
        fs::{Mode, OFlags},
    };

    use super::*;

    /// A path as bytes, for the record.
    pub(crate) fn path_bytes(path: &Path) -> Result<&[u8], StoreError> {
        Ok(path.as_os_str().as_bytes())
    }

    /// The path with these bytes.
    pub(crate) fn path_from(bytes: Vec<u8>) -> Result<PathBuf, StoreError> {
        Ok(PathBuf::from(OsString::from_vec(bytes)))
    }

    /// Opens a regular file for reading. A symbolic link is refused, since
    /// what was recorded was a file; a pipe does not block.
    pub(crate) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
    }

    /// Whether [`open`] refused because the path leads to a symbolic link.
    pub(crate) fn is_symlink(error: &io::Error) -> bool {
        error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
    }

    /// What the system says of an open file.
    pub(crate) fn stat(file: &File) -> io::Result<Stat> {
        file.metadata().map(|metadata| stat_of(&metadata))
    }

    pub(crate) fn stat_of(metadata: &std::fs::Metadata) -> Stat {
        Stat {
            size: metadata.size(),
            modified: Modified {
                seconds: metadata.mtime(),
                nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or(0),
            },
            mode: metadata.mode() & 0o7777,
            linked: metadata.nlink() > 0,
            is_file: metadata.is_file(),
        }
    }

    /// Appends up to `len` bytes from `offset` on to `out`; fewer at the end
    /// of the file.
    pub(crate) fn read_at(
        file: &File,
        offset: u64,
        len: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let end = out.len() + len;
        out.reserve_exact(len);
        let mut position = offset;
        while out.len() < end {
            match rustix::io::pread(file, spare_capacity(out), position) {
                Ok(0) => break,
                Ok(read) => position += read as u64,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        out.truncate(end);
        Ok(())
    }
}

pub(crate) use system::*;
