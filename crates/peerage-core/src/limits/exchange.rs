//! Limits: getting blocks from peers.

// --- the IPFS trustless gateway ---

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

// --- receiving a graph ---

/// How many bytes one request asks for at most, where the sizes are known:
/// 16 MiB. Large enough that requests cost nothing beside the bytes, small
/// enough that several providers share a file and a slow one holds little.
pub const DOWNLOAD_UNIT_BYTES: u64 = 16 * 1024 * 1024;

/// How many parts may wait to be fetched at once: some 200 bytes each, so that
/// a folder made to exhaust memory takes 50 MB at most. Real folders are cut
/// into shards of 256 entries and stay far below.
pub const DOWNLOAD_PENDING_ITEMS: usize = 250_000;

/// How many files, folders and links a download makes without being asked: ten
/// times the largest share that was tried. A folder that names itself again and
/// again stands for billions.
pub const DOWNLOAD_ENTRIES: u64 = 2_000_000;

/// How many files, folders and links of folders that came before a download
/// makes without being asked: what takes a second or two to make.
pub const DOWNLOAD_REPEATED_ENTRIES: u64 = 100_000;

/// How many times all that came once may come again besides: more than the
/// backups that people keep.
pub const DOWNLOAD_REPEATS: u64 = 30;

/// How many bytes a download makes without being asked, of content of which
/// nobody said how large it is: 256 GiB, more than most disks have free.
pub const DOWNLOAD_UNPROMISED_BYTES: u64 = 256 * 1024 * 1024 * 1024;

/// How many bytes content may have beyond twice what was said: 1 GiB, for what
/// millions of small files take beside their bytes.
pub const DOWNLOAD_PROMISED_MARGIN_BYTES: u64 = 1024 * 1024 * 1024;

/// How many links may lie between the root and a block: folders in folders,
/// their shards, and the nodes of a file. File systems stop at a few hundred.
pub const DOWNLOAD_GRAPH_DEPTH: u16 = 512;

/// The longest path below the output, in bytes: what Linux opens (`PATH_MAX`).
pub const DOWNLOAD_PATH_BYTES: usize = 4096;

// --- bitswap ---

/// The largest bitswap message that is read or written, in bytes, without its
/// length prefix: 4 MiB, as go-bitswap and js-bitswap have it.
pub const MAX_BITSWAP_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// How many entries (wants, blocks and presences together) one bitswap message
/// may carry. The shortest useful entry is about 40 bytes on the wire, and Kubo
/// cuts its want-lists at 512 KiB, so 32,768 is more than peers send; it keeps
/// the decoded form of a message of empty entries near 3 MiB.
pub const MAX_BITSWAP_MESSAGE_ENTRIES: usize = 32_768;

/// How many wants of one peer a bitswap server remembers. Kubo keeps 1,024;
/// twice that lets a peer ask for the whole of one wide node at a time.
pub const MAX_BITSWAP_WANTS_PER_PEER: usize = 2048;

/// How many wants one bitswap session holds, queued and asked together: two
/// layers of 1,024-link nodes.
pub const MAX_BITSWAP_SESSION_WANTS: usize = 4096;

/// How many peers one bitswap session asks at the same time.
pub const MAX_BITSWAP_SESSION_PEERS: usize = 64;

/// How many wants a bitswap session has with one peer, however small the blocks:
/// half of what Kubo and Helia remember of a peer (1,024), so that a second
/// session fits.
pub const MAX_BITSWAP_ASKED_PER_PEER: usize = 512;

/// Up to how many bytes of blocks a bitswap session has on their way from one
/// peer, or waiting to be taken out, before it asks for more: 16 MiB fills a
/// path of 1 Gbit/s with 100 ms of delay and stays small beside the memory
/// that a process may use.
pub const BITSWAP_WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// The size in bytes from which a bitswap server sends no more blocks in the
/// same message: large enough to make a message's cost small, small enough
/// that a message of one more block of 2 MiB stays under the message limit.
pub const BITSWAP_REPLY_BYTES: usize = 1024 * 1024;

/// How many wants a bitswap server answers in one message: 1,024 names take less
/// than 100 KiB, and a peer that asks for many small blocks hears soon.
pub const MAX_BITSWAP_ANSWERS_PER_MESSAGE: usize = 1024;
