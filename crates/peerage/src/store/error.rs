//! What can go wrong with a store.

use std::path::PathBuf;

use peerage_core::Advice;

use super::OwnerId;
use crate::limits::{MAX_KEY_BYTES, MAX_OWNERS, MAX_VALUE_BYTES};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process (or another handle in this one) has the store open.
    #[error(
        "the store in {} is in use by another peerage",
        path.display()
    )]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// The file that holds the block is not as it was when it was recorded.
    #[error("{} has changed since it was shared", path.display())]
    FileChanged {
        /// The user's file.
        path: PathBuf,
    },
    /// The file that holds the block is not there any more.
    #[error("{} is missing", path.display())]
    FileMissing {
        /// The user's file.
        path: PathBuf,
    },
    /// The file that holds the block cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    FileUnreadable {
        /// The user's file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file's path does not stay inside its owner's folder, or cannot be recorded.
    #[error("the path {} cannot be recorded: it must be relative, without '..'", path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// An owner that is not in the store was named.
    #[error("the store has no owner {owner:?}: it was removed, or never added")]
    NoSuchOwner {
        /// The owner.
        owner: OwnerId,
    },
    /// Files were said to be where an owner without a folder has them.
    #[error("the store's owner {owner:?} has no folder")]
    NoFolder {
        /// The owner.
        owner: OwnerId,
    },
    /// The store has as many owners as it may.
    #[error("the store has {MAX_OWNERS} shares, downloads and databases, which is the most")]
    TooManyOwners,
    /// A name is longer than the store takes.
    #[error("a name of {bytes} bytes is too long: {most} are the most")]
    NameTooLong {
        /// The name's size.
        bytes: usize,
        /// The longest that is taken.
        most: usize,
    },
    /// A block was said to be in a file that was not recorded.
    #[error("the store's owner {owner:?} has no file {file}")]
    NoSuchFile {
        /// The owner.
        owner: OwnerId,
        /// The file's number.
        file: u32,
    },
    /// A newer version wrote the store. Its file was not touched.
    #[error("the store has format {found}, this version knows those up to {known}")]
    NewerFormat {
        /// The format number found.
        found: u64,
        /// The format number that this version writes.
        known: u64,
    },
    /// A key is longer than the store takes.
    #[error("a key of {bytes} bytes is too long: {MAX_KEY_BYTES} are the most")]
    KeyTooLong {
        /// The key's size.
        bytes: usize,
    },
    /// A value is longer than the store takes.
    #[error("a value of {bytes} bytes is too long: {MAX_VALUE_BYTES} are the most")]
    ValueTooLong {
        /// The value's size.
        bytes: usize,
    },
    /// A record in the store does not decode.
    #[error("the store's {table} table is damaged")]
    Damaged {
        /// The table in which the record was.
        table: &'static str,
    },
    /// The store's own folder or file cannot be used.
    #[error("cannot use the store in {}: {source}", path.display())]
    Folder {
        /// The store's folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("the store's database failed: {0}")]
    Database(#[from] Box<redb::Error>),
    /// The system gave no random bytes for the store's secret.
    #[error("the system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl Advice for StoreError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } => Some("stop that one, or use another home"),
            Self::FileChanged { .. } => Some("share it again"),
            Self::FileMissing { .. } => Some("put it back, or share the folder again"),
            Self::FileUnreadable { .. } => Some("check its permissions and its disk"),
            Self::BadPath { .. } | Self::NoSuchOwner { .. } | Self::NoFolder { .. } => None,
            Self::TooManyOwners => Some("remove what is not needed any more"),
            Self::KeyTooLong { .. } => Some("choose a shorter key"),
            Self::ValueTooLong { .. } => Some("split it, or keep it as blocks"),
            Self::NameTooLong { .. } => Some("choose a shorter name"),
            Self::NoSuchFile { .. } => Some("record the file first"),
            Self::NewerFormat { .. } => Some("use a newer peerage"),
            Self::Damaged { .. } => Some("remove the store and share again"),
            Self::Folder { .. } => Some("check the folder and its disk"),
            Self::Database(_) => Some("check the disk's free space and health"),
            Self::Random(_) => Some("try again"),
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),+) => {
        $(impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })+
    };
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::CursorError,
    redb::SetDurabilityError,
    redb::CompactionError
);

impl StoreError {
    /// The user's file that the error is about, when it is about one.
    #[must_use]
    pub fn file(&self) -> Option<&std::path::Path> {
        match self {
            Self::FileChanged { path }
            | Self::FileMissing { path }
            | Self::FileUnreadable { path, .. } => Some(path),
            _ => None,
        }
    }
}
