//! Opens and accepts streams: the registry that a node and its connections
//! share.
//!
//! `libp2p-stream` does the same in less, but drops streams that come while
//! another one waits to be accepted, opens one stream after another, and
//! takes a random connection of the peer; so this is our own.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use libp2p::{PeerId, StreamProtocol};
use tokio::sync::mpsc;

use super::NodeLimits;
use super::connections::Connections;
use super::error::{AcceptError, OpenStreamError};
use super::stream::{Slot, Stream};
use crate::sync::lock;

/// What all handles of a node and all its connections share.
#[derive(Clone)]
pub(super) struct Streams {
    registry: Arc<Mutex<Registry>>,
    incoming: Arc<AtomicUsize>,
    limits: NodeLimits,
    connections: Connections,
}

#[derive(Default)]
struct Registry {
    accepted: HashMap<StreamProtocol, mpsc::Sender<(PeerId, Stream)>>,
    /// The keys of `accepted`, ready to be handed to each connection.
    protocols: Arc<[StreamProtocol]>,
}

impl Streams {
    pub(super) fn new(limits: NodeLimits, connections: Connections) -> Self {
        Self { registry: Arc::default(), incoming: Arc::default(), limits, connections }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    pub(super) fn limits(&self) -> &NodeLimits {
        &self.limits
    }

    /// What inbound streams may ask for.
    pub(super) fn protocols(&self) -> Arc<[StreamProtocol]> {
        Arc::clone(&self.registry().protocols)
    }

    /// A place among all streams that others opened.
    pub(super) fn incoming_slot(&self) -> Option<Slot> {
        Slot::take(&self.incoming, self.limits.incoming_streams)
    }

    /// Hands an inbound stream to whoever accepts its protocol; refuses it
    /// when too many wait already.
    pub(super) fn deliver(&self, peer: PeerId, stream: Stream) {
        let sender = self.registry().accepted.get(stream.protocol()).cloned();
        let Some(sender) = sender else { return };
        if let Err(error) = sender.try_send((peer, stream)) {
            tracing::debug!(%peer, %error, "refusing a stream that nobody accepts");
        }
    }

    pub(super) fn accept(
        &self,
        protocols: &[StreamProtocol],
    ) -> Result<IncomingStreams, AcceptError> {
        let mut registry = self.registry();
        registry.accepted.retain(|_, sender| !sender.is_closed());
        if let Some(taken) = protocols.iter().find(|name| registry.accepted.contains_key(*name)) {
            return Err(AcceptError::Taken(taken.clone()));
        }
        let (sender, streams) = mpsc::channel(self.limits.unaccepted_streams.max(1));
        for protocol in protocols {
            registry.accepted.insert(protocol.clone(), sender.clone());
        }
        registry.list_protocols();
        Ok(IncomingStreams { streams, all: self.clone() })
    }

    /// Opens a stream on the best connection to a connected peer.
    pub(super) async fn open(
        &self,
        peer: PeerId,
        protocols: Arc<[StreamProtocol]>,
    ) -> Result<Stream, OpenStreamError> {
        let line = self.connections.best_line(&peer).ok_or(OpenStreamError::ConnectionLost)?;
        line.open(protocols).await
    }
}

impl Registry {
    fn list_protocols(&mut self) {
        self.protocols = self.accepted.keys().cloned().collect();
    }
}

/// The streams that peers open for the accepted protocols, one by one, with
/// the peer that opened each. Dropping it ends the acceptance.
#[must_use = "streams are accepted only while this is held and read"]
pub struct IncomingStreams {
    streams: mpsc::Receiver<(PeerId, Stream)>,
    all: Streams,
}

impl futures::Stream for IncomingStreams {
    type Item = (PeerId, Stream);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.streams.poll_recv(cx)
    }
}

impl Drop for IncomingStreams {
    fn drop(&mut self) {
        self.streams.close();
        let mut registry = self.all.registry();
        registry.accepted.retain(|_, sender| !sender.is_closed());
        registry.list_protocols();
    }
}
