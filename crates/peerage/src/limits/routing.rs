//! Limits: addresses and connections.

use super::MAX_STREAMS_PER_CONNECTION;

// --- connections and streams ---

/// How much the receive windows of one connection may grow, all together,
/// beyond the 256 KiB that every stream has: 8 MiB carry 640 Mbit/s over a
/// round trip of 100 ms, and four providers at once stay within 32 MiB.
pub const MAX_WINDOW_GROWTH: usize = 8 * 1024 * 1024;

/// How much one QUIC stream may send ahead. `noq` ends a connection as soon as
/// more than 2,048 packets of a stream wait for a lost one; as many carry 2.3 MB
/// on paths of 1,200 bytes a packet.
pub const MAX_QUIC_STREAM_WINDOW: usize = 2 * 1024 * 1024;

/// How many paths of new connections wait to be asked for. Connections that a
/// limit refuses after their handshake leave theirs behind.
pub const MAX_WAITING_PATHS: usize = 512;

/// How many names of hosts a node keeps in mind that whoever runs it has given,
/// and that may lead into any network; the oldest give way.
pub const MAX_OWN_NAMES: usize = 256;

/// How many places a node keeps in mind that a part of it dials on the node's own
/// word, boot nodes and the relays of its own circuits; the oldest give way.
pub const MAX_OWN_PLACES: usize = 64;

/// How many streams yamux itself carries. Crate `yamux` ends the connection over
/// one more, so this leaves room for the node to refuse single streams before:
/// its limit each way, and what is still being closed.
pub const MAX_YAMUX_STREAMS: usize = 4 * MAX_STREAMS_PER_CONNECTION;

/// How many streams of the other end wait until the swarm takes them; more are
/// reset.
pub const MAX_YAMUX_WAITING_STREAMS: usize = MAX_STREAMS_PER_CONNECTION;

/// The largest frame that crate `yamux` is given, in bytes: it makes room for all
/// of it before the first byte has come. Larger ones are cut as they come in.
pub const MAX_YAMUX_FRAME_BYTES: u32 = 256 * 1024;

/// How many bytes nobody reads one connection with yamux holds: a full window for
/// each of its streams, and what all of them together may grow by.
pub const MAX_YAMUX_UNREAD_BYTES: usize =
    MAX_YAMUX_STREAMS * YAMUX_WINDOW_BYTES + MAX_WINDOW_GROWTH;

/// The window that every stream of yamux has to begin with: the specification's.
pub const YAMUX_WINDOW_BYTES: usize = 256 * 1024;

/// How many frames that nobody has read one connection with yamux holds. Crate
/// `yamux` keeps each by itself, at some 64 bytes besides what it carries, so
/// that a window full of frames of one byte takes 64 times what it says.
pub const MAX_YAMUX_UNREAD_FRAMES: usize = 64 * 1024;

/// How many bytes nobody reads one connection of QUIC holds, libp2p's or one that
/// roams: its window.
pub const MAX_QUIC_UNREAD_BYTES: usize = MAX_WINDOW_GROWTH;

/// How many streams mplex carries.
pub const MAX_MPLEX_STREAMS: usize = 64;

/// How many frames of one stream of mplex wait to be read: then nothing more is
/// read of the connection until one has been.
pub const MAX_MPLEX_UNREAD_FRAMES: usize = 2;

/// The largest frame of mplex, in bytes: the specification's.
pub const MAX_MPLEX_FRAME_BYTES: usize = 1024 * 1024;

/// How many bytes nobody reads one connection with mplex holds, which has no
/// windows: frames of the largest size, for each stream.
pub const MAX_MPLEX_UNREAD_BYTES: usize =
    MAX_MPLEX_STREAMS * MAX_MPLEX_UNREAD_FRAMES * MAX_MPLEX_FRAME_BYTES;

// --- relays and hubs ---

/// How many relays of its hubs a node keeps in mind; it holds a connection with
/// the nearest. Each hub has the same share.
pub const MAX_RELAYS: usize = 8;

/// How many relays of other peers are in use for connections to them at once:
/// each is a connection that whoever named the relay has us open.
pub const MAX_BORROWED_RELAYS: usize = 32;

/// How many of them one peer may be reached over at once: it is at home at one,
/// and was at another when it moves.
pub const MAX_BORROWED_RELAYS_PER_PEER: usize = 2;

/// How often the host of a borrowed relay is looked up in ten seconds, twice for
/// each time that it is dialled.
pub const MAX_BORROWED_RELAY_LOOK_UPS: usize = 32;
