//! A home: the folder that holds one user's identities, store and running
//! node.
//!
//! ```text
//! HOME/.peerage-home         by which it is known, and left out of what is shared
//! HOME/identities/NAME.key   one identity each, readable by the owner alone
//! HOME/identities/in-use     the name of the one in use; `default` if absent
//! HOME/store/                blocks, and where shared files are
//! HOME/control.sock          the running node, if one runs
//! HOME/hub.toml              settings of a hub, if it is one and has some
//! HOME/hub-registry          what a hub's tracker keeps over a restart
//! ```

mod identities;
mod mark;

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::files;
use peerage_core::Advice;

pub use self::identities::{Identities, Identity, IdentityError, new_key, seal};
pub(crate) use self::mark::{Private, is_home};

/// A home folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

/// Why a home folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("the home folder {} cannot be used: {source}", path.display())]
pub struct HomeError {
    /// The folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Advice for HomeError {
    fn hint(&self) -> Option<&'static str> {
        Some("choose one that you can write to")
    }
}

impl Home {
    /// The home at `path`, made if it is not there, for the owner alone.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, or it is another user's, or others can
    /// write to it: they could put keys of theirs in it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, HomeError> {
        let path = path.into();
        match files::private_folder(&path).and_then(|()| refuse_shared(&path)) {
            Ok(()) => {
                // Without it a home is known by its keys.
                if let Err(error) = mark::set(&path) {
                    tracing::warn!(%error, "the home could not be marked as one");
                }
                Ok(Self { path })
            }
            Err(source) => Err(HomeError { path, source }),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// The identities.
    #[must_use]
    pub fn identities(&self) -> Identities {
        Identities::new(self.path.join("identities"))
    }
}

fn refuse_shared(path: &Path) -> io::Result<()> {
    let about = std::fs::metadata(path)?;
    let refused = |reason| Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    if !files::is_own(&about) {
        return refused("it is another user's");
    }
    if files::others_may(&about, 0o022) {
        return refused("others can write to it, which `chmod go-w` ends");
    }
    Ok(())
}
