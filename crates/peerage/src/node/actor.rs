//! The node's task: owns the swarm, and decides. It carries no payload.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits;
use futures::StreamExt;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify};
use tokio::sync::{Notify, broadcast, mpsc};

use super::attempt::{Attempt, Waiter};
use super::behaviour::{self, Behaviour};
use super::command::Command;
use super::connections::{Identity, Left};
use super::dialling::Dialling;
use super::error::ConnectError;
use super::event::{Connection, Direction, DisconnectReason, NodeEvent};
use super::hubs::Hubs;
use super::keep::Kept;
use super::line::Line;
use super::part::Part;
use super::ping::Watch;
use super::reasons;
use super::state::State;
use super::whereabouts::{Whereabouts, follow};
use crate::routing::{Gate, Known, Path, PathTable, TransportKind, without_peer};

/// How long peers have, in the end, to take note that the node leaves.
const GOODBYE: Duration = Duration::from_millis(500);

/// The task's state. Each file of it touches its own: `dialling`, `hubs` and
/// `whereabouts` are also those of `reach.rs`.
pub(super) struct Actor<P: Part> {
    pub(super) swarm: Swarm<Behaviour<P>>,
    pub(super) state: Arc<State>,
    pub(super) dialling: Dialling,
    pub(super) kept: Kept,
    pub(super) hubs: Hubs,
    pub(super) whereabouts: Whereabouts,
    /// For the tasks that watch connections; they keep no node alive.
    pub(super) commands: mpsc::WeakSender<Command>,
    paths: Arc<PathTable>,
    pub(super) gate: Gate,
    events: broadcast::Sender<NodeEvent>,
}

/// What the task shares with handles and connections.
pub(super) struct Shared {
    pub(super) state: Arc<State>,
    pub(super) kept: Kept,
    pub(super) paths: Arc<PathTable>,
    pub(super) gate: Gate,
    pub(super) events: broadcast::Sender<NodeEvent>,
    pub(super) commands: mpsc::WeakSender<Command>,
}

impl<P: Part> Actor<P> {
    pub(super) fn new(
        swarm: Swarm<Behaviour<P>>,
        hubs: Hubs,
        whereabouts: Whereabouts,
        shared: Shared,
    ) -> Self {
        let Shared { state, kept, paths, gate, events, commands } = shared;
        let dialling = Dialling::default();
        Self { swarm, state, dialling, kept, hubs, whereabouts, commands, paths, gate, events }
    }

