//! A socket whose frames come in pieces that crate `yamux` takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use peerage_core::routing::yamux::FrameSplitter;

use super::unread::Unread;

/// Cuts large frames on their way in, and takes no more while too many wait to
/// be read; what goes out stays as it is.
pub(super) struct Split<S> {
    socket: S,
    splitter: FrameSplitter,
    unread: Unread,
}

impl<S> Split<S> {
    /// Gives on frames of at most `most` bytes.
    pub(super) fn new(socket: S, most: u32) -> Self {
        Self { socket, splitter: FrameSplitter::new(most), unread: Unread::default() }
    }

    /// What nobody has read yet.
    pub(super) fn unread(&self) -> &Unread {
        &self.unread
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Split<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { socket, splitter, unread } = &mut *self;
        if out.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if let Some(frame) = splitter.announced() {
                ready!(unread.poll_room(cx));
                if frame.begins {
                    unread.open(frame.stream);
                }
                unread.came(frame.stream, frame.bytes);
            }
            let given = splitter.give(out);
            if given > 0 {
                return Poll::Ready(Ok(given));
            }
            let Some(header) = splitter.header() else { break };
            let read = ready!(Pin::new(&mut *socket).poll_read(cx, header))?;
            if read == 0 {
                return Poll::Ready(end(splitter));
            }
            splitter.took(read);
        }
        let room = splitter.payload().min(out.len());
        let read = ready!(Pin::new(socket).poll_read(cx, &mut out[..room]))?;
        splitter.took(read);
        Poll::Ready(if read == 0 { end(splitter) } else { Ok(read) })
    }
}

/// The socket has ended: only between frames that is in order.
fn end(splitter: &FrameSplitter) -> io::Result<usize> {
    if splitter.within_a_frame() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(0) }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Split<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::AsyncReadExt as _;
    use futures::io::Cursor;

    use super::*;

    /// The frame that opens stream 1 with so many bytes.
    fn frame(length: u32) -> Vec<u8> {
        let header = [&[0, 0, 0, 1, 0, 0, 0, 1][..], &length.to_be_bytes()].concat();
        [header, vec![7; length as usize]].concat()
    }

    #[tokio::test]
    async fn a_large_frame_comes_in_pieces_and_whole() {
        let length = 3 * 1024 * 1024 + 5;
        let mut split = Split::new(Cursor::new(frame(length)), 1000);
        let (mut payload, mut header) = (0, [0; 12]);
        while payload < length {
            split.read_exact(&mut header).await.unwrap();
            let piece = u32::from_be_bytes(header[8..].try_into().unwrap());
            assert!((1..=1000).contains(&piece));
            let mut bytes = vec![0; piece as usize];
            split.read_exact(&mut bytes).await.unwrap();
            assert!(bytes.iter().all(|byte| *byte == 7));
            payload += piece;
        }
        assert_eq!(payload, length);
        assert_eq!(split.read(&mut header).await.unwrap(), 0, "the end");
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_no_end() {
        for kept in [5, 12, 20] {
            let mut split = Split::new(Cursor::new(frame(100)[..kept].to_vec()), 1000);
            let error = split.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{kept}");
        }
    }
}
