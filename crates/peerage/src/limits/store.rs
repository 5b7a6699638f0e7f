//! Limits: where blocks are kept.

/// How many files a block is recorded in; the oldest one gives way.
pub const MAX_BLOCK_REFERENCES: usize = 4;

/// How many shares, downloads, databases and pins a store has at most. All are
/// in memory, some 200 bytes each, and a block that all of them own (that of an
/// empty folder, say) names each.
pub const MAX_OWNERS: usize = 65_536;

/// The longest name of a database, in bytes.
pub const MAX_OWNER_NAME_BYTES: usize = 255;

/// How many of the user's files the store keeps open: enough for many readers at
/// once, and far below the usual limit of 1024 descriptors a process.
pub const MAX_OPEN_FILES: usize = 48;

/// How many changed files the store remembers for whoever asks.
pub const MAX_CHANGED_FILES: usize = 256;

/// After so many writes in a row that were not made durable, the next one is:
/// the database cannot use freed pages again before.
pub const MAX_WRITES_UNSYNCED: u32 = 64;
