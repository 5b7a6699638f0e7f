//! A socket whose frames come in pieces that crate `yamux` takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use peerage_core::protocols::yamux::FrameSplitter;

/// Cuts large frames on their way in; what goes out stays as it is.
pub(super) struct Split<S> {
    socket: S,
    splitter: FrameSplitter,
}

impl<S> Split<S> {
    /// Gives on frames of at most `most` bytes.
    pub(super) const fn new(socket: S, most: u32) -> Self {
        Self { socket, splitter: FrameSplitter::new(most) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Split<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { socket, splitter } = &mut *self;
        loop {
            let given = splitter.give(out);
            if given > 0 || out.is_empty() {
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
