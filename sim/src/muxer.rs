//! Connections and their streams, each a pair of lines.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::StreamMuxerEvent;
use libp2p::{Multiaddr, PeerId};

use crate::host::Host;
use crate::line::{Path, Receiver, Sender, line};

/// A connection as it comes in.
pub(crate) struct Incoming {
    pub(crate) peer: PeerId,
    pub(crate) from: Multiaddr,
    pub(crate) muxer: Muxer,
}

/// One end of a connection.
pub(crate) struct Muxer {
    host: Host,
    path: Path,
    /// Gone once it is closed.
    opening: Option<Sender<Stream>>,
    opened: Receiver<Stream>,
    /// The far host; the far ends of lines that begin here are made for it.
    far: Host,
}

/// Both ends of a connection between two hosts.
pub(crate) fn connection(near: &Host, far: &Host, path: Path) -> (Muxer, Muxer) {
    let (to_far, at_far) = line(near.clone(), path);
    let (to_near, at_near) = line(far.clone(), path);
    let end = |host: &Host, far: &Host, opening, opened| Muxer {
        host: host.clone(),
        path,
        opening: Some(opening),
        opened,
        far: far.clone(),
    };
    (end(near, far, to_far, at_near), end(far, near, to_near, at_far))
}

impl StreamMuxer for Muxer {
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Stream>> {
        let stream = ready!(self.opened.poll_next(context));
        Poll::Ready(stream.ok_or_else(|| io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let Some(opening) = &self.opening else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let (to_far, at_far) = line(self.host.clone(), self.path);
        let (to_near, at_near) = line(self.far.clone(), self.path);
        opening.send(Stream::new(to_near, at_far));
        Poll::Ready(Ok(Stream::new(to_far, at_near)))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.opening = None;
        Poll::Ready(Ok(()))
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Poll::Pending
    }
}

/// One end of a stream.
pub(crate) struct Stream {
    /// Gone once it is closed.
    to: Option<Sender<Vec<u8>>>,
    from: Receiver<Vec<u8>>,
    /// What has arrived and is not read, and how much of it is.
    arrived: (Vec<u8>, usize),
    /// What was written and is not sent.
    written: Vec<u8>,
}

impl Stream {
    fn new(to: Sender<Vec<u8>>, from: Receiver<Vec<u8>>) -> Self {
        Self { to: Some(to), from, arrived: (Vec::new(), 0), written: Vec::new() }
    }

    fn send(&mut self) {
        if let Some(to) = self.to.as_ref().filter(|_| !self.written.is_empty()) {
            to.send(std::mem::take(&mut self.written));
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.arrived.1 == this.arrived.0.len() {
            match ready!(this.from.poll_next(context)) {
                Some(bytes) => this.arrived = (bytes, 0),
                None => return Poll::Ready(Ok(0)),
            }
        }
        let (bytes, read) = &mut this.arrived;
        let count = buffer.len().min(bytes.len() - *read);
        buffer[..count].copy_from_slice(&bytes[*read..*read + count]);
        *read += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.to.is_none() {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send();
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send();
        self.to = None;
        Poll::Ready(Ok(()))
    }
}
