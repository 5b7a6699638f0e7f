//! Two byte streams made into one, each direction ending by itself.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use peerage::{
    limits::MAX_PIPE_PAYLOAD_BYTES,
    pipe::{Decoder, HEADER_BYTES, Malformed, Piece, header},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How many payload bytes went each way.
#[derive(Debug, Default)]
pub(super) struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counts {
    /// Bytes to the peer.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes from the peer.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Which side of a splice failed.
#[derive(Debug)]
pub(super) enum SpliceError {
    /// The peer was lost.
    Peer(io::Error),
    /// The peer broke the protocol.
    Malformed(Malformed),
    /// Our own input or output failed.
    Own(io::Error),
}

/// Sends all of `input` to the peer, then the end.
///
/// # Errors
///
/// When either side fails.
pub(super) async fn send(
    mut input: impl AsyncRead + Unpin,
    mut peer: impl AsyncWrite + Unpin,
    counts: &Counts,
) -> Result<(), SpliceError> {
    let mut buffer = vec![0; HEADER_BYTES + MAX_PIPE_PAYLOAD_BYTES];
    loop {
        let read = input.read(&mut buffer[HEADER_BYTES..]).await.map_err(SpliceError::Own)?;
        buffer[..HEADER_BYTES].copy_from_slice(&header(read));
        write(&mut peer, &buffer[..HEADER_BYTES + read]).await.map_err(SpliceError::Peer)?;
        counts.sent.fetch_add(read as u64, Ordering::Relaxed);
        if read == 0 {
            return peer.shutdown().await.map_err(SpliceError::Peer);
        }
    }
}

/// Writes all that the peer sends to `output`, and ends it when the peer says so.
///
/// # Errors
///
/// When either side fails, or the peer's stream stops before its end was said.
pub(super) async fn receive(
    mut peer: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    counts: &Counts,
) -> Result<(), SpliceError> {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; MAX_PIPE_PAYLOAD_BYTES];
    while !decoder.ended() {
        let read = peer.read(&mut buffer).await.map_err(SpliceError::Peer)?;
        if read == 0 {
            return Err(SpliceError::Peer(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut piece = &buffer[..read];
        while !piece.is_empty() {
            let length = match decoder.feed(piece).map_err(SpliceError::Malformed)? {
                Piece::Header(length) => length,
                Piece::Payload(length) => {
                    output.write_all(&piece[..length]).await.map_err(SpliceError::Own)?;
                    counts.received.fetch_add(length as u64, Ordering::Relaxed);
                    length
                }
            };
            piece = &piece[length..];
        }
        output.flush().await.map_err(SpliceError::Own)?;
    }
    output.shutdown().await.map_err(SpliceError::Own)
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_in_comes_out_and_ends() {
        let data: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let (near, far) = tokio::io::duplex(1000);
        let (sent, counts) = (Counts::default(), Counts::default());
        let mut output = Vec::new();
        let (first, second) =
            tokio::join!(send(&data[..], near, &sent), receive(far, &mut output, &counts));
        first.unwrap();
        second.unwrap();
        assert_eq!(output, data);
        assert_eq!((sent.sent(), counts.received()), (1_000_000, 1_000_000));
    }

    #[tokio::test]
    async fn a_stream_that_stops_without_its_end_is_an_error() {
        let bytes = [&header(3)[..], b"abc"].concat();
        let mut output = Vec::new();
        let outcome = receive(&bytes[..], &mut output, &Counts::default()).await;
        assert!(matches!(outcome, Err(SpliceError::Peer(_))), "{outcome:?}");
        assert_eq!(output, b"abc");
    }
}
