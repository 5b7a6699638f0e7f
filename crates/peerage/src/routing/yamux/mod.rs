//! yamux with large frames.
//!
//! Speaks `/yamux/1.0.0` of the [specification]. It exists because crate
//! `yamux` cuts writes into frames of 16 KiB, each of them a system call and
//! a wake-up, and `libp2p-yamux` 0.48 does not pass on the setting that
//! changes it (`Config::set_split_send_size`); once it does, this file may
//! go.
//!
//! A frame never exceeds the window that the receiver has granted, which the
//! specification has at 256 KiB to begin with, so every peer takes large
//! frames. Crate `yamux` itself ends a connection over a frame of more than
//! 1 MiB, whatever window it granted, and js-yamux sends as much in one frame
//! as the window allows. So what comes in is cut first (`split`), which lets
//! windows grow to what a path holds.
//!
//! [specification]: https://github.com/libp2p/specs/blob/master/yamux/README.md

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use crate::limits::{
    MAX_YAMUX_FRAME_BYTES, MAX_YAMUX_STREAMS, MAX_YAMUX_UNREAD_BYTES, MAX_YAMUX_WAITING_STREAMS,
};
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use yamux::{Connection, ConnectionError, Mode};

use self::split::Split;
use self::stream::Stream;
use self::unread::Unread;

mod split;
mod stream;
mod unread;

/// The name by which multistream-select agrees on this protocol.
pub const PROTOCOL: &str = "/yamux/1.0.0";

/// The most bytes that one frame carries. Of 64, 128 and 256 KiB this one cost
/// least on both ends: larger frames fall out of the core's cache between the
/// task that fills them and the one that encrypts them.
pub const FRAME_BYTES: usize = 128 * 1024;

fn config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config
        .set_split_send_size(FRAME_BYTES)
        .set_max_num_streams(MAX_YAMUX_STREAMS)
        .set_max_connection_receive_window(Some(MAX_YAMUX_UNREAD_BYTES));
    config
}

/// A connection that carries many streams.
pub(crate) struct Muxer<S> {
    connection: Connection<Split<S>>,
    unread: Unread,
    /// yamux makes progress only while it is asked for inbound streams, so
    /// some may come while the swarm does not want any.
    waiting: VecDeque<Stream>,
    wanted: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Muxer<S> {
    /// Begins to multiplex a secured stream; `dialled` says which end this is.
    pub(crate) fn new(socket: S, dialled: bool) -> Self {
        let mode = if dialled { Mode::Client } else { Mode::Server };
        let socket = Split::new(socket, MAX_YAMUX_FRAME_BYTES);
        Self {
            unread: socket.unread().clone(),
            connection: Connection::new(socket, config(), mode),
            waiting: VecDeque::new(),
            wanted: None,
        }
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let stream = ready!(self.connection.poll_next_inbound(cx));
        let stream = stream.unwrap_or(Err(ConnectionError::Closed)).map_err(Error)?;
        Poll::Ready(Ok(Stream::new(stream, self.unread.clone())))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<S> {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        if let Poll::Ready(result) = self.poll_connection(cx) {
            return Poll::Ready(result);
        }
        self.wanted = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(self.connection.poll_new_outbound(cx)).map_err(Error)?;
        Poll::Ready(Ok(Stream::new(stream, self.unread.clone())))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connection.poll_close(cx).map_err(Error)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        let stream = ready!(self.poll_connection(cx))?;
        if self.waiting.len() < MAX_YAMUX_WAITING_STREAMS {
            self.waiting.push_back(stream);
            if let Some(waker) = self.wanted.take() {
                waker.wake();
            }
        } else {
            tracing::debug!("refusing a stream: too many wait already");
        }
        // More may have come; let other connections have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Why a yamux connection ended.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Error(ConnectionError);

impl From<Error> for io::Error {
    fn from(Error(error): Error) -> Self {
        match error {
            ConnectionError::Io(error) => error,
            other => Self::other(other),
        }
    }
}
