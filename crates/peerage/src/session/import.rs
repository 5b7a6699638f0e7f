//! The first step of a share: from files to blocks in the store.

use std::{path::PathBuf, sync::Arc};

use peerage_core::{discovery::Key, link::Link};

use super::{Session, ShareError, link::REACHED_WITHIN};
use crate::{
    import::{self, ImportOptions, Imported},
    store::{StoreError, TreeId},
};

/// Something that is shared.
#[derive(Clone, Debug)]
pub struct Share {
    /// What to hand over.
    pub link: Link,
    /// What was imported.
    pub imported: Imported,
}
impl Session {
    /// Shares files and folders without copying them: the store refers to them
    /// where they are. Several paths become one folder.
    ///
    /// `watch` is told about progress and can stop the work.
    ///
    /// # Errors
    ///
    /// When something cannot be read; see [`ShareError`].
    pub async fn share(
        &self,
        paths: Vec<PathBuf>,
        options: ImportOptions,
        watch: Arc<dyn import::ImportProgress>,
    ) -> Result<Share, ShareError> {
        let store = self.inner.store.clone();
        let importing = tokio::task::spawn_blocking(move || {
            import::import(&store, &paths, &options, watch.as_ref())
        });
        let imported =
            importing.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        self.inner.node.until_reached(REACHED_WITHIN).await;
        let link = self.link(imported.root, &imported.name, imported.total_bytes)?;
        self.be_found_under(Key::Content(imported.root));
        Ok(Share { link, imported })
    }

    /// Forgets something that was shared. The files stay where they are.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn unshare(&self, tree: TreeId) -> Result<(), StoreError> {
        let store = self.inner.store.clone();
        let removing = tokio::task::spawn_blocking(move || store.remove_tree(tree));
        removing.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
    }
}
