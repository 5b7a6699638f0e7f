//! The swarm's side of streams: a handler on each connection, and the line to
//! it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::pool::Origin;

use super::line::Line;
use super::stream::Activity;
use super::stream_handler::Handler;
use super::streams::Streams;
use crate::routing::{OurRelays, origin};

pub(super) struct Behaviour {
    streams: Streams,
    ours: OurRelays,
    /// The lines to connections that are being established: another behaviour
    /// may still refuse them.
    arriving: HashMap<ConnectionId, Line>,
}

impl Behaviour {
    pub(super) fn new(streams: Streams, ours: OurRelays) -> Self {
        Self { streams, ours, arriving: HashMap::new() }
    }

    /// Takes the line to a connection that has just been established.
    pub(super) fn take(&mut self, id: ConnectionId) -> Option<Line> {
        self.arriving.remove(&id)
    }

    fn handler(&mut self, peer: PeerId, id: ConnectionId, origin: Origin) -> Handler {
        let activity = Activity::default();
        let (line, wanted) = Line::new(activity.clone());
        self.arriving.insert(id, line);
        Handler::new(peer, origin, self.streams.clone(), wanted, activity)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let origin = origin(peer, remote, local, &self.ours);
        Ok(self.handler(peer, id, origin))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        let origin = origin(peer, remote, &Multiaddr::empty(), &self.ours);
        Ok(self.handler(peer, id, origin))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let refused = match event {
            FromSwarm::ListenFailure(failure) => failure.connection_id,
            FromSwarm::DialFailure(failure) => failure.connection_id,
            _ => return,
        };
        self.arriving.remove(&refused);
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
