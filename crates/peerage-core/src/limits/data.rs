//! Limits: blocks, graphs and the files that they are kept in.

// --- blocks and graphs ---

/// The largest block that is accepted, in bytes: 2 MiB, as bitswap's
/// specification and Kubo have it, with room for the dag-pb frame around a
/// chunk of exactly 2 MiB.
pub const MAX_BLOCK_BYTES: usize = 2 * 1024 * 1024 + 1024;

// --- nodes, records, CARs and walks ---

/// The most links one dag-pb node may have: what fits in the largest block
/// when every link has a SHA-256 CID and a short name, rounded up. Bounds what
/// decoding a block can allocate.
pub const MAX_NODE_LINKS: usize = 65_536;

/// The longest name of a folder's entry, in bytes: what Linux, macOS and
/// Windows file systems allow at most (`NAME_MAX`).
pub const MAX_NAME_BYTES: usize = 255;

/// The longest target of a symbolic link, in bytes: Linux's `PATH_MAX`.
pub const MAX_SYMLINK_BYTES: usize = 4096;

/// The largest fan-out of a sharded folder that is read: the UnixFS
/// specification's and Kubo's.
pub const MAX_HAMT_FANOUT: usize = 1024;

/// The deepest nesting of a dag-cbor record: far more than any record of ours
/// or OrbitDB's has, far less than a thread's stack takes.
pub const MAX_CBOR_DEPTH: usize = 64;

/// The most values in a dag-cbor record. A decoded value takes about a hundred
/// bytes, so a block of one-byte values would otherwise grow a hundredfold;
/// this bounds a record to some 13 MB.
pub const MAX_CBOR_ITEMS: usize = 131_072;

/// The largest header of a CAR, in bytes: some 1,500 roots, where one is usual.
pub const MAX_CAR_HEADER_BYTES: usize = 64 * 1024;

/// The largest section of a CAR, in bytes: the largest block and its CID.
pub const MAX_CAR_SECTION_BYTES: usize = MAX_BLOCK_BYTES + 128;

/// The deepest graph that is walked, in blocks below its root. Folders as deep
/// as the longest path of 4096 bytes have names of 16 bytes on average.
pub const MAX_DAG_DEPTH: u32 = 256;

/// The most links that a walk holds for later: those of the blocks between
/// the root and where it is. A folder of one block holds about 5,000, so this
/// is enough for any path; it bounds a walk to some 16 MB.
pub const MAX_WALK_PENDING: usize = 131_072;

/// The most blocks that a walk without duplicates remembers, at up to 40 bytes
/// each. Beyond, a block that occurs again may be sent again.
pub const MAX_WALK_SEEN: usize = 262_144;

/// The most blocks of one walk: 64 TiB of the usual chunks. Ends walks of
/// graphs that repeat themselves exponentially.
pub const MAX_WALK_BLOCKS: u64 = 1 << 26;