    /// Runs until the last handle is gone, or one of them ends it.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.whereabouts.runs = true;
        let last_word = loop {
            self.advance();
            let next_dial = self.dialling.next_at();
            let others = [self.kept.next_at(), self.hubs.next_at()];
            let pause =
                sleep_until(next_dial.into_iter().chain(others.into_iter().flatten()).min());
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = commands.recv() => match command {
                    Some(Command::Shutdown { done }) => break Some(done),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                () = self.kept.changed() => {}
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
        self.dialling.clear();
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
        if let Some(roaming) = &self.whereabouts.roaming {
            let _ = tokio::time::timeout(GOODBYE, roaming.close()).await;
        }
        self.state.connections.clear();
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
                if let Some(attempt) = self.dialling.running(&peer) {
                    attempt.add_addresses(&worth);
                }
            }
            Command::Report { reply } => {
                let _ = reply.send(self.report());
            }
            Command::Mapped { inside, outside } => self.on_mapped(inside, outside),
            Command::Shutdown { .. } => {}
        }
    }

    fn connect(&mut self, peer: PeerId, addresses: &[Multiaddr], waiter: Waiter) {
        if let Some(connection) = self.state.connections.best(&peer) {
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
        let known = self.state.book().of(&peer);
        let attempt = self.dialling.attempt(peer, Instant::now())?;
        attempt.add_addresses(addresses);
        attempt.add_addresses(&known);
        Some(attempt)
    }

    /// Dials what is due, and ends attempts that have nothing left to try.
    fn advance(&mut self) {
        let now = Instant::now();
        for due in self.kept.due(now) {
            self.dial_kept(due);
        }
        for hub in self.hubs.due(now) {
            self.reserve(hub);
        }
        for peer in self.dialling.peers() {
            while let Some(address) = self.dialling.next(&peer, now) {
                self.dial(peer, address);
            }
            self.dialling.end_if_over(&peer);
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
        let result = self.gate.on_own_word(|| self.swarm.dial(options));
        let Some(attempt) = self.dialling.running(&peer) else { return };
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
                self.dialling.failed(connection_id, peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not set up");
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.hubs.granted(listener_id, Instant::now());
                if self.whereabouts.serves && is_elsewhere(&address) {
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
                match self.hubs.lapsed(listener_id, Instant::now()) {
                    true => tracing::debug!(?reason, "a hub gives no place on its relay"),
                    false => tracing::warn!(?reason, "a listener has ended"),
                }
                self.list_addresses();
                for address in addresses {
                    self.tell(NodeEvent::NotListening(address));
                }
            }
            SwarmEvent::Behaviour(behaviour::Event::Identify(event)) => self.on_identify(*event),
            SwarmEvent::Behaviour(behaviour::Event::Reachability(verdict)) => {
                self.whereabouts.note(verdict);
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
        self.gate.set_loopback(addresses.iter().all(|own| !is_elsewhere(own)));
        self.state.set_listening(addresses);
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        self.dialling.answer(id, peer);
        // Given with the handler, before the swarm says that all is well.
        let Some(line) = self.swarm.behaviour_mut().streams.take(id) else { return };
        let address = without_peer(endpoint.get_remote_address());
        let Known { path, roams } =
            self.paths.take(peer, endpoint).unwrap_or_else(|| Path::of(&address).into());
        let direction = match endpoint.is_dialer() {
            true => Direction::Outgoing,
            false => Direction::Incoming,
        };
        if direction == Direction::Outgoing {
            self.state.book().add(peer, std::slice::from_ref(&address));
        }
        let connection = Connection { peer, address, path, direction };
        match roams {
            None => self.on_connected(id, connection, line),
            Some((place, moves)) => {
                // Where its packets go, which is not always what was dialled.
                let address = if place.is_empty() { connection.address } else { place };
                self.on_connected(id, Connection { address, ..connection }, line);
                tokio::spawn(follow(peer, id, moves, self.commands.clone()));
            }
        }
    }

    fn on_connected(&mut self, id: ConnectionId, connection: Connection, line: Line) {
        let peer = connection.peer;
        tracing::debug!(%peer, address = %connection.address, path = %connection.path, "connected");
        let (first, doubt) = self.state.connections.add(id, connection.clone(), line);
        if self.kept.connected(&peer) && self.hubs.contains(&peer) {
            self.on_hub_back(peer);
        }
        self.watch(id, &connection, doubt);
        self.dialling.settle(&connection);
        match first {
            true => self.tell_path(&peer, NodeEvent::Connected),
            false => self.tell_path(&peer, NodeEvent::PathChanged),
        }
    }

    /// Notes where the packets of a roaming connection go now.
    fn on_moved(&mut self, peer: PeerId, id: ConnectionId, place: Multiaddr) {
        let path = Path::roaming(&place);
        let Some(connection) = self.state.connections.moved(&peer, id, place, path) else { return };
        tracing::debug!(%peer, address = %connection.address, %path, "moved");
        self.dialling.settle(&connection);
        self.tell_path(&peer, NodeEvent::PathChanged);
    }

    /// Tells over which path new streams to a peer go, if that is another than
    /// was told last.
    fn tell_path(&self, peer: &PeerId, event: impl FnOnce(Connection) -> NodeEvent) {
        if let Some(connection) = self.state.connections.news(peer) {
            self.tell(event(connection));
        }
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
        self.state.connections.set_identity(&peer_id, identity);
        self.reserve(peer_id);
        self.improve(peer_id);
        self.tell(NodeEvent::Identified(peer_id));
    }

    /// Ends a connection whose peer hangs. It counts as gone from now on:
    /// ending it in order may take until the transport gives up too.
    fn give_up(&mut self, peer: PeerId, id: ConnectionId) {
        self.forget(peer, id, DisconnectReason::Vanished);
        self.swarm.close_connection(id);
    }

    fn forget(&mut self, peer: PeerId, id: ConnectionId, reason: DisconnectReason) {
        tracing::debug!(%peer, %reason, "connection ended");
        if self.state.connections.remove(&peer, id) == Left::Connected {
            self.tell_path(&peer, NodeEvent::PathChanged);
            return;
        }
        let now = Instant::now();
        self.kept.disconnected(&peer, now);
        self.hubs.disconnected(&peer);
        let in_order = matches!(reason, DisconnectReason::Closed | DisconnectReason::Idle);
        if !in_order && self.whereabouts.redials(peer, now) {
            self.attempt(peer, &[]);
        }
        self.tell(NodeEvent::Disconnected { peer, reason });
    }

    fn watch(&self, id: ConnectionId, connection: &Connection, doubt: Arc<Notify>) {
        let watch = Watch {
            peer: connection.peer,
            id,
            connections: self.state.connections.clone(),
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
