//! Ends a connection when its muxer is dropped.

use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

/// A muxer whose connection ends with it.
///
/// `libp2p-swarm` ends an idle connection by dropping its muxer, and QUIC's lives
/// on for as long as anybody holds a stream of it: the ping of either side would
/// keep alive what counts as ended here, and the peer would send new streams into
/// it. The swarm's part is
/// [`pool/task.rs`](https://github.com/libp2p/rust-libp2p/blob/master/swarm/src/connection/pool/task.rs),
/// "dropping the connection".
pub(super) struct Closing<M: StreamMuxer + Unpin> {
    muxer: M,
    /// It has ended in order, and may not be asked to again.
    closed: bool,
}

impl<M: StreamMuxer + Unpin> Closing<M> {
    pub(super) const fn new(muxer: M) -> Self {
        Self { muxer, closed: false }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut M> {
        Pin::new(&mut self.get_mut().muxer)
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Closing<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.inner().poll_inbound(cx)
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.inner().poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let done = self.as_mut().inner().poll_close(cx);
        self.closed = done.is_ready();
        done
    }

    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        self.inner().poll(cx)
    }
}

impl<M: StreamMuxer + Unpin> Drop for Closing<M> {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // QUIC says goodbye at the first call, and nobody waits for the rest.
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        let _ = Pin::new(&mut self.muxer).poll_close(&mut nobody);
    }
}
