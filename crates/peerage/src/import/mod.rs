//! Import: files and folders become blocks, without being copied.
//!
//! The calling thread walks the folders, hands files out to one hashing thread
//! for each core, and puts the results together in order. What is in a file is
//! recorded as a reference to it; folders, the inner nodes of large files, and
//! symbolic links are kept. Large files are hashed in pieces by all threads,
//! small ones in groups. What is held in memory does not grow with the size of
//! the files, only with the number of names in the folders that are open.

mod assemble;
mod hashing;
mod private;
mod walk;

use std::path::PathBuf;

use crate::limits::MAX_IMPORT_DEPTH;
use peerage_core::Advice;
use peerage_core::data::{Cid, Profile, directory::DirectoryError, symlink::SymlinkError};

use crate::store::{OwnerId, OwnerKind, Purpose, Store, StoreError};

/// How to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOptions {
    /// What decides the CIDs.
    pub profile: Profile,
    /// Whether to keep permission bits and modification times. Without them
    /// the CIDs are those of `ipfs add`.
    pub metadata: bool,
    /// Whether to import files and folders whose names start with a dot.
    pub hidden: bool,
    /// What the user wants with the files, for the store to remember.
    pub purpose: Purpose,
    /// Homes that are left out besides those that are met: files of theirs may
    /// be hard-linked or mounted elsewhere.
    pub homes: Vec<PathBuf>,
}

impl Default for ImportOptions {
    /// The default profile, with metadata and hidden files, to be shared.
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            metadata: true,
            hidden: true,
            purpose: Purpose::default(),
            homes: Vec::new(),
        }
    }
}

/// What was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The file or folder.
    pub root: Cid,
    /// Its name: the path's last part, or `shared` for several paths. Bytes,
    /// because a file's name need not be text.
    pub name: Vec<u8>,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// How many files are in it.
    pub files: u64,
    /// The size in bytes of all files.
    pub total_bytes: u64,
    /// The size in bytes of all blocks.
    pub dag_size: u64,
    /// What owns it in the store.
    pub owner: OwnerId,
}

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportWarning {
    /// A socket, pipe or device.
    #[error("{} is not a file, folder or symbolic link, and was left out", path.display())]
    Special {
        /// What was left out.
        path: PathBuf,
    },
    /// A home of Peerage, or something of one: it holds secret keys.
    #[error("{} is of a home of Peerage, which holds secret keys, and was left out", path.display())]
    Home {
        /// What was left out.
        path: PathBuf,
    },
    /// A file that was removed before it could be read.
    #[error("{} was removed during the import, and was left out", path.display())]
    Vanished {
        /// What was left out.
        path: PathBuf,
    },
}

/// Follows an import, and can stop it. All methods are called from the thread
/// that called [`import`], and should return at once.
pub trait ImportProgress: Send + Sync {
    /// A file of so many bytes was found.
    fn found(&self, bytes: u64) {
        let _ = bytes;
    }

    /// So many more bytes have been read and hashed.
    fn hashed(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Something was left out.
    fn warning(&self, warning: &ImportWarning) {
        tracing::warn!("{warning}");
    }

    /// Whether to stop. Asked after every mebibyte or so.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody follows.
impl ImportProgress for () {}

/// Why an import failed. Nothing of it stays in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// No path was given.
    #[error("there is nothing to import")]
    Nothing,
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file changed whenever it was read.
    #[error("{} keeps changing while it is read", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// The path that was named is a socket, pipe or device.
    #[error("{} is not a file or a folder", path.display())]
    NotImportable {
        /// What was named.
        path: PathBuf,
    },
    /// The path that was named is a home of Peerage, or in one.
    #[error("{} is of a home of Peerage, which holds secret keys", path.display())]
    Home {
        /// What was named.
        path: PathBuf,
    },
    /// Folders in folders, too many.
    #[error("{} is more than {MAX_IMPORT_DEPTH} folders deep", path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
    },
    /// More files than can be numbered.
    #[error("more than {} files", u32::MAX)]
    TooManyFiles,
    /// A folder's names cannot be put in a folder of ours.
    #[error("{}: {source}", path.display())]
    Directory {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: DirectoryError,
    },
    /// A symbolic link cannot be kept.
    #[error("{}: {source}", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
        /// What is wrong.
        source: SymlinkError,
    },
    /// It was stopped.
    #[error("the import was stopped")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for ImportError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::NotImportable { .. } => Some("name a file or a folder"),
            Self::Unreadable { .. } => Some("check its permissions, or leave it out"),
            Self::Changing { .. } => Some("try again when it is at rest"),
            Self::TooDeep { .. } => Some("share a folder in it"),
            Self::Home { .. } => Some("name a file or a folder outside of it"),
            Self::TooManyFiles => Some("share the folders in it one by one"),
            Self::Directory { source, .. } => source.hint(),
            Self::Symlink { source, .. } => source.hint(),
            Self::Cancelled => None,
            Self::Store(error) => error.hint(),
        }
    }
}

/// Imports files and folders into `store`, by reference. Several paths are put
/// into one folder; a single file gives the file's own CID.
///
/// A home of Peerage in a folder is left out with a warning, by whatever path
/// its files are met; one that is named is refused.
///
/// Symbolic links in folders are kept as such; empty folders too. Sockets,
/// pipes and devices are left out with a warning. Blocks until it is done: for
/// a gibibyte about the time that hashing it on all cores takes.
///
/// ```
/// use peerage::{import::{ImportOptions, import}, store::Store};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("hello.txt"), "hello")?;
/// let store = Store::memory()?;
/// let options = ImportOptions { metadata: false, ..ImportOptions::default() };
/// let imported = import(&store, &[folder.path().to_path_buf()], &options, &())?;
/// assert!(imported.is_dir && store.has(&imported.root)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// See [`ImportError`]. What was recorded until then is removed again.
pub fn import(
    store: &Store,
    paths: &[PathBuf],
    options: &ImportOptions,
    progress: &dyn ImportProgress,
) -> Result<Imported, ImportError> {
    let start = walk::start(paths)?;
    let private = private::find(&start, options)?;
    let owner = store.add_owner(OwnerKind::files(options.purpose, &start.base))?;
    let done = assemble::run(store, owner, &start, options, private, progress);
    if done.is_err() {
        // The failure is what matters to the caller; what cannot be removed
        // now is found by nobody, since no link leads there.
        if let Err(error) = store.remove_owner(owner) {
            tracing::warn!(%error, "a failed import could not be removed from the store");
        }
    }
    done
}
