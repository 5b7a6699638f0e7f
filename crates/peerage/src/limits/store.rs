//! Limits: where blocks are kept.

/// How many files a block is recorded in; the oldest one gives way.
pub const MAX_BLOCK_REFERENCES: usize = 4;

/// How many shares, downloads, databases and pins a store has at most. All are
/// in memory, some 200 bytes each, and a block that all of them own (that of an
/// empty folder, say) names each.
pub const MAX_OWNERS: usize = 65_536;

/// The longest name of a database, in bytes.
pub const MAX_OWNER_NAME_BYTES: usize = 255;

/// The longest name of a space of keys and values, in bytes.
pub const MAX_SPACE_BYTES: usize = 64;

/// The longest key, in bytes: long enough for a few CIDs.
pub const MAX_KEY_BYTES: usize = 1024;

/// The longest value, in bytes; what is larger is better a block.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// How many keys a page of them has at most.
pub const MAX_VALUES_PAGE: usize = 1024;

/// How many bytes of keys and values a page has at most.
pub const MAX_VALUES_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// How many of the user's files the store keeps open: enough for many readers at
/// once, and far below the usual limit of 1024 descriptors a process.
pub const MAX_OPEN_FILES: usize = 48;

/// How many changed files the store remembers for whoever asks.
pub const MAX_CHANGED_FILES: usize = 256;

/// After so many writes in a row that were not made durable, the next one is:
/// the database cannot use freed pages again before.
pub const MAX_WRITES_UNSYNCED: u32 = 64;
