//! The frames of a pipe, in pieces of any size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::pipe::{Decoder, Malformed, Piece};
use peerage_fuzz::Parts;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let step = usize::from(parts.byte()) + 1;
    let stream = parts.rest();
    assert_eq!(read(stream, step), read(stream, usize::MAX), "the cuts change what is read");
});

/// The payload that came before the end or a fault, and which of them it was.
fn read(stream: &[u8], step: usize) -> (Vec<u8>, Result<bool, Malformed>) {
    let mut decoder = Decoder::default();
    let mut payload = Vec::new();
    for mut piece in stream.chunks(step) {
        while !piece.is_empty() {
            let length = match decoder.feed(piece) {
                Ok(Piece::Header(length)) => length,
                Ok(Piece::Payload(length)) => {
                    payload.extend_from_slice(&piece[..length]);
                    length
                }
                Err(error) => return (payload, Err(error)),
            };
            assert!(length > 0, "reading goes on");
            piece = &piece[length..];
        }
    }
    (payload, Ok(decoder.ended()))
}
