//! Limits: connections and streams.

// --- connections and streams ---

/// How many connections may be established that others opened: 128, far
/// above what a share among people needs, and small enough that every one of
/// them at its worst ([`MAX_STREAMS_PER_CONNECTION`] full windows) can be
/// borne by a desktop machine.
pub const MAX_INCOMING_CONNECTIONS: u32 = 128;

/// How many connections we open ourselves at the most.
pub const MAX_OUTGOING_CONNECTIONS: u32 = 128;

/// How many connections one peer may hold: both sides may dial several
/// addresses at once, and the spare connections close when they idle.
pub const MAX_CONNECTIONS_PER_PEER: u32 = 8;

/// How many connections may be in their handshake, each way; handshakes cost
/// the most CPU time that a stranger can make us spend.
pub const MAX_PENDING_CONNECTIONS: u32 = 64;

/// How many streams, each way, a connection carries at once: 128, because
/// bitswap peers open one for each message. One more is refused; the
/// connection stays.
pub const MAX_STREAMS_PER_CONNECTION: usize = 128;

/// How many streams opened by others a node serves at once, over all
/// connections: each may hold a window of 256 KiB that nobody has read yet.
pub const MAX_INCOMING_STREAMS: usize = 1024;

/// How many streams of one protocol wait to be accepted; more are refused.
pub const MAX_UNACCEPTED_STREAMS: usize = 64;

/// How many requests to open a stream wait for one connection.
pub const MAX_QUEUED_STREAM_REQUESTS: usize = 64;

/// How many streams of ping a connection carries at once, both ways.
pub const MAX_PING_STREAMS: usize = 16;

/// How many streams of one connection may be agreeing on their protocol.
pub const MAX_NEGOTIATING_STREAMS: usize = 64;

/// How many peers the address book knows; the one unused longest goes first.
pub const MAX_KNOWN_PEERS: usize = 1024;

/// How many peers are being dialled at once.
pub const MAX_CONNECT_ATTEMPTS: usize = 64;

/// How often one peer that is lost is dialled at once after the network changed:
/// a line that comes back may break again, and who hangs up each time must not
/// have us dial without end.
pub const MAX_REDIALS_AFTER_CHANGE: usize = 4;

/// How many callers wait for the same peer to be connected.
pub const MAX_CONNECT_WAITERS: usize = 256;

/// How many protocols of a peer are remembered.
pub const MAX_PROTOCOLS_PER_PEER: usize = 128;

/// How many bytes of a peer's agent string are kept.
pub const MAX_AGENT_BYTES: usize = 256;

/// How many bytes are kept of the reason why a connection failed; some hold text
/// of the other end.
pub const MAX_REASON_BYTES: usize = 256;

// --- relays and hubs ---

/// How many hubs a node keeps a connection with.
pub const MAX_HUBS: usize = 4;

/// How many of our own addresses are remembered with whom they were reached by.
pub const MAX_REACHABILITY_ADDRESSES: usize = 64;

/// How many peers may be reached through one relay at once; each costs a
/// connection, some 100 KB.
pub const MAX_RELAY_RESERVATIONS: usize = 1024;

/// How many of them may come from one IP address: a household or an office
/// behind one router.
pub const MAX_RELAY_RESERVATIONS_PER_IP: u32 = 64;

/// How many circuits a relay carries at once.
pub const MAX_RELAY_CIRCUITS: usize = 256;

/// How many of them one peer may hold.
pub const MAX_RELAY_CIRCUITS_PER_PEER: usize = 8;

/// How many bytes a circuit carries each way: an album of pictures between two
/// peers that no hole can be punched for.
pub const MAX_RELAY_CIRCUIT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How many seconds a circuit lives: four hours.
pub const MAX_RELAY_CIRCUIT_SECONDS: u64 = 4 * 60 * 60;

// --- the hub ---

/// How many connections a hub holds that others opened, at some 100 KB each
/// while little goes on. Plain nodes hold [`MAX_INCOMING_CONNECTIONS`].
pub const MAX_HUB_CONNECTIONS: u32 = 4096;

/// How many of them may come from one network (an IPv4 address, or the /56 of
/// an IPv6 one): as many as a registry has peers of it.
pub const MAX_HUB_CONNECTIONS_PER_NETWORK: u32 = 128;

/// How many connections of a hub may be in their handshake, each way: after an
/// outage all its peers come back at once.
pub const MAX_HUB_PENDING_CONNECTIONS: u32 = 256;
