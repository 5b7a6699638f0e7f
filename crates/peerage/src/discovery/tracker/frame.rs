//! Messages on a stream: each after its length as an unsigned varint.

use std::io;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The most bytes of a length: lengths are under 2^28.
const LENGTH_BYTES: u32 = 4;

/// Why no message was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    #[error("the length of a message is malformed")]
    Length,
    #[error("a message of {0} bytes is too large")]
    TooLarge(usize),
}

/// Reads one message of at most `limit` bytes; `None` at the end of the
/// stream. A length that is only claimed costs no memory.
pub(super) async fn read<R: AsyncRead + Unpin>(
    stream: &mut R,
    limit: usize,
) -> Result<Option<Vec<u8>>, FrameError> {
    let Some(length) = read_length(stream).await? else { return Ok(None) };
    if length > limit {
        return Err(FrameError::TooLarge(length));
    }
    let mut message = Vec::new();
    stream.take(length as u64).read_to_end(&mut message).await?;
    match message.len() {
        all if all == length => Ok(Some(message)),
        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

async fn read_length<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Option<usize>, FrameError> {
    let mut length = 0;
    for place in 0..LENGTH_BYTES {
        let mut byte = [0];
        match (stream.read(&mut byte).await?, place) {
            (0, 0) => return Ok(None),
            (0, _) => return Err(FrameError::Length),
            _ => length |= usize::from(byte[0] & 0x7f) << (7 * place),
        }
        if byte[0] < 0x80 {
            // The last byte of a length is never an empty one.
            return if byte[0] == 0 && place > 0 {
                Err(FrameError::Length)
            } else {
                Ok(Some(length))
            };
        }
    }
    Err(FrameError::Length)
}

/// Writes one message.
pub(super) async fn write<W: AsyncWrite + Unpin>(stream: &mut W, message: &[u8]) -> io::Result<()> {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    let length = unsigned_varint::encode::usize(message.len(), &mut buffer);
    stream.write_all(&[length, message].concat()).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    async fn read_all(bytes: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut stream = Cursor::new(bytes);
        let mut messages = Vec::new();
        while let Some(message) = read(&mut stream, limit).await? {
            messages.push(message);
        }
        Ok(messages)
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let messages = [vec![], vec![1; 127], vec![2; 128], vec![3; 70_000]];
        let mut stream = Cursor::new(Vec::new());
        for message in &messages {
            write(&mut stream, message).await.unwrap();
        }
        assert_eq!(read_all(stream.get_ref(), 70_000).await.unwrap(), messages);
        assert!(matches!(
            read_all(stream.get_ref(), 69_999).await,
            Err(FrameError::TooLarge(70_000))
        ));
    }

    #[tokio::test]
    async fn malformed_and_short_ones_are_refused() {
        for length in [&[0x80][..], &[0x80, 0], &[0xff; 8]] {
            assert!(matches!(read_all(length, 9).await, Err(FrameError::Length)), "{length:?}");
        }
        assert!(matches!(read_all(&[2, 1], 9).await, Err(FrameError::Io(_))));
    }
}
