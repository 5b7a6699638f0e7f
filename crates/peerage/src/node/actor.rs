//! The node's task: owns the swarm, and decides. It carries no payload.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::oneshot;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify};
use peerage_core::limits;
use tokio::sync::{broadcast, mpsc};

use super::attempt::{Attempt, Waiter};
use super::behaviour::{Behaviour, BehaviourEvent};
use super::error::ConnectError;
use super::event::{Connection, Direction, DisconnectReason, NodeEvent};
use super::ping::Watch;
use super::reasons;
use super::state::{Identity, State};
use super::streams::Streams;
use crate::routing::{Path, PathTable, without_peer};

/// How long peers have, in the end, to take note that the node leaves.
const GOODBYE: Duration = Duration::from_millis(500);

/// What handles ask of the task.
pub(super) enum Command {
    Connect {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        waiter: Waiter,
    },
    Disconnect {
        peer: PeerId,
        done: oneshot::Sender<()>,
    },
    /// A peer answers no more on a connection.
    Hangs {
        peer: PeerId,
        id: ConnectionId,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
}

pub(super) struct Actor {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) state: Arc<State>,
    pub(super) streams: Streams,
    pub(super) paths: Arc<PathTable>,
    pub(super) events: broadcast::Sender<NodeEvent>,
    pub(super) attempts: HashMap<PeerId, Attempt>,
    /// For the tasks that watch connections; they keep no node alive.
    pub(super) commands: mpsc::WeakSender<Command>,
}

