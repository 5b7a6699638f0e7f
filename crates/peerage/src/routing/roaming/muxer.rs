//! A connection of the endpoint as a muxer of libp2p.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, FutureExt as _};
use iroh::endpoint::{Connection, ConnectionError, RecvStream, SendStream};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

use super::relays::Borrowed;

type Opening = BoxFuture<'static, Result<(SendStream, RecvStream), ConnectionError>>;

/// The code of an orderly end.
const DONE: u32 = 0;

/// One connection, of many streams.
pub(super) struct Muxer {
    connection: Connection,
    incoming: Option<Opening>,
    outgoing: Option<Opening>,
    closing: Option<BoxFuture<'static, ConnectionError>>,
    /// The relays of others that are in use for this connection.
    _borrowed: Vec<Borrowed>,
}

impl Muxer {
    pub(super) fn new(connection: Connection, borrowed: Vec<Borrowed>) -> Self {
        let (incoming, outgoing, closing) = (None, None, None);
        Self { connection, incoming, outgoing, closing, _borrowed: borrowed }
    }
}

impl StreamMuxer for Muxer {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, ConnectionError>> {
        let connection = self.connection.clone();
        let opening = self
            .incoming
            .get_or_insert_with(|| async move { connection.accept_bi().await }.boxed());
        let halves = ready!(opening.poll_unpin(cx));
        self.incoming = None;
        Poll::Ready(halves.map(|(send, receive)| Stream { send, receive }))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, ConnectionError>> {
        let connection = self.connection.clone();
        let opening =
            self.outgoing.get_or_insert_with(|| async move { connection.open_bi().await }.boxed());
        let halves = ready!(opening.poll_unpin(cx));
        self.outgoing = None;
        Poll::Ready(halves.map(|(send, receive)| Stream { send, receive }))
    }

    /// Changes of the path are no events of libp2p: to it they would be new
    /// addresses of the peer, to be told to others.
    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        Poll::Pending
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ConnectionError>> {
        let connection = self.connection.clone();
        let closing = self.closing.get_or_insert_with(|| {
            connection.close(DONE.into(), &[]);
            async move { connection.closed().await }.boxed()
        });
        match ready!(closing.poll_unpin(cx)) {
            ConnectionError::LocallyClosed => Poll::Ready(Ok(())),
            error => Poll::Ready(Err(error)),
        }
    }
}

/// One stream of a connection.
pub(super) struct Stream {
    send: SendStream,
    receive: RecvStream,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(Pin::new(&mut self.receive), cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.send), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_close(Pin::new(&mut self.send), cx)
    }
}
