//! The node's task: owns the swarm, and decides. It carries no payload.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits;
use futures::StreamExt;
use futures::channel::oneshot;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify};
use tokio::sync::{Notify, broadcast, mpsc};

use super::attempt::{Attempt, Waiter};
use super::behaviour::{self, Behaviour};
use super::error::ConnectError;
use super::event::{Connection, Direction, DisconnectReason, NodeEvent};
use super::hubs::Hubs;
use super::part::Part;
use super::ping::Watch;
use super::reach::follow;
use super::reasons;
use super::report::Reach;
use super::state::{Identity, State};
use super::streams::Streams;
use crate::routing::{Path, PathTable, Roaming, TransportKind, without_peer};

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
    /// The packets of a connection go to another place now.
    Moved {
        peer: PeerId,
        id: ConnectionId,
        place: Multiaddr,
    },
    /// The router maps an address to `inside`, or does no more.
    Mapped {
        inside: Multiaddr,
        outside: Option<Multiaddr>,
    },
    /// Somebody says where a peer is.
    Hint {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    /// Who is at an address?
    WhoIs {
        address: Multiaddr,
        reply: oneshot::Sender<PeerId>,
    },
    /// How is this node reached?
    Report {
        reply: oneshot::Sender<Reach>,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
}

pub(super) struct Actor<P: Part> {
    pub(super) swarm: Swarm<Behaviour<P>>,
    pub(super) state: Arc<State>,
    pub(super) streams: Streams,
    pub(super) paths: Arc<PathTable>,
    pub(super) events: broadcast::Sender<NodeEvent>,
    pub(super) attempts: HashMap<PeerId, Attempt>,
    /// Who waits to hear which peer a connection leads to.
    pub(super) strangers: HashMap<ConnectionId, oneshot::Sender<PeerId>>,
    pub(super) hubs: Hubs,
    pub(super) roaming: Option<Roaming>,
    /// By which the watch of each connection is told to doubt it.
    pub(super) doubts: HashMap<ConnectionId, Arc<Notify>>,
    /// When the addresses of this host last changed, while it ran.
    pub(super) changed_at: Option<Instant>,
    pub(super) runs: bool,
    /// What is noted for the report.
    pub(super) reach: Reach,
    /// Whether to ask the router for them, and what it maps to our addresses.
    pub(super) maps_ports: bool,
    pub(super) mapped: HashMap<Multiaddr, Option<Multiaddr>>,
    /// What this node does for others makes its addresses worth telling.
    pub(super) serves: bool,
    /// For the tasks that watch connections; they keep no node alive.
    pub(super) commands: mpsc::WeakSender<Command>,
}

impl<P: Part> Actor<P> {
    /// Runs until the last handle is gone, or one of them ends it.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.runs = true;
        let last_word = loop {
            self.advance();
            let next_dial = self.attempts.values().filter_map(Attempt::next_at).min();
            let pause = sleep_until(next_dial.into_iter().chain(self.hubs.next_at()).min());
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
        if let Some(roaming) = &self.roaming {
            let _ = tokio::time::timeout(GOODBYE, roaming.close()).await;
        }
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
            Command::Moved { peer, id, place } => self.on_moved(peer, id, place),
            Command::WhoIs { address, reply } => self.ask_who_is(address, reply),
            Command::Hint { peer, addresses } => {
                let worth = self.worth_dialling(&addresses);
                self.state.book().add(peer, &worth);
            }
            Command::Report { reply } => {
                let _ = reply.send(self.report());
            }
            Command::Mapped { inside, outside } => self.on_mapped(inside, outside),
            Command::Shutdown { .. } => {}
        }
    }

    fn connect(&mut self, peer: PeerId, addresses: &[Multiaddr], waiter: Waiter) {
        if let Some(connection) = self.state.connection(&peer) {
            let _ = waiter.send(Ok(connection));
            return;
        }
        match self.attempt(peer, addresses) {
            Some(attempt) => attempt.add_waiter(waiter),
            None => {
                let _ = waiter.send(Err(ConnectError::Busy));
            }
        }
    }

    /// The attempt to connect to a peer, at these addresses and those that are
    /// known; `None` when too many are under way.
    pub(super) fn attempt(
        &mut self,
        peer: PeerId,
        addresses: &[Multiaddr],
    ) -> Option<&mut Attempt> {
        if !self.attempts.contains_key(&peer) {
            self.attempts.retain(|_, attempt| !attempt.is_abandoned());
            if self.attempts.len() >= limits::MAX_CONNECT_ATTEMPTS {
                return None;
            }
        }
        let known = self.state.book().of(&peer);
        let now = Instant::now();
        let attempt = self.attempts.entry(peer).or_insert_with(|| Attempt::new(peer, &[], now));
        attempt.add_addresses(addresses);
        attempt.add_addresses(&known);
        Some(attempt)
    }

    /// Dials what is due, and ends attempts that have nothing left to try.
    fn advance(&mut self) {
        let now = Instant::now();
        for (peer, addresses) in self.hubs.due(now) {
            self.dial_hub(peer, addresses);
        }
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

    pub(super) fn on_event(&mut self, event: SwarmEvent<behaviour::Event>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
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
                if self.serves && is_elsewhere(&address) {
                    self.swarm.add_external_address(address.clone());
                }
                self.on_address_changed(&address);
                self.map(&address);
                self.tell(NodeEvent::Listening(address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.on_address_changed(&address);
                self.tell(NodeEvent::NotListening(address));
            }
            SwarmEvent::ExternalAddrConfirmed { .. } | SwarmEvent::ExternalAddrExpired { .. } => {
                self.list_addresses();
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                tracing::warn!(?reason, "a listener has ended");
                if let Some(hub) = self.hubs.lapsed(listener_id) {
                    self.reserve(hub);
                }
                self.list_addresses();
                for address in addresses {
                    self.tell(NodeEvent::NotListening(address));
                }
            }
            SwarmEvent::Behaviour(behaviour::Event::Identify(event)) => self.on_identify(*event),
            SwarmEvent::Behaviour(behaviour::Event::Reachability(verdict)) => {
                self.reach.note(verdict, limits::MAX_REACHABILITY_ADDRESSES);
            }
            _ => {}
        }
    }

    /// Tells whoever listens; that nobody does is no fault.
    pub(super) fn tell(&self, event: NodeEvent) {
        let _ = self.events.send(event);
    }

    pub(super) fn list_addresses(&self) {
        let (listening, seen) = (self.swarm.listeners(), self.swarm.external_addresses());
        let mut addresses: Vec<Multiaddr> = Vec::new();
        for address in listening.chain(seen).map(without_peer) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        self.state.set_listening(addresses);
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        if let Some(reply) = self.strangers.remove(&id) {
            let _ = reply.send(peer);
        }
        let address = endpoint.get_remote_address();
        let known = self.paths.take(peer, endpoint);
        let known = known.unwrap_or_else(|| Path::of(address).into());
        let direction = match endpoint.is_dialer() {
            true => Direction::Outgoing,
            false => Direction::Incoming,
        };
        let connection =
            Connection { peer, address: without_peer(address), path: known.path, direction };
        match known.roams {
            None => self.on_connected(id, connection),
            Some((place, moves)) => {
                self.on_connected(id, connection);
                self.on_moved(peer, id, place);
                tokio::spawn(follow(peer, id, moves, self.commands.clone()));
            }
        }
    }

    /// Notes where the packets of a roaming connection go now.
    fn on_moved(&mut self, peer: PeerId, id: ConnectionId, place: Multiaddr) {
        let path = Path::roaming(&place);
        let moved = self.state.move_connection(&peer, id, place, path, &self.streams);
        let Some(connection) = moved else { return };
        tracing::debug!(%peer, address = %connection.address, %path, "moved");
        self.settle(&connection);
        self.tell(NodeEvent::PathChanged(connection));
    }

    /// Answers those who wait for a peer. While the connection is relayed, the
    /// attempt goes on for a direct one.
    fn settle(&mut self, connection: &Connection) {
        let Some(attempt) = self.attempts.get_mut(&connection.peer) else { return };
        attempt.succeed(connection);
        if !connection.path.transport.is_relayed() {
            self.attempts.remove(&connection.peer);
        }
    }

    fn on_connected(&mut self, id: ConnectionId, connection: Connection) {
        let peer = connection.peer;
        tracing::debug!(%peer, address = %connection.address, path = %connection.path, "connected");
        if connection.direction == Direction::Outgoing {
            self.state.book().add(peer, std::slice::from_ref(&connection.address));
        }
        self.streams.set_rank(id, &connection);
        let first = self.state.add_connection(id, connection.clone(), &self.streams);
        if self.hubs.connected(&peer) {
            self.on_hub_back(peer);
        }
        self.doubt(&peer);
        self.watch(id, &connection);
        self.settle(&connection);
        match first {
            true => self.tell(NodeEvent::Connected(connection)),
            false => self.tell(NodeEvent::PathChanged(connection)),
        }
    }

    fn on_dial_failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        self.strangers.remove(&id);
        let Some(attempt) = peer.and_then(|peer| self.attempts.get_mut(&peer)) else { return };
        match error {
            DialError::WrongPeerId { obtained, .. } => attempt.found_other(id, *obtained),
            other => attempt.failed(id, reasons::of_dial(other)),
        };
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        self.swarm.behaviour_mut().parts.on_identified(peer_id, &info);
        let mut addresses = info.listen_addrs;
        addresses.truncate(limits::MAX_ADDRESSES_PER_PEER);
        let worth = self.worth_dialling(&addresses);
        self.state.book().add(peer_id, &worth);
        if self.hubs.contains(&peer_id) {
            self.use_relays(&peer_id, &addresses);
        }
        let mut protocols = info.protocols;
        protocols.truncate(limits::MAX_PROTOCOLS_PER_PEER);
        let short = |text: &str| reasons::shorten(text, limits::MAX_AGENT_BYTES).to_owned();
        let identity = Identity {
            agent: short(&info.agent_version),
            protocol_version: short(&info.protocol_version),
            protocols,
            listen_addresses: addresses,
        };
        if let Some(state) = self.state.peers_mut().get_mut(&peer_id) {
            state.identity = Some(identity);
        }
        self.reserve(peer_id);
        self.improve(peer_id);
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
        self.doubts.remove(&id);
        if !self.state.remove_connection(&peer, id) {
            return;
        }
        let now = Instant::now();
        self.hubs.disconnected(&peer, now);
        let in_order = matches!(reason, DisconnectReason::Closed | DisconnectReason::Idle);
        if self.is_unsettled(now) && !in_order {
            self.attempt(peer, &[]);
        }
        self.tell(NodeEvent::Disconnected { peer, reason });
    }

    /// Doubts the connections of a peer that comes on another one: it may have
    /// lost them.
    fn doubt(&self, peer: &PeerId) {
        let ids = self.state.connection_ids(peer);
        ids.iter().filter_map(|id| self.doubts.get(id)).for_each(|doubt| doubt.notify_one());
    }

    fn watch(&mut self, id: ConnectionId, connection: &Connection) {
        let doubt = Arc::new(Notify::new());
        self.doubts.insert(id, Arc::clone(&doubt));
        let watch = Watch {
            peer: connection.peer,
            id,
            streams: self.streams.clone(),
            state: Arc::clone(&self.state),
            commands: self.commands.clone(),
            doubt,
            roams: matches!(
                connection.path.transport,
                TransportKind::Relay | TransportKind::Roaming
            ),
        };
        tokio::spawn(watch.run());
    }
}

/// Whether an address means the same to other hosts.
pub(super) fn is_elsewhere(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        _ => true,
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
