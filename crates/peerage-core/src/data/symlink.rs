//! Symbolic links as UnixFS nodes.

use bytes::Bytes;

use super::{
    Block, Profile, dag_pb,
    unixfs::{Kind, Metadata, Node},
};
use crate::advice::Advice;
use crate::limits::MAX_SYMLINK_BYTES;

/// Why a path cannot be the target of a symbolic link.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SymlinkError {
    /// An empty target.
    #[error("a symbolic link needs a target")]
    Empty,
    /// Longer than any system allows.
    #[error("a symbolic link's target of {0} bytes is over the limit of {MAX_SYMLINK_BYTES}")]
    TooLong(usize),
    /// A NUL byte, which no path can hold.
    #[error("a symbolic link's target has a NUL byte in it")]
    Nul,
}

impl Advice for SymlinkError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("give it one"),
            Self::TooLong(_) => Some("give it a shorter one"),
            Self::Nul => Some("give it another"),
        }
    }
}

/// Makes the block of a symbolic link to `target` (bytes of a path, as the
/// system has it).
///
/// # Errors
///
/// When no system could have such a link.
pub fn encode(
    target: &[u8],
    metadata: &Metadata,
    profile: &Profile,
) -> Result<Block, SymlinkError> {
    check_target(target)?;
    let mut node = Node::new(Kind::Symlink);
    node.data = Bytes::copy_from_slice(target);
    node.metadata = *metadata;
    let (data, _) = dag_pb::Writer::default().finish(&node.encode());
    Ok(profile.node(data))
}

/// What every target must keep to, ours and others'.
pub(super) fn check_target(target: &[u8]) -> Result<(), SymlinkError> {
    match target {
        [] => Err(SymlinkError::Empty),
        _ if target.len() > MAX_SYMLINK_BYTES => Err(SymlinkError::TooLong(target.len())),
        _ if target.contains(&0) => Err(SymlinkError::Nul),
        _ => Ok(()),
    }
}
