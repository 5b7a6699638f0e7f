//! The stream that we open to a peer, and keep for a while.

use std::{io, time::Duration};

use futures::AsyncWriteExt as _;
use peerage_core::exchange::bitswap::Version;
use tokio::time::timeout;

use super::{protocols, version_of};
use crate::node::{Node, OpenStreamError, PeerId, Stream};

/// How long an unused stream is kept: less than the 10 s after which Helia ends
/// one by force, when a message could be lost.
pub(super) const KEEP: Duration = Duration::from_secs(5);

/// How long a peer may take to read a message of ours.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// How long a peer may take to agree on a stream.
const OPEN_TIME: Duration = Duration::from_secs(15);

/// Why a peer was not told something.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Open(#[from] OpenStreamError),
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    #[error("the peer does not read what it is sent")]
    TooSlow,
}

/// Speaks to one peer over a stream that is opened when it is needed.
pub(super) struct Outgoing {
    node: Node,
    peer: PeerId,
    stream: Option<Stream>,
}

impl Outgoing {
    pub(super) fn new(node: Node, peer: PeerId) -> Self {
        Self { node, peer, stream: None }
    }

    /// The version of bitswap that the peer speaks.
    pub(super) async fn version(&mut self) -> Result<Version, SendError> {
        let protocol = self.stream().await?.protocol();
        Ok(version_of(protocol))
    }

    /// Writes whole messages. A stream that was kept may have ended by now:
    /// then a new one is tried.
    pub(super) async fn write(&mut self, frame: &[u8]) -> Result<(), SendError> {
        let kept = self.stream.is_some();
        match self.try_write(frame).await {
            Err(SendError::Io(_)) if kept => self.try_write(frame).await,
            done => done,
        }
    }

    /// Ends the stream in order.
    pub(super) async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            let _ = timeout(KEEP, stream.close()).await;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    async fn try_write(&mut self, frame: &[u8]) -> Result<(), SendError> {
        let stream = self.stream().await?;
        let writing = async {
            stream.write_all(frame).await?;
            stream.flush().await
        };
        let done = timeout(WRITE_TIME, writing).await;
        if !matches!(done, Ok(Ok(()))) {
            self.stream = None;
        }
        Ok(done.map_err(|_| SendError::TooSlow)??)
    }

    async fn stream(&mut self) -> Result<&mut Stream, SendError> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let names = protocols();
                let opening = self.node.open_stream_any(self.peer, &names);
                timeout(OPEN_TIME, opening).await.map_err(|_| SendError::TooSlow)??
            }
        };
        Ok(self.stream.insert(stream))
    }
}
