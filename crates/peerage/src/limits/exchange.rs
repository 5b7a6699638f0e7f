//! Limits: getting blocks from peers.

use super::MAX_GATEWAY_TARGET_BYTES;

// --- the IPFS trustless gateway ---

/// The most header fields of a gateway's request or answer. Browsers send
/// twenty or so.
pub const MAX_GATEWAY_HEADERS: usize = 64;

/// The most bytes of a gateway request's line and header, or an answer's:
/// the longest target, and as much again for the fields.
pub const MAX_GATEWAY_HEADER_BYTES: usize = 2 * MAX_GATEWAY_TARGET_BYTES;

/// The longest text that is read of a gateway's refusal, in bytes.
pub const MAX_GATEWAY_SENTENCE_BYTES: usize = 4 * 1024;

/// How many characters of a gateway's refusal an error quotes: as many as fit a
/// message.
pub const MAX_GATEWAY_SHOWN_CHARACTERS: usize = 300;

/// How long a client waits for a gateway's next byte, in seconds: a peer that
/// died is noticed within this time, and its parts are asked of others.
pub const GATEWAY_STALL_SECONDS: u64 = 5;

/// How many gateway requests are answered at once. Each holds up to two blocks
/// in memory (one on its way, one read ahead), of at most 2 MiB.
pub const MAX_GATEWAY_REQUESTS: usize = 12;

/// How many of them may hold a block that is read ahead. With the ones on
/// their way, no more than 18 blocks are in memory: 20 MiB with blocks of
/// 1 MiB, 40 MiB with the largest.
pub const MAX_GATEWAY_READ_AHEAD: usize = 6;

/// How long a request waits for its turn, in milliseconds, before it is
/// answered with 'too many requests': less than clients wait for a byte.
pub const GATEWAY_TURN_MILLISECONDS: u64 = 4_000;

/// How long an answer that has its turn may not be read on, in milliseconds,
/// while others wait: then the turn is one of theirs, and it waits for another.
pub const GATEWAY_TURN_STALL_MILLISECONDS: u64 = 2_000;

/// How many streams and connections a gateway keeps open at once. An idle one
/// costs a task and a few kilobytes.
pub const MAX_GATEWAY_CONNECTIONS: usize = 256;

/// How many of them may belong to one peer: enough for a client that asks for
/// several parts at once, and too few to push the others out.
pub const MAX_GATEWAY_CONNECTIONS_PER_PEER: usize = 16;

/// How long a gateway waits for a request on an open stream, and for its
/// header's last byte, in seconds.
pub const GATEWAY_HEADER_SECONDS: u64 = 30;

/// How long a gateway waits for a client to take
/// [`GATEWAY_WRITE_STALL_BYTES`], in seconds.
pub const GATEWAY_WRITE_STALL_SECONDS: u64 = 30;

/// What a client must take within [`GATEWAY_WRITE_STALL_SECONDS`] to keep its
/// answer, in bytes: 2 KiB a second, what a modem of 1990 could.
pub const GATEWAY_WRITE_STALL_BYTES: usize = 64 * 1024;

// --- receiving a graph ---

/// How many providers a download asks at once; more are not better on one line.
pub const MAX_DOWNLOAD_PROVIDERS: usize = 8;

/// How many addresses of one provider a download keeps. Those of a link and of
/// the announcement of a machine with several interfaces fit; more are not
/// worth dialling.
pub const MAX_PROVIDER_ADDRESSES: usize = 32;

// --- bitswap ---

/// How many blocks that nobody asked for a peer may send before a bitswap
/// session gives it up: answers cross cancels, so a few are honest.
pub const MAX_BITSWAP_UNWANTED_BLOCKS: u32 = 64;

/// How many bitswap streams of other peers are read at the same time. Helia
/// opens one for every message, Kubo two or so for each peer.
pub const MAX_BITSWAP_STREAMS: usize = 256;

/// After how many seconds of silence a bitswap stream, or a peer's wants, make
/// room for another's when there is none.
pub const BITSWAP_SILENCE_SECONDS: u64 = 15;

/// How many peers a bitswap server answers at the same time. With the wants of
/// each they take 60 MB at worst; honest ones a hundredth of it.
pub const MAX_BITSWAP_SERVED_PEERS: usize = 128;

/// How many bytes of large messages (over 64 KiB) are being read from all
/// bitswap peers together: what many peers that send slowly can make us hold.
pub const BITSWAP_INCOMING_BYTES: usize = 32 * 1024 * 1024;

/// How many answers of 1 MiB or so wait to be written to all bitswap peers
/// together: what many peers that read slowly can make us hold.
pub const MAX_BITSWAP_REPLIES: usize = 24;

/// How many changes of the want-list may wait to be sent to one bitswap peer
/// before it is given up as one that does not read.
pub const MAX_BITSWAP_QUEUED_ENTRIES: usize = 16_384;

/// A block of up to this many bytes is sent at once to a peer that only asked
/// whether it is there, as Kubo and Helia do: the answer costs about the same.
pub const BITSWAP_SMALL_BLOCK_BYTES: u64 = 1024;

// --- downloads ---

/// How many names are tried for the folder that a download grows in. Another
/// user who knows the CID can take some; who takes all has reached that he must
/// be asked to stop, and no more.
pub const MAX_STAGING_NAMES: usize = 8;
/// How long a bitswap peer must have wanted nothing, in milliseconds, before
/// what it was sent is told: longer than a round trip, after which it asks for
/// what lies below the blocks it got, and short enough to be news.
pub const BITSWAP_QUIET_MILLISECONDS: u64 = 1_000;

/// After how many seconds what a bitswap peer was sent is told, though it still
/// wants more.
pub const BITSWAP_TOLD_SECONDS: u64 = 10;

// --- what is told of serving ---

/// How many events of serving wait for whoever listens before the oldest is
/// dropped.
pub const MAX_SERVING_EVENTS: usize = 256;

/// How many changed files are remembered as told about. When there are more,
/// the oldest may be told again early.
pub const MAX_FILES_TOLD: usize = 256;

/// How long nothing more is told about a changed file, in seconds: peers ask
/// for its blocks again and again, or for a thousand at once.
pub const FILE_TOLD_AGAIN_SECONDS: u64 = 10;
