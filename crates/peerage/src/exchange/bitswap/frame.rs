//! Messages on a stream: each after its length.

use std::{io, time::Duration};

use crate::limits::MAX_BITSWAP_MESSAGE_BYTES;
use bytes::Bytes;
use futures::{AsyncBufRead, AsyncRead, AsyncReadExt as _};
use peerage_core::exchange::bitswap::{DecodeError, Message};
use peerage_core::routing::pool::{Origin, Refused};
use tokio::time::timeout;

use crate::routing::{Share, SharedPool};

/// How long a peer may take over what it sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the next byte, within a message.
    pub(super) pause: Duration,
    /// For a message altogether.
    pub(super) message: Duration,
}

/// 10 s for a byte; for a message so long that the largest may come at 40 KB/s.
pub(super) const PATIENCE: Patience =
    Patience { pause: Duration::from_secs(10), message: Duration::from_secs(100) };

/// Smaller messages are read without asking for room.
const SMALL_BYTES: usize = 64 * 1024;

/// How much is made ready to be read into at a time: what a peer claims to send
/// does not cost memory before it sends it.
const STEP_BYTES: usize = 256 * 1024;

/// Where the room for large messages comes from (counted in KiB), and for whom.
#[derive(Clone, Copy)]
pub(super) struct Room<'a> {
    pub(super) pool: &'a SharedPool,
    pub(super) origin: &'a Origin,
}

/// Why no message was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    #[error("a message did not come in time")]
    TooSlow,
    #[error("there is no room for a large message: {0}")]
    NoRoom(Refused),
    #[error("the length of a message is malformed")]
    Length,
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Reads one message, with room for it, which it keeps until the share is dropped; `None` at the end of the stream.
pub(super) async fn read<R: AsyncBufRead + Unpin>(
    stream: &mut R,
    room: Room<'_>,
    patience: Patience,
) -> Result<Option<(Message, Option<Share>)>, ReadError> {
    let Some(length) = read_length(stream, patience.pause).await? else { return Ok(None) };
    let room = if length > SMALL_BYTES {
        let kib = length.div_ceil(1024);
        let waiting = room.pool.wait(room.origin, kib, patience.message);
        Some(waiting.await.map_err(ReadError::NoRoom)?)
    } else {
        None
    };
    let body = timeout(patience.message, read_body(stream, length, patience.pause));
    let body = body.await.map_err(|_| ReadError::TooSlow)??;
    Ok(Some((Message::decode(body)?, room)))
}

/// Reads a length; `None` when the stream ends before it begins.
async fn read_length<R: AsyncRead + Unpin>(
    stream: &mut R,
    pause: Duration,
) -> Result<Option<usize>, ReadError> {
    let mut length = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        // Nothing is owed between messages; within a length, the rest is.
        let count = match shift {
            0 => stream.read(&mut byte).await?,
            _ => within(pause, stream.read(&mut byte)).await?,
        };
        match (count, shift) {
            (0, 0) => return Ok(None),
            (0, _) => return Err(ReadError::Length),
            _ => length |= u64::from(byte[0] & 0x7f) << shift,
        }
        if byte[0] < 0x80 {
            return check_length(length).map(Some);
        }
    }
    Err(ReadError::Length)
}

fn check_length(bytes: u64) -> Result<usize, ReadError> {
    match usize::try_from(bytes) {
        Ok(length) if length <= MAX_BITSWAP_MESSAGE_BYTES => Ok(length),
        _ => Err(DecodeError::TooLong { bytes }.into()),
    }
}

async fn read_body<R: AsyncRead + Unpin>(
    stream: &mut R,
    length: usize,
    pause: Duration,
) -> Result<Bytes, ReadError> {
    let mut body = Vec::with_capacity(length);
    let mut filled = 0;
    while filled < length {
        if filled == body.len() {
            body.resize(length.min(filled + STEP_BYTES), 0);
        }
        match within(pause, stream.read(&mut body[filled..])).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            count => filled += count,
        }
    }
    Ok(body.into())
}

async fn within<T>(
    pause: Duration,
    reading: impl Future<Output = io::Result<T>>,
) -> Result<T, ReadError> {
    Ok(timeout(pause, reading).await.map_err(|_| ReadError::TooSlow)??)
}

#[cfg(test)]
mod tests {
    use futures::{TryStreamExt as _, io::Cursor};
    use peerage_core::{
        data::{HashKind, codec, hash},
        exchange::bitswap::{Entry, Version},
        routing::pool::PoolLimits,
    };

    use super::*;

    fn message() -> Message {
        let cid = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
        Message::wants(vec![Entry::block(cid, 1)])
    }

    async fn read_all(bytes: &[u8]) -> Result<Vec<Message>, ReadError> {
        let (mut stream, pool) = (Cursor::new(bytes), SharedPool::new(PoolLimits::of(4096)));
        let origin = Origin::address([192, 0, 2, 1].into());
        let room = Room { pool: &pool, origin: &origin };
        let mut messages = Vec::new();
        while let Some((message, _)) = read(&mut stream, room, PATIENCE).await? {
            messages.push(message);
        }
        Ok(messages)
    }

    #[tokio::test]
    async fn reads_one_message_after_another() {
        let frame = message().encode_framed(Version::V1_2);
        let twice = [&frame[..], &frame[..]].concat();
        assert_eq!(read_all(&twice).await.unwrap(), [message(), message()]);
    }

    #[tokio::test]
    async fn refuses_lengths_over_the_limit_and_malformed_ones() {
        let over = [0x81, 0x80, 0x80, 0x02];
        let error = read_all(&over).await.unwrap_err();
        assert!(matches!(error, ReadError::Decode(DecodeError::TooLong { bytes: 4_194_305 })));
        assert!(matches!(read_all(&[0xff; 12]).await, Err(ReadError::Length)));
        assert!(matches!(read_all(&[0x80]).await, Err(ReadError::Length)));
    }

    #[tokio::test]
    async fn a_message_that_ends_early_is_an_error() {
        let frame = message().encode_framed(Version::V1_2);
        let error = read_all(&frame[..frame.len() - 1]).await.unwrap_err();
        assert!(
            matches!(error, ReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof)
        );
    }

    #[tokio::test]
    async fn a_peer_that_pauses_within_a_message_is_given_up() {
        let stalled = futures::stream::pending::<io::Result<Vec<u8>>>().into_async_read();
        let mut stream = futures::io::BufReader::new(Cursor::new([10_u8, 1]).chain(stalled));
        let patience = Patience { pause: Duration::from_millis(1), ..PATIENCE };
        let pool = SharedPool::new(PoolLimits::of(1));
        let origin = Origin::address([192, 0, 2, 1].into());
        let room = Room { pool: &pool, origin: &origin };
        let error = read(&mut stream, room, patience).await.err();
        assert!(matches!(error, Some(ReadError::TooSlow)));
    }
}
