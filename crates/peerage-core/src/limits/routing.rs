//! Limits: addresses and connections.

/// How many addresses are kept for one peer, and tried for one connection:
/// each costs a handshake and the time of its head start.
pub const MAX_ADDRESSES_PER_PEER: usize = 16;

/// How many peers a node stays connected with, dialling them again and again: a
/// few hubs, and the providers of several gets at once. Each costs a dial a
/// minute while it is away.
pub const MAX_KEPT_PEERS: usize = 256;

/// The longest name of a host, in bytes without a dot at its end: what the DNS
/// can carry (RFC 1035, section 2.3.4).
pub const MAX_DNS_NAME_BYTES: usize = 253;

/// The longest part of a name between two dots, in bytes (the same section).
pub const MAX_DNS_LABEL_BYTES: usize = 63;

/// The longest string of a text record, in bytes (RFC 1035, section 3.3).
pub const MAX_DNS_STRING_BYTES: usize = 255;
