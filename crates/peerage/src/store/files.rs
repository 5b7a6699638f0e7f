//! Reading blocks from the user's files, with a few files kept open.

use std::{collections::VecDeque, fs::File, io, path::PathBuf, sync::Arc};

use super::{OwnerId, StoreError, os, record::StoredFile};
use crate::limits::{MAX_CHANGED_FILES, MAX_OPEN_FILES};

/// A file's owner and its number there.
pub(super) type FileKey = (OwnerId, u32);

/// A user's file, open, with what was recorded of it.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) stored: StoredFile,
}

/// What became of reading a range of a file.
#[derive(Debug)]
pub(super) enum ReadRange {
    Done,
    /// The path leads to another file now, or to none: open it again.
    Unlinked,
}

impl OpenFile {
    pub(super) fn open(path: PathBuf, stored: StoredFile) -> Result<Self, StoreError> {
        match os::open(&path) {
            Ok(file) => Ok(Self { file, path, stored }),
            Err(error) => Err(failure(path, error)),
        }
    }

    /// Appends the range to `out`. The file is examined after the reading, so
    /// what is returned was there while the file was still as recorded.
    pub(super) fn read(
        &self,
        offset: u64,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Result<ReadRange, StoreError> {
        let end = out.len() + len;
        let unreadable = |error| failure(self.path.clone(), error);
        os::read_at(&self.file, offset, len, out).map_err(unreadable)?;
        let stat = os::stat(&self.file).map_err(unreadable)?;
        if !stat.linked {
            return Ok(ReadRange::Unlinked);
        }
        let record = &self.stored.record;
        let as_recorded = record
            .modified
            .is_none_or(|modified| modified == stat.modified && record.size == stat.size);
        if stat.is_file && as_recorded && out.len() == end {
            Ok(ReadRange::Done)
        } else {
            Err(StoreError::FileChanged { path: self.path.clone() })
        }
    }
}

fn failure(path: PathBuf, source: io::Error) -> StoreError {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StoreError::FileMissing { path },
        io::ErrorKind::IsADirectory => StoreError::FileChanged { path },
        _ if os::is_symlink(&source) => StoreError::FileChanged { path },
        _ => StoreError::FileUnreadable { path, source },
    }
}

/// The files last used, most recent last.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    files: Vec<(FileKey, Arc<OpenFile>)>,
    /// Counts the times that records changed, so that nobody puts back a file
    /// with a record read before the change.
    generation: u64,
}

impl OpenFiles {
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn get(&mut self, key: FileKey) -> Option<Arc<OpenFile>> {
        let index = self.files.iter().rposition(|(known, _)| *known == key)?;
        let found = self.files.remove(index);
        let file = Arc::clone(&found.1);
        self.files.push(found);
        Some(file)
    }

    /// Keeps `file`, unless records changed since `generation`.
    pub(super) fn insert(&mut self, key: FileKey, file: Arc<OpenFile>, generation: u64) {
        if generation != self.generation {
            return;
        }
        self.forget(|known| known == key);
        if self.files.len() >= MAX_OPEN_FILES {
            self.files.remove(0);
        }
        self.files.push((key, file));
    }

    /// Closes the files that `which` chooses.
    pub(super) fn forget(&mut self, which: impl Fn(FileKey) -> bool) {
        self.files.retain(|(key, _)| !which(*key));
    }

    /// Closes the files that `which` chooses, because their records changed.
    pub(super) fn invalidate(&mut self, which: impl Fn(FileKey) -> bool) {
        self.generation += 1;
        self.forget(which);
    }
}

/// A user's file that was found changed, missing or unreadable when a block
/// in it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// The owner in which the file is recorded.
    pub owner: OwnerId,
    /// The file.
    pub path: PathBuf,
    /// What was found, as a sentence.
    pub reason: String,
}

/// The last changed files, each once.
#[derive(Debug, Default)]
pub(super) struct ChangedFiles(VecDeque<ChangedFile>);

impl ChangedFiles {
    pub(super) fn note(&mut self, owner: OwnerId, error: &StoreError) {
        let Some(path) = error.file() else { return };
        if self.0.iter().any(|known| known.owner == owner && known.path == path) {
            return;
        }
        if self.0.len() >= MAX_CHANGED_FILES {
            self.0.pop_front();
        }
        let reason = error.to_string();
        self.0.push_back(ChangedFile { owner, path: path.to_path_buf(), reason });
    }

    pub(super) fn forget_owner(&mut self, owner: OwnerId) {
        self.0.retain(|known| known.owner != owner);
    }

    pub(super) fn list(&self) -> Vec<ChangedFile> {
        self.0.iter().cloned().collect()
    }
}
