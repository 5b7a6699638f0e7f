//! The way to one connection, for whoever wants a stream on it.

use std::sync::Arc;

use futures::channel::oneshot;
use libp2p::StreamProtocol;
use tokio::sync::mpsc;

use super::error::OpenStreamError;
use super::stream::{Activity, Stream};
use crate::limits::MAX_QUEUED_STREAM_REQUESTS;

/// A wish to open a stream on a connection, for the first of the protocols
/// that the peer speaks.
pub(super) struct OpenRequest {
    pub(super) protocols: Arc<[StreamProtocol]>,
    pub(super) reply: oneshot::Sender<Result<Stream, OpenStreamError>>,
}

/// The way to one connection.
#[derive(Clone)]
pub(super) struct Line {
    requests: mpsc::Sender<OpenRequest>,
    activity: Activity,
}

impl Line {
    /// A line to a connection, and the end of it that the connection reads.
    pub(super) fn new(activity: Activity) -> (Self, mpsc::Receiver<OpenRequest>) {
        let (requests, wanted) = mpsc::channel(MAX_QUEUED_STREAM_REQUESTS);
        (Self { requests, activity }, wanted)
    }

    /// Whether the connection reads no more.
    pub(super) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// A number that changes while streams of the connection get through.
    pub(super) fn activity(&self) -> u64 {
        self.activity.mark()
    }

    /// Opens a stream for the first of the protocols that the peer speaks.
    pub(super) async fn open(
        &self,
        protocols: Arc<[StreamProtocol]>,
    ) -> Result<Stream, OpenStreamError> {
        let (reply, answer) = oneshot::channel();
        let request = OpenRequest { protocols, reply };
        self.requests.send(request).await.map_err(|_| OpenStreamError::ConnectionLost)?;
        answer.await.map_err(|_| OpenStreamError::ConnectionLost)?
    }
}
