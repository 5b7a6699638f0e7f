//! Every limit on what comes from outside, with its reason.
//!
//! One place, so that a reader can see at a glance what a hostile peer, file
//! or link can make us spend. `docs/limits.md` lists the same.

// --- data: blocks and graphs ---

/// The largest block that is accepted, in bytes: 2 MiB, as bitswap's
/// specification and Kubo have it, with room for the dag-pb frame around a
/// chunk of exactly 2 MiB.
pub const MAX_BLOCK_BYTES: usize = 2 * 1024 * 1024 + 1024;
