//! Limits: where blocks are kept.

/// How many files a block is recorded in; the oldest one gives way.
pub const MAX_BLOCK_REFERENCES: usize = 4;

/// How many trees own a kept block. With more it stays for good: its list of
/// owners must not grow with the number of shares.
pub const MAX_BLOCK_OWNERS: usize = 64;

/// How many of the user's files the store keeps open: enough for many readers at
/// once, and far below the usual limit of 1024 descriptors a process.
pub const MAX_OPEN_FILES: usize = 48;

/// How many changed files the store remembers for whoever asks.
pub const MAX_CHANGED_FILES: usize = 256;

/// After so many writes in a row that were not made durable, the next one is:
/// the database cannot use freed pages again before.
pub const MAX_WRITES_UNSYNCED: u32 = 64;
