//! What is said on a stream of a pipe, `/peerage/pipe/1`: frames of a 4-byte
//! big-endian length and as many bytes; length zero is the end.
//!
//! A muxer's stream looks the same when its other end is done and when its
//! connection has died. With frames the end is said, so a pipe that was cut
//! off is never taken for one that is complete.

use crate::advice::Advice;
use crate::limits::MAX_PIPE_PAYLOAD_BYTES;

/// The protocol's name.
pub const PROTOCOL: &str = "/peerage/pipe/1";

/// The protocol of a pipe that lets in who knows a secret: what the connecting
/// side writes begins with its 16 bytes, and goes on as that of [`PROTOCOL`].
pub const SECRET_PROTOCOL: &str = "/peerage/pipe/secret/1";

/// The bytes before a frame's payload.
pub const HEADER_BYTES: usize = 4;

/// The header of a payload of `length` bytes; length zero is the end.
///
/// # Panics
///
/// When `length` is over [`MAX_PIPE_PAYLOAD_BYTES`]: cut what you send.
#[must_use]
pub fn header(length: usize) -> [u8; HEADER_BYTES] {
    assert!(length <= MAX_PIPE_PAYLOAD_BYTES, "a payload of {length} bytes is over the limit");
    u32::try_from(length).expect("the limit fits in 32 bits").to_be_bytes()
}

/// Reads frames in pieces of any size, without holding any payload.
///
/// ```
/// use peerage_core::pipe::{Decoder, Piece, header};
///
/// let stream = [&header(3)[..], b"abc", &header(0)].concat();
/// let (mut decoder, mut rest, mut payload) = (Decoder::default(), &stream[..], Vec::new());
/// while !rest.is_empty() {
///     let length = match decoder.feed(rest)? {
///         Piece::Header(length) => length,
///         Piece::Payload(length) => {
///             payload.extend_from_slice(&rest[..length]);
///             length
///         }
///     };
///     rest = &rest[length..];
/// }
/// assert!(decoder.ended() && payload == b"abc");
/// # Ok::<(), peerage_core::pipe::Malformed>(())
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    header: [u8; HEADER_BYTES],
    header_have: usize,
    payload_left: usize,
    ended: bool,
}

/// What a piece of the stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes of header; feed the rest again.
    Header(usize),
    /// So many bytes of payload; feed the rest again.
    Payload(usize),
}

/// Why a stream is not one of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A frame is longer than allowed.
    #[error("it sent a frame of over {MAX_PIPE_PAYLOAD_BYTES} bytes")]
    TooLong,
    /// Something follows the end.
    #[error("it sent bytes after its end")]
    AfterEnd,
}

impl Advice for Malformed {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLong | Self::AfterEnd => Some("update the other side"),
        }
    }
}

impl Decoder {
    /// Says what `bytes`, which is not empty, begins with.
    ///
    /// # Errors
    ///
    /// When the other end breaks the protocol.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        if self.ended {
            return Err(Malformed::AfterEnd);
        }
        if self.payload_left > 0 {
            let length = self.payload_left.min(bytes.len());
            self.payload_left -= length;
            return Ok(Piece::Payload(length));
        }
        let length = (HEADER_BYTES - self.header_have).min(bytes.len());
        self.header[self.header_have..][..length].copy_from_slice(&bytes[..length]);
        self.header_have += length;
        if self.header_have == HEADER_BYTES {
            self.begin()?;
        }
        Ok(Piece::Header(length))
    }

    fn begin(&mut self) -> Result<(), Malformed> {
        self.header_have = 0;
        let length = usize::try_from(u32::from_be_bytes(self.header)).unwrap_or(usize::MAX);
        if length > MAX_PIPE_PAYLOAD_BYTES {
            return Err(Malformed::TooLong);
        }
        self.payload_left = length;
        self.ended = length == 0;
        Ok(())
    }

    /// Whether the other end has said that it is done.
    #[must_use]
    pub const fn ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All payload in `bytes` when they come in pieces of `size`.
    fn decode(bytes: &[u8], size: usize) -> Result<(Vec<u8>, bool), Malformed> {
        let mut decoder = Decoder::default();
        let mut payload = Vec::new();
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                let length = match decoder.feed(piece)? {
                    Piece::Header(length) => length,
                    Piece::Payload(length) => {
                        payload.extend_from_slice(&piece[..length]);
                        length
                    }
                };
                piece = &piece[length..];
            }
        }
        Ok((payload, decoder.ended()))
    }

    #[test]
    fn frames_come_in_pieces_of_any_size() {
        let bytes = [&header(3)[..], b"abc", &header(2), b"de", &header(0)].concat();
        for size in 1..=bytes.len() {
            assert_eq!(decode(&bytes, size), Ok((b"abcde".to_vec(), true)));
        }
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(decode(cut, 5), Ok((b"abcde".to_vec(), false)), "cut off is not ended");
    }

    #[test]
    fn what_breaks_the_protocol_is_refused() {
        let longest =
            [&header(MAX_PIPE_PAYLOAD_BYTES)[..], &vec![7; MAX_PIPE_PAYLOAD_BYTES]].concat();
        assert_eq!(
            decode(&longest, 999).map(|(payload, _)| payload.len()),
            Ok(MAX_PIPE_PAYLOAD_BYTES)
        );
        let longer = u32::try_from(MAX_PIPE_PAYLOAD_BYTES + 1).unwrap().to_be_bytes();
        assert_eq!(decode(&longer, 4), Err(Malformed::TooLong));
        assert_eq!(decode(&[&header(0)[..], b"x"].concat(), 9), Err(Malformed::AfterEnd));
    }
}
