//! Limits: addresses and connections.

/// How many addresses are kept for one peer, and tried for one connection:
/// each costs a handshake and the time of its head start.
pub const MAX_ADDRESSES_PER_PEER: usize = 16;
