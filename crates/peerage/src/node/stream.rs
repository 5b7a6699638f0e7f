//! A duplex stream to a peer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use futures::{AsyncRead, AsyncWrite};
use libp2p::StreamProtocol;
use peerage_core::routing::pool::Origin;

/// A duplex stream to a peer, for one protocol.
///
/// Reads and writes by the traits of `futures`; `tokio_util::compat` makes
/// tokio's of them. Closing ends the direction to the peer, who may still
/// send; dropping resets what is not closed.
#[derive(Debug)]
pub struct Stream {
    inner: libp2p::Stream,
    protocol: StreamProtocol,
    activity: Activity,
    origin: Option<Origin>,
    _slots: Vec<Slot>,
    /// The last, so that it is dropped when the stream counts no more.
    ended: Ended,
}

impl Stream {
    pub(super) fn new(
        inner: libp2p::Stream,
        protocol: StreamProtocol,
        activity: Activity,
        slots: Vec<Slot>,
    ) -> Self {
        let ended = activity.ended();
        Self { inner, protocol, activity, origin: None, _slots: slots, ended }
    }

    /// The same stream, of a connection that counts as this.
    pub(super) fn from(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// As whom the peer counts at the other end, where places are shared out.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The protocol that both ends agreed on.
    pub fn protocol(&self) -> &StreamProtocol {
        &self.protocol
    }

    /// Lets the connection end as idle although this stream is open.
    pub fn ignore_for_keep_alive(&mut self) {
        self.inner.ignore_for_keep_alive();
        self.ended.tell();
    }

    /// The stream as one that neither keeps its connection alive nor counts
    /// as a sign of life.
    pub(super) fn without_notice(mut self) -> Self {
        self.ignore_for_keep_alive();
        self.activity = Activity::default();
        self
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.activity.note(&done);
        done
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.activity.note(&done);
        done
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.activity.note(&done);
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// What a connection's handler hears of its streams: reads and writes that got
/// through, a sign of life of the peer on a connection too busy to answer a ping
/// in time; and that a stream has ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity {
    marks: Arc<AtomicU64>,
    handler: Arc<AtomicWaker>,
}

impl Activity {
    fn note(&self, done: &Poll<io::Result<usize>>) {
        if matches!(done, Poll::Ready(Ok(bytes)) if *bytes > 0) {
            self.marks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A number that has changed since the last time if there was activity.
    pub(super) fn mark(&self) -> u64 {
        self.marks.load(Ordering::Relaxed)
    }

    /// Lets the handler that is polled with this be polled again when a stream
    /// has ended.
    pub(super) fn wake_when_ended(&self, cx: &Context<'_>) {
        self.handler.register(cx.waker());
    }

    fn ended(&self) -> Ended {
        Ended(Arc::clone(&self.handler))
    }
}

/// Tells a connection, when dropped too, that a stream of it keeps it alive no
/// longer. `libp2p-swarm` notices that only when the connection is polled, which
/// over QUIC nothing else leads to: an idle one would stay for good.
#[derive(Debug)]
struct Ended(Arc<AtomicWaker>);

impl Ended {
    fn tell(&self) {
        self.0.wake();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.tell();
    }
}

/// One of a limited number of things; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<AtomicUsize>);

impl Slot {
    /// Takes one, unless `limit` are taken.
    pub(super) fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < limit).then_some(n + 1))
            .ok()
            .map(|_| Self(Arc::clone(taken)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_limited_and_come_back() {
        let taken = Arc::new(AtomicUsize::new(0));
        let first = Slot::take(&taken, 2).unwrap();
        let _second = Slot::take(&taken, 2).unwrap();
        assert!(Slot::take(&taken, 2).is_none());
        drop(first);
        assert!(Slot::take(&taken, 2).is_some());
    }
}
