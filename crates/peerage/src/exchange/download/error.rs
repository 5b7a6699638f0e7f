//! Why a download did not deliver.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use peerage_core::{
    Advice,
    data::Cid,
    exchange::download::{Excess, ExpandError, TooWide},
};

use crate::store::StoreError;

/// Why a download did not deliver. What has arrived is kept, unless the
/// message says otherwise, and the same call continues from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// Something with the output's name is there already.
    #[error("{} is there already", path.display())]
    OutputExists {
        /// The output.
        path: PathBuf,
    },
    /// Another process is fetching the same into the same folder.
    #[error("another get of the same content is running ({})", path.display())]
    AlreadyRunning {
        /// The folder that it holds.
        path: PathBuf,
    },
    /// The disk took no more.
    #[error("the disk is full at {}", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// The disk will not take it all.
    #[error("{needed} bytes are needed at {} and {free} are free", path.display())]
    NoRoom {
        /// Where the output should go.
        path: PathBuf,
        /// How many bytes are still to be written.
        needed: u64,
        /// How many bytes are free.
        free: u64,
    },
    /// The output could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No peer to ask is known.
    #[error("no peer is known that has {cid}")]
    NoProvider {
        /// What was asked for.
        cid: Cid,
    },
    /// None of the peers could be reached, or all were lost.
    #[error("no peer that has it could be reached within {} s ({reasons})", waited.as_secs())]
    Unreachable {
        /// How long it was tried since the last byte.
        waited: Duration,
        /// Each peer, with its reason.
        reasons: String,
    },
    /// Peers answered, and none has it.
    #[error("none of the peers that were asked has {cid} ({reasons})")]
    NotFound {
        /// What was asked for.
        cid: Cid,
        /// Each peer, with its reason.
        reasons: String,
    },
    /// Every peer sent bytes that do not hash to what was asked for.
    #[error("every peer sent wrong bytes ({reasons})")]
    WrongBytes {
        /// Each peer, with its reason.
        reasons: String,
    },
    /// The content itself cannot be written as files.
    #[error("the content cannot be received: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The content stands for more files or bytes than are allowed.
    #[error("the content is larger than it may be: {0}")]
    TooMuch(Excess),
    /// The caller stopped it.
    #[error("stopped")]
    Cancelled,
}

impl Advice for GetError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OutputExists { .. } => {
                Some("choose another folder with --output, or move it away")
            }
            Self::AlreadyRunning { .. } => Some("wait for it or stop it"),
            Self::DiskFull { .. } => Some("make room and run the same command again to continue"),
            Self::NoRoom { .. } => Some("make room, or choose another disk with --output"),
            Self::Write { .. } => Some("check the folder's permissions"),
            Self::Store(error) => error.hint(),
            Self::NoProvider { .. } => Some("use the whole link, or name a peer with --peer"),
            Self::Unreachable { .. } => {
                Some("run the same command again when the peer is online: what has arrived is kept")
            }
            Self::NotFound { .. } => {
                Some("ask whoever shared it, or name another peer with --peer")
            }
            Self::WrongBytes { .. } => {
                Some("ask whoever made the link for another peer: nothing wrong was kept")
            }
            Self::Malformed { .. } => Some("ask whoever made it to make it again"),
            Self::TooMuch(excess) => excess.hint(),
            Self::Cancelled => {
                Some("run the same command again to continue: what has arrived is kept")
            }
        }
    }
}

impl GetError {
    /// The error of a write to `path`.
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, source },
        }
    }
}

impl From<ExpandError<Self>> for GetError {
    fn from(error: ExpandError<Self>) -> Self {
        match error {
            ExpandError::Output(own) => own,
            malformed => Self::Malformed { reason: malformed.to_string() },
        }
    }
}

impl From<Excess> for GetError {
    fn from(excess: Excess) -> Self {
        Self::TooMuch(excess)
    }
}

impl From<TooWide> for GetError {
    fn from(error: TooWide) -> Self {
        Self::Malformed { reason: error.to_string() }
    }
}
