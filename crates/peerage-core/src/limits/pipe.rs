//! Limits: pipes.

/// The longest frame of a pipe, in bytes: as much as a muxer's frame, so that
/// one is not cut into many.
pub const MAX_PIPE_PAYLOAD_BYTES: usize = 256 * 1024;
