//! Limits: networks that peers form.

// --- connections and streams ---

/// How many connections a node opens that takes part in Kademlia, unless it is
/// set to more: a look-up leaves some twenty of them, for as long as they idle,
/// and friends must find room beside them. With those of others, they stay
/// within the 1,024 files that a process may usually open.
pub const MAX_KADEMLIA_OUTGOING_CONNECTIONS: u32 = 512;

// --- Kademlia ---

/// The longest key of a record in Kademlia, in bytes: what Kubo takes of
/// provider records, and more than the key of any peer's record.
pub const MAX_KADEMLIA_KEY_BYTES: usize = 80;

/// The largest message of Kademlia, in bytes: the specification's and Kubo's
/// default; a peer's record fits four times.
pub const MAX_KADEMLIA_MESSAGE_BYTES: usize = 16 * 1024;

/// How many records of other peers a node keeps for Kademlia: 16 MiB of the
/// largest. Twenty nodes keep each record, so this is enough while one peer in
/// two hundred can be reached and keeps some.
pub const MAX_KADEMLIA_RECORDS: usize = 4096;

/// How many of them may have come from one peer, which may pass on those of
/// others: a quarter, so that no single one fills the store.
pub const MAX_KADEMLIA_RECORDS_PER_SOURCE: usize = 1024;

/// How many provider records of other peers a node keeps: some 16 MiB with a
/// few addresses each.
pub const MAX_KADEMLIA_PROVIDERS: usize = 32_768;

/// How many of them may be under one key: the replication factor, as answers
/// carry no more.
pub const MAX_KADEMLIA_PROVIDERS_PER_KEY: usize = 20;

/// How many of them one network has; a full key gives the place of the network
/// that has most to one that has less.
pub const MAX_KADEMLIA_PROVIDERS_PER_NETWORK: usize = 2;

/// How many of them one peer may have: a hundred shares, ten times over, and
/// too few for one to fill the store.
pub const MAX_KADEMLIA_PROVIDERS_PER_PEER: usize = 1024;

/// Under how many keys a node announces itself. Each is announced to twenty
/// peers again and again.
pub const MAX_KADEMLIA_PROVIDED_KEYS: usize = 1024;

/// How many peers of one network (an IPv4 /24, an IPv6 /64) may be in one
/// bucket of 20 of the routing table: 2, as Kubo has it. Peer ids cost nothing,
/// addresses do.
pub const MAX_KADEMLIA_BUCKET_PEERS_PER_NETWORK: usize = 2;

/// How many look-ups may run for callers at once; each talks to three to ten
/// peers at a time.
pub const MAX_KADEMLIA_LOOK_UPS: usize = 64;

/// How many answers of a look-up wait for its caller; more are left out.
pub const MAX_KADEMLIA_ANSWERS: usize = 256;

/// How long a look-up lasts at most, in seconds. Good ones take one or two.
pub const KADEMLIA_LOOK_UP_SECONDS: u64 = 30;

/// How long a peer may take to answer a request of Kademlia, in seconds: a
/// look-up waits for few peers at a time, and the dead among them must not
/// hold it up.
pub const KADEMLIA_REQUEST_SECONDS: u64 = 4;

/// How long a dial of a look-up may hang, in seconds, until the look-up goes on
/// with the next peer: three round trips over half the world, and a packet that
/// is sent again.
pub const KADEMLIA_DIAL_SECONDS: u64 = 3;
