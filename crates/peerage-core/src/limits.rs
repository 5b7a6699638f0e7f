//! Every limit on what comes from outside, with its reason.
//!
//! One place, so that a reader can see at a glance what a hostile peer, file
//! or link can make us spend. `docs/limits.md` lists the same.

// --- data: blocks and graphs ---

/// The largest block that is accepted, in bytes: 2 MiB, as bitswap's
/// specification and Kubo have it, with room for the dag-pb frame around a
/// chunk of exactly 2 MiB.
pub const MAX_BLOCK_BYTES: usize = 2 * 1024 * 1024 + 1024;

// --- protocols: the IPFS trustless gateway ---

/// The longest path and query of a gateway request, in bytes. A path of the
/// deepest and longest names that file systems allow is 4 KiB, and percent
/// encoding triples it.
pub const MAX_GATEWAY_TARGET_BYTES: usize = 16 * 1024;

/// The most names in the path of a gateway request: deeper than any folder
/// that people keep, and each costs the server a block or a few to read.
pub const MAX_GATEWAY_PATH_NAMES: usize = 128;

/// The longest name in the path of a gateway request, in bytes, once decoded.
/// File systems stop at 255; other software's UnixFS folders may go further.
pub const MAX_GATEWAY_NAME_BYTES: usize = 1024;

/// The most alternatives that are read of an `Accept` header. Browsers send
/// ten or so.
pub const MAX_GATEWAY_ACCEPT_RANGES: usize = 32;

/// The longest `filename` that a gateway request may ask to see in the answer,
/// in bytes: what file systems allow.
pub const MAX_GATEWAY_FILENAME_BYTES: usize = 255;
