//! How much of a graph is wanted.

use std::ops::Range;

/// How much of the graph below the end of a path is wanted: the trustless
/// gateway's `dag-scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DagScope {
    /// The one block where the path ends.
    Block,
    /// All of a file, or what is needed to list a folder.
    Entity,
    /// Everything below.
    #[default]
    All,
}

