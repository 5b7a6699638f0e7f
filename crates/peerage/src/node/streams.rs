//! Opens and accepts streams: the registry that a node and its connections
//! share, and the swarm's behaviour around it.
//!
//! `libp2p-stream` does the same in less, but drops streams that come while
//! another one waits to be accepted, opens one stream after another, and
//! takes a random connection of the peer; so this is our own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::limits::MAX_QUEUED_STREAM_REQUESTS;
use futures::channel::oneshot;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::sync::mpsc;

use super::error::{AcceptError, OpenStreamError};
use super::stream::{Activity, Slot, Stream};
use super::stream_handler::Handler;
use super::{Connection, Direction, NodeLimits};
use crate::routing::TransportKind;

/// A wish to open a stream on a connection, for the first of the protocols
/// that the peer speaks.
pub(super) struct OpenRequest {
    pub(super) protocols: Arc<[StreamProtocol]>,
    pub(super) reply: oneshot::Sender<Result<Stream, OpenStreamError>>,
}

/// What all handles of a node and all its connections share.
#[derive(Clone)]
pub(super) struct Streams {
    registry: Arc<Mutex<Registry>>,
    incoming: Arc<AtomicUsize>,
    limits: NodeLimits,
    own: PeerId,
}

#[derive(Default)]
struct Registry {
    accepted: HashMap<StreamProtocol, mpsc::Sender<(PeerId, Stream)>>,
    /// The keys of `accepted`, ready to be handed to each connection.
    protocols: Arc<[StreamProtocol]>,
    lines: HashMap<PeerId, Vec<Line>>,
}

/// The way to one connection.
struct Line {
    id: ConnectionId,
    rank: Rank,
    requests: mpsc::Sender<OpenRequest>,
    activity: Activity,
}

/// Which of a peer's connections new streams take: the greatest. Of two of a
/// kind, the one that the lesser peer id has dialled: when two peers dial each
/// other at once, both take the same one. Then the newest: the one that is most
/// surely alive.
type Rank = (TransportKind, bool, ConnectionId);

impl Streams {
    pub(super) fn new(limits: NodeLimits, own: PeerId) -> Self {
        Self { registry: Arc::default(), incoming: Arc::default(), limits, own }
    }

    /// The rank of a connection.
    pub(super) fn rank(&self, id: ConnectionId, connection: &Connection) -> Rank {
        let outgoing = connection.direction == Direction::Outgoing;
        (connection.path.transport, outgoing == (self.own < connection.peer), id)
    }

    /// Ranks a connection anew, when its packets go another way.
    pub(super) fn set_rank(&self, id: ConnectionId, connection: &Connection) {
        let rank = self.rank(id, connection);
        let mut registry = self.registry();
        let lines = registry.lines.get_mut(&connection.peer);
        if let Some(line) = lines.and_then(|lines| lines.iter_mut().find(|line| line.id == id)) {
            line.rank = rank;
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
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
        let requests = self.registry().best_line(&peer);
        request(requests, protocols).await
    }

    /// Opens a stream on one connection.
    pub(super) async fn open_on(
        &self,
        peer: PeerId,
        id: ConnectionId,
        protocol: StreamProtocol,
    ) -> Result<Stream, OpenStreamError> {
        let requests = self.registry().line(&peer, id).map(|line| line.requests.clone());
        request(requests, [protocol].into()).await
    }

    /// A number that changes while streams of a connection get through.
    pub(super) fn activity(&self, peer: &PeerId, id: ConnectionId) -> Option<u64> {
        self.registry().line(peer, id).map(|line| line.activity.mark())
    }

    fn add_line(&self, peer: PeerId, id: ConnectionId, address: &Multiaddr) -> Handler {
        let (requests, wanted) = mpsc::channel(MAX_QUEUED_STREAM_REQUESTS);
        let activity = Activity::default();
        let rank = (TransportKind::of(address), false, id);
        let line = Line { id, rank, requests, activity: activity.clone() };
        self.registry().lines.entry(peer).or_default().push(line);
        Handler::new(peer, self.clone(), wanted, activity)
    }

    pub(super) fn remove_line(&self, peer: PeerId, id: ConnectionId) {
        let mut registry = self.registry();
        if let Some(lines) = registry.lines.get_mut(&peer) {
            lines.retain(|line| line.id != id);
            if lines.is_empty() {
                registry.lines.remove(&peer);
            }
        }
    }
}

async fn request(
    requests: Option<mpsc::Sender<OpenRequest>>,
    protocols: Arc<[StreamProtocol]>,
) -> Result<Stream, OpenStreamError> {
    let requests = requests.ok_or(OpenStreamError::ConnectionLost)?;
    let (reply, answer) = oneshot::channel();
    requests
        .send(OpenRequest { protocols, reply })
        .await
        .map_err(|_| OpenStreamError::ConnectionLost)?;
    answer.await.map_err(|_| OpenStreamError::ConnectionLost)?
}

impl Registry {
    fn line(&self, peer: &PeerId, id: ConnectionId) -> Option<&Line> {
        self.lines.get(peer)?.iter().find(|line| line.id == id)
    }

    fn best_line(&self, peer: &PeerId) -> Option<mpsc::Sender<OpenRequest>> {
        self.lines
            .get(peer)?
            .iter()
            .filter(|line| !line.requests.is_closed())
            .max_by_key(|line| line.rank)
            .map(|line| line.requests.clone())
    }

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

/// The swarm's side: keeps one line to each connection.
pub(super) struct Behaviour {
    streams: Streams,
}

impl Behaviour {
    pub(super) fn new(streams: Streams) -> Self {
        Self { streams }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.streams.add_line(peer, id, remote))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.streams.add_line(peer, id, remote))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.streams.remove_line(closed.peer_id, closed.connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
