//! What lies between hyper and a stream: a libp2p stream as tokio's traits,
//! without copies that cost, and a guard that drops who does not read.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite};
use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep, sleep_until},
};

/// What is read at first, in bytes. The reading buffer has to be set to zeros
/// before each read, so no more is offered than is likely to come.
const READ_AT_FIRST: usize = 16 * 1024;

/// The most that is read at once, in bytes.
const READ_AT_MOST: usize = 256 * 1024;

/// Pieces under this size, in bytes, are copied together before they are
/// written: a muxer sends a frame and a system call for each write.
const GATHER: usize = 16 * 1024;

/// A stream of futures' traits (as libp2p's are) with tokio's.
pub(super) struct StreamIo<S> {
    inner: S,
    expected: usize,
    gathered: Vec<u8>,
}

impl<S> StreamIo<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, expected: READ_AT_FIRST, gathered: Vec::new() }
    }

    /// Offers more when the last read filled all, less when it filled little.
    fn learn(&mut self, read: usize) {
        if read == self.expected {
            self.expected = (self.expected * 2).min(READ_AT_MOST);
        } else if read < self.expected / 4 {
            self.expected = (self.expected / 2).max(READ_AT_FIRST);
        }
    }

    /// Copies the small pieces at the start of `pieces` together.
    fn gather(&mut self, pieces: &[IoSlice<'_>]) {
        self.gathered.clear();
        for piece in pieces {
            if self.gathered.len() + piece.len() > GATHER {
                break;
            }
            self.gathered.extend_from_slice(piece);
        }
    }
}

impl<S: AsyncRead + Unpin> tokio::io::AsyncRead for StreamIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled_to(self.expected.min(buf.remaining()));
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, room))?;
        buf.advance(read);
        self.learn(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> tokio::io::AsyncWrite for StreamIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let start = pieces.iter().position(|piece| !piece.is_empty()).unwrap_or(pieces.len());
        match &pieces[start..] {
            [] => Poll::Ready(Ok(0)),
            [first, rest @ ..] if rest.is_empty() || first.len() >= GATHER => {
                Pin::new(&mut this.inner).poll_write(cx, first)
            }
            several => {
                this.gather(several);
                Pin::new(&mut this.inner).poll_write(cx, &this.gathered)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// Fails the writing when the other side takes less than `least` bytes in
/// `limit`, so that nobody holds blocks in memory by not reading them.
pub(super) struct Guarded<T> {
    inner: T,
    limit: Duration,
    least: usize,
    waiting: Option<Waiting>,
}

/// The writing has been held up since some time.
struct Waiting {
    deadline: Pin<Box<Sleep>>,
    taken: usize,
}

impl<T> Guarded<T> {
    pub(super) const fn new(inner: T, limit: Duration, least: usize) -> Self {
        Self { inner, limit, least, waiting: None }
    }

    /// Passes on how a write went, and watches the time while none goes.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match write {
            Poll::Ready(Ok(taken)) => {
                self.took(taken);
                write
            }
            Poll::Ready(Err(_)) => write,
            Poll::Pending => self.wait(cx),
        }
    }

    fn took(&mut self, bytes: usize) {
        if let Some(waiting) = &mut self.waiting {
            waiting.taken = waiting.taken.saturating_add(bytes);
            if waiting.taken >= self.least {
                self.waiting = None;
            }
        }
    }

    fn wait<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let deadline = Instant::now() + self.limit;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Waiting { deadline: Box::pin(sleep_until(deadline)), taken: 0 });
        ready!(waiting.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: tokio::io::AsyncWrite + Unpin> tokio::io::AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
        self.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Ready(result) => {
                // All has been taken: what comes next has all its time.
                self.waiting = None;
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Pending => self.wait(cx),
            ready => ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use futures::io::Cursor;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    #[tokio::test]
    async fn writes_small_pieces_at_once_and_large_ones_uncopied() {
        let mut io = StreamIo::new(Cursor::new(Vec::new()));
        let large = vec![7; GATHER];
        let pieces = [b"ab".as_slice(), b"", b"cd", &large].map(IoSlice::new);
        assert_eq!(io.write_vectored(&pieces).await.unwrap(), 4);
        assert_eq!(io.write_vectored(&pieces[3..]).await.unwrap(), GATHER);
        assert_eq!(io.write_vectored(&pieces[1..2]).await.unwrap(), 0);
        assert_eq!(io.inner.into_inner(), [b"abcd".as_slice(), &large].concat());
    }

    #[tokio::test]
    async fn reads_all_that_comes() {
        let sent: Vec<u8> = (0..3_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        let mut io = StreamIo::new(Cursor::new(sent.clone()));
        let mut got = Vec::new();
        io.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, sent);
    }

    #[tokio::test]
    async fn drops_who_does_not_read() {
        let (ours, _theirs) = duplex(10);
        let limit = Duration::from_millis(20);
        let mut io = Guarded::new(StreamIo::new(ours.compat()), limit, 5);
        let error = io.write_all(&[0; 11]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn gives_who_reads_more_time() {
        let (ours, mut theirs) = duplex(10);
        let mut io = Guarded::new(ours, Duration::from_secs(3600), 10);
        let sent = io.write_all(&[0; 20]);
        tokio::pin!(sent);
        assert!(futures::poll!(sent.as_mut()).is_pending());
        theirs.read_exact(&mut [0; 10]).await.unwrap();
        sent.await.unwrap();
        assert!(io.waiting.is_none());
    }
}
