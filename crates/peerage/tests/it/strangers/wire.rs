//! Messages of AutoNAT v2 and DCUtR, as bytes: Protocol Buffers behind a length.

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use peerage::node::Stream;

use crate::support::soon;

/// A field that holds bytes.
pub(super) fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(length(value.len()));
    field.extend(value);
    field
}

/// A field that holds a number below 128 KiB.
pub(super) fn number(number: u8, value: usize) -> Vec<u8> {
    let mut field = vec![number << 3];
    field.extend(length(value));
    field
}

fn length(value: usize) -> Vec<u8> {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    unsigned_varint::encode::usize(value, &mut buffer).to_vec()
}

/// The fields of a message: each number, and its value or its bytes.
pub(super) fn fields(mut message: &[u8]) -> Vec<(u8, u64, &[u8])> {
    let mut fields = Vec::new();
    while let [tag, rest @ ..] = message {
        let (value, rest) = unsigned_varint::decode::u64(rest).unwrap();
        let inside = if tag & 7 == 2 { usize::try_from(value).unwrap() } else { 0 };
        fields.push((tag >> 3, value, &rest[..inside]));
        message = &rest[inside..];
    }
    fields
}

/// The number in a field; 0 when it is not there.
pub(super) fn number_in(message: &[u8], wanted: u8) -> u64 {
    fields(message).iter().find(|(number, ..)| *number == wanted).map_or(0, |field| field.1)
}

pub(super) async fn send(stream: &mut Stream, message: &[u8]) {
    let mut framed = length(message.len());
    framed.extend(message);
    stream.write_all(&framed).await.unwrap();
    stream.flush().await.unwrap();
}

/// The next message; `None` when the stream ends.
pub(super) async fn receive(stream: &mut Stream) -> Option<Vec<u8>> {
    let (mut size, mut shift) = (0_usize, 0);
    let reading = async {
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.ok()?;
            size |= usize::from(byte[0] & 127) << shift;
            shift += 7;
            if byte[0] < 128 {
                break;
            }
        }
        let mut message = vec![0; size];
        stream.read_exact(&mut message).await.ok()?;
        Some(message)
    };
    soon("a message", reading).await
}
