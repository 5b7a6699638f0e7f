//! The first step of a share: from files to blocks in the store. It needs the
//! store alone, and waits for nobody.

use std::{path::PathBuf, sync::Arc};

use super::Session;
use crate::{
    import::{self, ImportError, ImportOptions, Imported},
    store::{OwnerId, Purpose, StoreError},
    sync::blocking,
};

impl Session {
    /// Adds files and folders for good, without copying them: the store refers
    /// to them where they are. Several paths become one folder. This peer is
    /// found under the result's CID from now on, whenever a session runs on this
    /// home, until it is [unshared](Self::unshare).
    ///
    /// `watch` is told about progress and can stop the work. The purpose in
    /// `options` is replaced.
    ///
    /// # Errors
    ///
    /// When something cannot be read; see [`ImportError`].
    pub async fn add(
        &self,
        paths: Vec<PathBuf>,
        options: ImportOptions,
        watch: Arc<dyn import::ImportProgress>,
    ) -> Result<Imported, ImportError> {
        self.import(paths, ImportOptions { purpose: Purpose::Added, ..options }, watch).await
    }

    /// Forgets something that was shared or added: it is served no more, and
    /// nobody finds this peer under its CID, unless something else in the store
    /// has the same. The files stay where they are.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn unshare(&self, owner: OwnerId) -> Result<(), StoreError> {
        let store = self.inner.store.clone();
        blocking(move || store.remove_owner(owner)).await
    }

    pub(super) async fn import(
        &self,
        paths: Vec<PathBuf>,
        mut options: ImportOptions,
        watch: Arc<dyn import::ImportProgress>,
    ) -> Result<Imported, ImportError> {
        options.homes.push(self.inner.home.clone());
        let store = self.inner.store.clone();
        blocking(move || import::import(&store, &paths, &options, watch.as_ref())).await
    }
}
