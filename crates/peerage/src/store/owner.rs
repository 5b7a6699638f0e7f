//! Owners: whose the blocks in a store are.

use std::path::{Path, PathBuf};

use peerage_core::data::Cid;

/// Names an owner of a store. Never used again for another owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub(super) u32);

impl OwnerId {
    /// Owns what format 1 kept without an owner; no other owner gets it.
    pub(super) const UNTIED: Self = Self(0);

    /// The owner's number, to name it in a file of one's own.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The owner with a number that [`OwnerId::number`] gave.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// Something for the sake of which the store has blocks: they go when the last
/// of their owners is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner's name in the store.
    pub id: OwnerId,
    /// What it is.
    pub kind: OwnerKind,
}

/// What an owner is, with what each kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerKind {
    /// Files of the user's, where they are.
    Files {
        /// The absolute path that the files' paths start from: the folder, or
        /// the file itself.
        base: PathBuf,
        /// What the user wants with them.
        purpose: Purpose,
        /// The file or folder; `None` until it is imported.
        root: Option<Cid>,
    },
    /// What is got from other peers.
    Download {
        /// The absolute path that the files' paths start from.
        base: PathBuf,
        /// How far it is.
        state: DownloadState,
        /// What is got.
        root: Cid,
    },
    /// A database, of blocks and values that are in no file.
    Database {
        /// Its name, for the one who uses it.
        name: String,
        /// Its newest state, once it has one.
        root: Option<Cid>,
    },
    /// A graph that is kept because somebody said so.
    Pin {
        /// What is kept, with what lies below it.
        root: Cid,
    },
}

/// What the user wants with files that the store refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// They are shared for as long as somebody says so.
    #[default]
    Shared,
    /// They are in the store for good.
    Added,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DownloadState {
    /// Something of it is missing, whether anybody is getting it now or not.
    Getting,
    /// All of it is here.
    Got,
}

impl OwnerKind {
    /// Files that are about to be imported from `base`.
    #[must_use]
    pub fn files(purpose: Purpose, base: &Path) -> Self {
        Self::Files { base: base.to_path_buf(), purpose, root: None }
    }

    /// A download of `root` that begins, into the folder `base`.
    #[must_use]
    pub fn download(root: Cid, base: &Path) -> Self {
        Self::Download { base: base.to_path_buf(), state: DownloadState::Getting, root }
    }

    /// A database that has no state yet.
    #[must_use]
    pub fn database(name: impl Into<String>) -> Self {
        Self::Database { name: name.into(), root: None }
    }

    /// What it is the owner of, once that is known.
    #[must_use]
    pub const fn root(&self) -> Option<Cid> {
        match self {
            Self::Files { root, .. } | Self::Database { root, .. } => *root,
            Self::Download { root, .. } | Self::Pin { root } => Some(*root),
        }
    }

    /// Where its files are, when it has files.
    #[must_use]
    pub fn base(&self) -> Option<&Path> {
        match self {
            Self::Files { base, .. } | Self::Download { base, .. } => Some(base),
            Self::Database { .. } | Self::Pin { .. } => None,
        }
    }

    pub(super) fn base_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Files { base, .. } | Self::Download { base, .. } => Some(base),
            Self::Database { .. } | Self::Pin { .. } => None,
        }
    }

    pub(super) const fn set_root(&mut self, new: Cid) {
        match self {
            Self::Files { root, .. } | Self::Database { root, .. } => *root = Some(new),
            Self::Download { root, .. } | Self::Pin { root } => *root = new,
        }
    }
}

impl Owner {
    /// What it is the owner of, once that is known.
    #[must_use]
    pub const fn root(&self) -> Option<Cid> {
        self.kind.root()
    }

    /// Where its files are, when it has files.
    #[must_use]
    pub fn base(&self) -> Option<&Path> {
        self.kind.base()
    }

    /// The root of what this user offers to others: files that are shared or
    /// added, once they are imported. Such a root is to be found by others
    /// whenever this peer runs.
    #[must_use]
    pub const fn offered(&self) -> Option<Cid> {
        match self.kind {
            OwnerKind::Files { root, .. } => root,
            _ => None,
        }
    }

    /// The root of a download that is not whole.
    #[must_use]
    pub const fn wanted(&self) -> Option<Cid> {
        match self.kind {
            OwnerKind::Download { root, state: DownloadState::Getting, .. } => Some(root),
            _ => None,
        }
    }

    /// Where a file of the owner is; `None` when it has no files.
    pub(super) fn path_of(&self, path: &Path) -> Option<PathBuf> {
        let base = self.base()?;
        // Joining an empty path would add a slash, which a file has not.
        Some(if path.as_os_str().is_empty() { base.to_path_buf() } else { base.join(path) })
    }
}
