//! Limits: helping others.

// --- relays and hubs ---

/// How many bytes a second one peer may send through a relay of roaming
/// connections: 400 Mbit/s, so that a relay is seldom the narrowest part of a
/// path, and one peer does not fill a gigabit line.
pub const RELAY_CLIENT_BYTES_PER_SECOND: u32 = 50_000_000;

/// How many peers a hub's relay of roaming connections holds at once, at some
/// 100 KB each.
pub const MAX_RELAY_CLIENTS: usize = 4096;

/// How many of them may come from one network (an IPv4 address, or the /56 of
/// an IPv6 one): an office, and 32 networks to fill the relay.
pub const MAX_RELAY_CLIENTS_PER_NETWORK: u32 = 128;

/// How many connections to the relay may be about to become clients.
pub const MAX_RELAY_HANDSHAKES: usize = 256;

/// How many of them may come from one network.
pub const MAX_RELAY_HANDSHAKES_PER_NETWORK: u32 = 32;

/// For how many seconds a connection to the relay may be about to: a few round
/// trips over the slowest line.
pub const RELAY_HANDSHAKE_SECONDS: u64 = 15;

/// How many connections hold a question to a hub's address discovery: peers
/// keep one each.
pub const MAX_ADDRESS_QUESTIONS: usize = 4096;

/// How many of them may come from one network.
pub const MAX_ADDRESS_QUESTIONS_PER_NETWORK: usize = 128;

/// For how many seconds a connection to the address discovery may be in its
/// handshake.
pub const ADDRESS_HANDSHAKE_SECONDS: u64 = 10;

// --- the hub ---

/// Among how many of the live peers, the newest, the answers of a hub's zone
/// are dealt out: records of 8 MB at the most, which are copied every few
/// seconds.
pub const MAX_ZONE_LIVE_PEERS: usize = 2048;

/// How many connections the page of metrics holds.
pub const MAX_METRICS_CONNECTIONS: usize = 16;

/// The most bytes of the line and header of a request for metrics: the least
/// that hyper takes.
pub const MAX_METRICS_HEADER_BYTES: usize = 8192;

/// For how many seconds a connection for metrics lives.
pub const METRICS_CONNECTION_SECONDS: u64 = 60;
