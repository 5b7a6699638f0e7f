//! Limits: files that become blocks.

/// How many folders deep an import goes: well below what a download follows
/// ([`DOWNLOAD_GRAPH_DEPTH`](super::DOWNLOAD_GRAPH_DEPTH), which also counts shards and the nodes of files).
pub const MAX_IMPORT_DEPTH: usize = 240;

/// How often a file that changes while it is imported is read.
pub const MAX_IMPORT_ATTEMPTS: u32 = 4;
