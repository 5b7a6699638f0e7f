//! Where the blocks that are given to peers come from.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use peerage_core::{Advice, data::Cid};

use crate::{
    access::{GuardedStore, Requester},
    store::StoreError,
};

/// Something that holds blocks, and gives each requester those that are for it.
/// Its methods may wait for a disk: they are called on threads that may.
pub trait BlockSource: Send + Sync + 'static {
    /// The block's bytes; `None` when it is not here, or not for `requester`.
    ///
    /// # Errors
    ///
    /// When the block should be here and cannot be read. Never for one that is
    /// not for `requester`, who would learn of it.
    fn get(&self, requester: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError>;

    /// The block's size in bytes; `None` when it is not here, or not for
    /// `requester`.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    fn size(&self, requester: &Requester, cid: &Cid) -> Result<Option<u64>, SourceError> {
        Ok(self.get(requester, cid)?.map(|block| block.len() as u64))
    }

    /// Whether something begins at this block: it is the root of what somebody
    /// shared. For telling apart what a requester gets by a protocol that names
    /// no roots; without an answer all of it counts as one.
    fn begins(&self, cid: &Cid) -> bool {
        let _ = cid;
        false
    }
}

impl<S: BlockSource + ?Sized> BlockSource for Arc<S> {
    fn get(&self, requester: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        (**self).get(requester, cid)
    }

    fn size(&self, requester: &Requester, cid: &Cid) -> Result<Option<u64>, SourceError> {
        (**self).size(requester, cid)
    }

    fn begins(&self, cid: &Cid) -> bool {
        (**self).begins(cid)
    }
}

impl BlockSource for GuardedStore {
    fn get(&self, requester: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        self.get(requester, cid).map_err(SourceError::from)
    }

    fn size(&self, requester: &Requester, cid: &Cid) -> Result<Option<u64>, SourceError> {
        self.size(requester, cid).map_err(SourceError::from)
    }

    fn begins(&self, cid: &Cid) -> bool {
        self.store().is_root(cid)
    }
}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        let file = error.file().map(Path::to_path_buf);
        Self { file, hint: error.hint(), source: error.into() }
    }
}

/// Why a block that should be here cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct SourceError {
    file: Option<PathBuf>,
    source: Box<dyn Error + Send + Sync>,
    hint: Option<&'static str>,
}

impl Advice for SourceError {
    fn hint(&self) -> Option<&'static str> {
        self.hint
    }
}

impl SourceError {
    /// A failure of the store itself.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { file: None, source: source.into(), hint: None }
    }

    /// A user's file that has changed or is missing or unreadable.
    pub fn of_file(
        file: impl Into<PathBuf>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { file: Some(file.into()), source: source.into(), hint: None }
    }

    /// The user's file that the failure is about, if it is about one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}
