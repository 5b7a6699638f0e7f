//! What can end a walk.

use bytes::Bytes;

use crate::{
    advice::Advice,
    data::{Cid, dag_cbor::DagCborError, view::DecodeError},
    limits::{MAX_DAG_DEPTH, MAX_WALK_BLOCKS, MAX_WALK_PENDING},
};

/// Why a walk cannot go on. It is over after any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// The path names something that is not there.
    #[error("{} is not in the folder", name.escape_ascii())]
    NotFound {
        /// The name that was looked for.
        name: Bytes,
    },
    /// The path goes on below something that is not a folder.
    #[error("{} is looked for in something that is not a folder", name.escape_ascii())]
    NotADirectory {
        /// The name that was looked for.
        name: Bytes,
    },
    /// A block that is not part of a file or folder that we take.
    #[error("{cid}: {source}")]
    Decode {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: Box<DecodeError>,
    },
    /// A dag-cbor block that cannot be read.
    #[error("{cid}: {source}")]
    Record {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: Box<DagCborError>,
    },
    /// A part of a file is something else than its parent says.
    #[error("{cid} is not the part of the file that it should be")]
    NotThePart {
        /// The block.
        cid: Cid,
    },
    /// A shard of a folder is something else than its parent says, or holds
    /// an entry that belongs elsewhere.
    #[error("{cid} is not the shard of the folder that it should be")]
    NotTheShard {
        /// The block.
        cid: Cid,
    },
    /// Deeper than [`MAX_DAG_DEPTH`].
    #[error("the graph is deeper than {MAX_DAG_DEPTH} blocks")]
    TooDeep,
    /// More links at once than [`MAX_WALK_PENDING`].
    #[error("the graph has over {MAX_WALK_PENDING} links on one path")]
    TooWide,
    /// More blocks than [`MAX_WALK_BLOCKS`].
    #[error("the graph has over {MAX_WALK_BLOCKS} blocks")]
    TooLong,
    /// A block was fed that was not waited for.
    #[error("the block {cid} is not the one that the walk waits for")]
    Unexpected {
        /// The block.
        cid: Cid,
    },
}

impl Advice for WalkError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } | Self::NotADirectory { .. } => Some("check the path"),
            Self::Decode { source, .. } => source.hint(),
            Self::Record { source, .. } => source.hint(),
            Self::NotThePart { .. } | Self::NotTheShard { .. } => {
                Some("ask whoever made it to make it again")
            }
            Self::TooDeep => Some("ask its author to flatten it"),
            Self::TooWide => Some("ask its author to split its folders"),
            Self::TooLong => Some("ask for parts of it"),
            Self::Unexpected { .. } => None,
        }
    }
}
