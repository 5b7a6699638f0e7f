//! How the node's task keeps itself reachable: hubs, relays, mapped ports, and
//! what it does when the network changes.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::oneshot;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use peerage_core::routing::keep::Due;

use super::actor::Actor;
use super::command::Command;
use super::event::{Connection, Direction, NodeEvent};
use super::hubs::{HOP, dials};
use super::part::Part;
use super::report::Reach;

use crate::routing::{TransportKind, dialable, map_port, relay_address, relay_url};

/// How much later the relays of other hubs than the first are used: as long as
/// it takes to become at home at the first.
const OTHER_RELAYS_LATER: Duration = Duration::from_secs(1);

impl<P: Part> Actor<P> {
    /// Dials a peer that this node stays connected with.
    pub(super) fn dial_kept(&mut self, due: Due) {
        if self.hubs.contains(&due.peer) {
            for addresses in dials(&due) {
                self.dial_hub(due.peer, addresses);
            }
        } else {
            // Joins the attempt that is under way, if there is one.
            self.attempt(due.peer, &due.addresses);
        }
    }

    /// Dials a hub from the port that we listen on, so that it sees the address
    /// at which others would reach us.
    fn dial_hub(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let options =
            DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(addresses).build();
        if let Err(error) = self.gate.on_own_word(|| self.swarm.dial(options)) {
            tracing::debug!(%peer, %error, "the hub is not dialled");
        }
    }

    /// Doubts all connections when an address of this host comes or goes: those
    /// that began at one that is gone say so only by silence.
    pub(super) fn on_address_changed(&mut self, address: &Multiaddr) {
        self.list_addresses();
        if !self.whereabouts.runs || TransportKind::of(address).is_relayed() {
            return;
        }
        let now = Instant::now();
        self.whereabouts.changed(now);
        self.kept.hurry(now);
        self.state.connections.doubt_all();
        self.whereabouts.check_relays();
    }

    /// Hurries what hangs when a hub is there again that was lost: the network
    /// is back, and whatever waits to send again need not wait longer.
    pub(super) fn on_hub_back(&mut self, hub: PeerId) {
        let now = Instant::now();
        self.dialling.hurry(now);
        self.kept.hurry(now);
        self.whereabouts.check_relays();
        self.tell(NodeEvent::HubBack(hub));
    }

    /// Keeps the relays of a hub in mind, those that roaming connections use.
    ///
    /// A peer is at home at the first that it knows, unless another is much
    /// nearer. Peers at home at the same one reach each other sooner, so those
    /// of all other hubs come a little later.
    pub(super) fn use_relays(&self, hub: &PeerId, addresses: &[Multiaddr]) {
        let Some(roaming) = &self.whereabouts.roaming else { return };
        let urls: Vec<_> = addresses.iter().filter_map(relay_url).collect();
        if urls.is_empty() {
            return;
        }
        // Whoever runs this node chose the hub, and so its relays.
        self.gate.vouch_for(addresses);
        urls.iter().filter_map(relay_address).for_each(|relay| self.whereabouts.ours.add(relay));
        let (roaming, hub, hubs) = (roaming.clone(), *hub, self.hubs.len());
        let later = if self.hubs.is_first(&hub) { Duration::ZERO } else { OTHER_RELAYS_LATER };
        tokio::spawn(async move {
            tokio::time::sleep(later).await;
            roaming.set_hub_relays(hub, &urls, hubs).await;
        });
    }

    /// Asks a hub that relays for a place on it, unless we have one or it refused
    /// a moment ago.
    pub(super) fn reserve(&mut self, peer: PeerId) {
        let hop = StreamProtocol::new(HOP);
        if self.state.connections.supports(&peer, &hop) != Some(true) {
            return;
        }
        let Some(connection) = self.state.connections.best(&peer) else { return };
        let Some(circuit) = self.hubs.circuit(&peer, &connection.address, Instant::now()) else {
            return;
        };
        match self.swarm.listen_on(circuit) {
            Ok(listener) => self.hubs.asked(&peer, listener),
            Err(error) => tracing::debug!(%peer, %error, "no reservation at the hub"),
        }
    }

    /// Tries the addresses that a peer has told of itself, while it is reached
    /// over a relay alone.
    pub(super) fn improve(&mut self, peer: PeerId) {
        let ours = |best: Connection| {
            best.path.transport.is_relayed() && best.direction == Direction::Outgoing
        };
        if self.state.connections.best(&peer).is_some_and(ours)
            && let Some(attempt) = self.attempt(peer, &[])
        {
            attempt.linger();
        }
    }

    /// Asks the router to map an address of ours, once.
    pub(super) fn map(&mut self, inside: &Multiaddr) {
        if !self.whereabouts.maps_ports || self.whereabouts.mapped.contains_key(inside) {
            return;
        }
        let Some(mut outside) = map_port(inside) else { return };
        self.whereabouts.mapped.insert(inside.clone(), None);
        let (inside, commands) = (inside.clone(), self.commands.clone());
        tokio::spawn(async move {
            while let Some(outside) = outside.next().await {
                let Some(commands) = commands.upgrade() else { return };
                let command = Command::Mapped { inside: inside.clone(), outside };
                if commands.send(command).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Notes what the router maps to an address of ours now.
    pub(super) fn on_mapped(&mut self, inside: Multiaddr, outside: Option<Multiaddr>) {
        tracing::debug!(%inside, ?outside, "the router maps");
        let before = self.whereabouts.mapped.insert(inside, outside.clone()).flatten();
        if let Some(before) = before.filter(|before| Some(before) != outside.as_ref()) {
            self.swarm.remove_external_address(&before);
        }
        if let Some(outside) = outside {
            self.swarm.add_external_address(outside);
        }
        self.list_addresses();
    }

    /// Dials an address to hear who is there.
    pub(super) fn ask_who_is(&mut self, address: Multiaddr, reply: oneshot::Sender<PeerId>) {
        if !self.dialling.has_room_for_stranger() || !dialable(&address) {
            return;
        }
        let options = DialOpts::unknown_peer_id().address(address).allocate_new_port().build();
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => self.dialling.ask(id, reply),
            Err(error) => tracing::debug!(%error, "a stranger is not dialled"),
        }
    }

    /// Those of a stranger's addresses that can be meant for us: nobody shall
    /// have us dial into our own networks or those of others.
    pub(super) fn worth_dialling(&self, told: &[Multiaddr]) -> Vec<Multiaddr> {
        self.gate.here().worth_dialling(told)
    }

    /// How this node is reached.
    pub(super) fn report(&self) -> Reach {
        Reach {
            addresses: self.state.listening(),
            hubs: self.hubs.report(|hub| self.state.connections.best(hub).is_some()),
            ..self.whereabouts.report()
        }
    }
}