impl Actor {
    /// Runs until the last handle is gone, or one of them ends it.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let last_word = loop {
            self.advance();
            let next_dial = self.attempts.values().filter_map(Attempt::next_at).min();
            let pause = sleep_until(next_dial);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = commands.recv() => match command {
                    Some(Command::Shutdown { done }) => break Some(done),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                () = pause => {}
            }
        };
        commands.close();
        self.leave().await;
        if let Some(done) = last_word {
            let _ = done.send(());
        }
    }

    /// Ends every connection in order, as far as the peers take part.
    async fn leave(mut self) {
        self.attempts.clear();
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let _ = tokio::time::timeout(GOODBYE, async {
            while self.swarm.connected_peers().next().is_some() {
                let event = self.swarm.select_next_some().await;
                self.on_event(event);
            }
        })
        .await;
        self.state.peers_mut().clear();
        self.state.set_listening(Vec::new());
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Connect { peer, addresses, waiter } => self.connect(peer, &addresses, waiter),
            Command::Disconnect { peer, done } => {
                let _ = self.swarm.disconnect_peer_id(peer);
                let _ = done.send(());
            }
            Command::Hangs { peer, id } => self.give_up(peer, id),
            Command::Shutdown { .. } => {}
        }
    }

    fn connect(&mut self, peer: PeerId, addresses: &[Multiaddr], waiter: Waiter) {
        if let Some(connection) = self.state.connection(&peer) {
            let _ = waiter.send(Ok(connection));
            return;
        }
        if !self.attempts.contains_key(&peer) {
            self.attempts.retain(|_, attempt| !attempt.is_abandoned());
            if self.attempts.len() >= limits::MAX_CONNECT_ATTEMPTS {
                let _ = waiter.send(Err(ConnectError::Busy));
                return;
            }
        }
        let known = self.state.book().of(&peer);
        let now = Instant::now();
        let attempt = self.attempts.entry(peer).or_insert_with(|| Attempt::new(peer, &[], now));
        attempt.add_addresses(addresses);
        attempt.add_addresses(&known);
        attempt.add_waiter(waiter);
    }

    /// Dials what is due, and ends attempts that have nothing left to try.
    fn advance(&mut self) {
        let now = Instant::now();
        let peers: Vec<PeerId> = self.attempts.keys().copied().collect();
        for peer in peers {
            while let Some(address) = self.attempts.get_mut(&peer).and_then(|a| a.next(now)) {
                self.dial(peer, address);
            }
            if self.attempts.get(&peer).is_some_and(Attempt::is_over)
                && let Some(attempt) = self.attempts.remove(&peer)
            {
                attempt.fail();
            }
        }
    }

    /// Dials one address by itself: dialled together, one address that has
    /// become another peer's would end the attempts at all others.
    fn dial(&mut self, peer: PeerId, address: Multiaddr) {
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(vec![address.clone()])
            .allocate_new_port()
            .build();
        let id = options.connection_id();
        let result = self.swarm.dial(options);
        let Some(attempt) = self.attempts.get_mut(&peer) else { return };
        match result {
            Ok(()) => attempt.began(id, address),
            Err(error) => attempt.note_failure(address, reasons::of_dial(&error)),
        }
    }

    pub(super) fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let address = endpoint.get_remote_address();
                let path = self.paths.take(peer_id, &endpoint).unwrap_or(Path::of(address));
                let direction = match endpoint.is_dialer() {
                    true => Direction::Outgoing,
                    false => Direction::Incoming,
                };
                let address = without_peer(address);
                let connection = Connection { peer: peer_id, address, path, direction };
                self.on_connected(connection_id, connection);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.forget(peer_id, connection_id, DisconnectReason::of(cause.as_ref()));
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.on_dial_failed(connection_id, peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not set up");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.list_addresses();
                self.tell(NodeEvent::Listening(address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.list_addresses();
                self.tell(NodeEvent::NotListening(address));
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::warn!(?reason, "a listener has ended");
                self.list_addresses();
                for address in addresses {
                    self.tell(NodeEvent::NotListening(address));
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.on_identify(event),
            _ => {}
        }
    }

    /// Tells whoever listens; that nobody does is no fault.
    fn tell(&self, event: NodeEvent) {
        let _ = self.events.send(event);
    }

    fn list_addresses(&self) {
        self.state.set_listening(self.swarm.listeners().map(without_peer).collect());
    }

    fn on_connected(&mut self, id: ConnectionId, connection: Connection) {
        let peer = connection.peer;
        tracing::debug!(%peer, address = %connection.address, path = %connection.path, "connected");
        if connection.direction == Direction::Outgoing {
            self.state.book().add(peer, std::slice::from_ref(&connection.address));
        }
        let first = self.state.add_connection(id, connection.clone());
        self.watch(peer, id);
        if let Some(attempt) = self.attempts.remove(&peer) {
            attempt.succeed(&connection);
        }
        if first {
            self.tell(NodeEvent::Connected(connection));
        }
    }

    fn on_dial_failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        let Some(attempt) = peer.and_then(|peer| self.attempts.get_mut(&peer)) else { return };
        match error {
            DialError::WrongPeerId { obtained, .. } => attempt.found_other(id, *obtained),
            other => attempt.failed(id, reasons::of_dial(other)),
        };
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        if let Some(kademlia) = self.swarm.behaviour_mut().kademlia.as_mut() {
            kademlia.on_identified(peer_id, &info);
        }
        let mut addresses = info.listen_addrs;
        addresses.truncate(limits::MAX_ADDRESSES_PER_PEER);
        self.state.book().add(peer_id, &addresses);
        let mut protocols = info.protocols;
        protocols.truncate(limits::MAX_PROTOCOLS_PER_PEER);
        let agent = reasons::shorten(&info.agent_version, limits::MAX_AGENT_BYTES).to_owned();
        if let Some(state) = self.state.peers_mut().get_mut(&peer_id) {
            state.identity = Some(Identity { agent, protocols, listen_addresses: addresses });
        }
        self.tell(NodeEvent::Identified(peer_id));
    }

    /// Ends a connection whose peer hangs. It counts as gone from now on:
    /// ending it in order may take until the transport gives up too.
    fn give_up(&mut self, peer: PeerId, id: ConnectionId) {
        self.streams.remove_line(peer, id);
        self.forget(peer, id, DisconnectReason::Vanished);
        self.swarm.close_connection(id);
    }

    fn forget(&mut self, peer: PeerId, id: ConnectionId, reason: DisconnectReason) {
        tracing::debug!(%peer, %reason, "connection ended");
        if self.state.remove_connection(&peer, id) {
            self.tell(NodeEvent::Disconnected { peer, reason });
        }
    }

    fn watch(&self, peer: PeerId, id: ConnectionId) {
        let (streams, state) = (self.streams.clone(), Arc::clone(&self.state));
        let watch = Watch { peer, id, streams, state, commands: self.commands.clone() };
        tokio::spawn(watch.run());
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
