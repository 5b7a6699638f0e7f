//! Limits: addresses and connections.

// --- connections and streams ---

/// How much the receive windows of one connection may grow, all together,
/// beyond the 256 KiB that every stream has: 8 MiB carry 640 Mbit/s over a
/// round trip of 100 ms, and four providers at once stay within 32 MiB.
pub const MAX_WINDOW_GROWTH: usize = 8 * 1024 * 1024;

/// How much one QUIC stream may send ahead. `noq` ends a connection as soon as
/// more than 2,048 packets of a stream wait for a lost one; as many carry 2.3 MB
/// on paths of 1,200 bytes a packet.
pub const MAX_QUIC_STREAM_WINDOW: usize = 2 * 1024 * 1024;

// --- relays and hubs ---

/// How many relays a node keeps in mind; it holds a connection with the nearest.
pub const MAX_RELAYS: usize = 8;
