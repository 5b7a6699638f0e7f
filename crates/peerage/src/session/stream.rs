//! The promise of the whole: a peer id in, a duplex stream out.

use libp2p::{PeerId, StreamProtocol};

use super::{
    Session,
    reach::{ReachError, Reaching, StreamError},
};
use crate::node::{AcceptError, Connection, IncomingStreams, OpenStreamError, Stream};

impl Session {
    /// Connects to a peer that is known by its id alone, and returns at once when
    /// it is connected already.
    ///
    /// Every way of finding peers is asked at the same time, the node's address
    /// book is tried, and in the end its hubs are; the first address that answers
    /// is used. Over a relay, the search for a better path goes on behind.
    ///
    /// # Errors
    ///
    /// [`ReachError::NotReached`] when every way has said what it knows and none
    /// of it led to the peer, or after [`REACH_TIME`](super::REACH_TIME).
    pub async fn connect(&self, peer: PeerId) -> Result<Connection, ReachError> {
        self.connect_with(peer, &Reaching::default()).await
    }

    /// As [`connect`](Self::connect), with addresses, a deadline or patience of
    /// one's own.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub async fn connect_with(
        &self,
        peer: PeerId,
        how: &Reaching,
    ) -> Result<Connection, ReachError> {
        self.inner.reacher.reach(peer, how).await
    }

    /// Opens a stream to a peer that is known by its id alone, and connects to it
    /// before as [`connect`](Self::connect) does. The best connection carries it;
    /// one that roams takes the stream along when either side moves.
    ///
    /// ```no_run
    /// # async fn example(session: &peerage::session::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures::AsyncWriteExt;
    /// use peerage::StreamProtocol;
    ///
    /// let friend = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?;
    /// let mut stream = session.open_stream(friend, StreamProtocol::new("/chat/1")).await?;
    /// stream.write_all(b"hello").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the peer is not reached, or opens no stream of this protocol.
    pub async fn open_stream(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> Result<Stream, StreamError> {
        self.open_stream_with(peer, protocol, &Reaching::default()).await
    }

    /// As [`open_stream`](Self::open_stream), with addresses, a deadline or
    /// patience of one's own.
    ///
    /// # Errors
    ///
    /// As for [`open_stream`](Self::open_stream).
    pub async fn open_stream_with(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
        how: &Reaching,
    ) -> Result<Stream, StreamError> {
        self.connect_with(peer, how).await?;
        match self.node().open_stream(peer, protocol.clone()).await {
            // A connection of before that the peer, or the path, had left: only
            // its use shows that.
            Err(OpenStreamError::ConnectionLost | OpenStreamError::Connect(_)) => {
                self.connect_with(peer, how).await?;
                Ok(self.node().open_stream(peer, protocol).await?)
            }
            opened => Ok(opened?),
        }
    }

    /// Accepts the streams that peers open for a protocol, from now on until the
    /// result is dropped: the other half of [`open_stream`](Self::open_stream).
    ///
    /// # Errors
    ///
    /// When someone else accepts the protocol already.
    pub fn accept(&self, protocol: StreamProtocol) -> Result<IncomingStreams, AcceptError> {
        self.node().accept(protocol)
    }
}
