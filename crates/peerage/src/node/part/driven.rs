//! A behaviour that emits events, as a part with a handle.

use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use super::Part;

/// How many commands wait for the swarm; more make their senders wait.
const COMMANDS: usize = 64;

/// A behaviour of libp2p, or any other, as a [`Part`]: commands reach it by a
/// channel, and its events end in a function. The sender of that channel is what
/// a protocol makes its handle of.
///
/// Both functions run in the node's task: they must not wait. A function that
/// passes events on sends them by `try_send`, and decides what is lost when
/// nobody reads.
pub struct Driven<B: NetworkBehaviour, C> {
    behaviour: B,
    commands: mpsc::Receiver<C>,
    on_command: Act<B, C>,
    on_event: Act<B, B::ToSwarm>,
}

/// What is done with a behaviour and something that came for it, or from it.
type Act<B, T> = Box<dyn FnMut(&mut B, T) + Send>;

impl<B: NetworkBehaviour, C> Driven<B, C> {
    /// The part, and where to send its commands: at most 64 wait.
    pub fn new(
        behaviour: B,
        on_command: impl FnMut(&mut B, C) + Send + 'static,
        on_event: impl FnMut(&mut B, B::ToSwarm) + Send + 'static,
    ) -> (Self, mpsc::Sender<C>) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (on_command, on_event) = (Box::new(on_command), Box::new(on_event));
        (Self { behaviour, commands, on_command, on_event }, sender)
    }
}

impl<B: NetworkBehaviour + Send, C: Send + 'static> Part for Driven<B, C> {}

impl<B: NetworkBehaviour, C: 'static> NetworkBehaviour for Driven<B, C> {
    type ConnectionHandler = B::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.behaviour.handle_pending_inbound_connection(id, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.behaviour.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.behaviour.handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.behaviour.handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.behaviour.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.behaviour.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        loop {
            while let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
                (self.on_command)(&mut self.behaviour, command);
            }
            match self.behaviour.poll(cx) {
                Poll::Ready(ToSwarm::GenerateEvent(event)) => {
                    (self.on_event)(&mut self.behaviour, event);
                }
                Poll::Ready(other) => {
                    return Poll::Ready(other.map_out(|_| unreachable!("events stay here")));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
