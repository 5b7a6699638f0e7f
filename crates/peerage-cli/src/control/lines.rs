//! Lines of JSON with a bound on their length.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};

/// Reads one line of at most `limit` bytes; `None` at the end of the stream.
///
/// # Errors
///
/// When the line is longer, is cut off, or is not the JSON of a `T`.
pub(super) async fn read<T: DeserializeOwned>(
    reader: &mut (impl AsyncBufRead + Unpin),
    limit: usize,
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX);
    let read = reader.take(bound).read_until(b'\n', &mut line).await?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long or cut off"));
    }
    serde_json::from_slice(&line).map(Some).map_err(io::Error::from)
}

/// Writes one line.
///
/// # Errors
///
/// When the other end is gone.
pub(super) async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    value: &impl Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(mut bytes: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
        read(&mut bytes, limit).await
    }

    #[tokio::test]
    async fn a_line_is_read_up_to_the_limit_and_not_beyond() {
        assert_eq!(parse(b"[1,2]\nrest", 6).await.unwrap(), Some(vec![1, 2]));
        assert_eq!(parse(b"[1,2]\n", 5).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(parse(b"", 5).await.unwrap(), None);
        assert!(parse(b"[1,2]", 99).await.is_err(), "cut off");
        assert!(parse(b"{\n", 99).await.is_err(), "not JSON");
    }
}
