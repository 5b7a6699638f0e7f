//! What the node's task keeps of where this node is: its roaming endpoint, what
//! the router maps, what hubs found, and when the network last changed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use super::command::Command;
use super::report::Verdict;
use super::{NodeConfig, Reach};
use crate::limits::{MAX_KNOWN_PEERS, MAX_REACHABILITY_ADDRESSES, MAX_REDIALS_AFTER_CHANGE};
use crate::routing::{Moves, OurRelays, Roaming};

/// How long after a change of the network peers that are lost are dialled from
/// here: they cannot know where this node is now.
const UNSETTLED: Duration = Duration::from_secs(30);

/// What is known of where this node is.
pub(super) struct Whereabouts {
    pub(super) roaming: Option<Roaming>,
    /// The relays of our own hubs.
    pub(super) ours: OurRelays,
    /// When the addresses of this host last changed, while the node ran.
    changed_at: Option<Instant>,
    /// How often each peer was dialled since that was lost.
    redialled: HashMap<PeerId, u8>,
    /// The node has begun: from now on a new address is a change.
    pub(super) runs: bool,
    /// What hubs found.
    found: Reach,
    /// Whether to ask the router for ports, and what it maps to our addresses.
    pub(super) maps_ports: bool,
    pub(super) mapped: HashMap<Multiaddr, Option<Multiaddr>>,
    /// What this node does for others makes its addresses worth telling.
    pub(super) serves: bool,
}

impl Whereabouts {
    pub(super) fn new(config: &NodeConfig, roaming: Option<Roaming>, ours: OurRelays) -> Self {
        Self {
            roaming,
            ours,
            changed_at: None,
            redialled: HashMap::new(),
            runs: false,
            found: Reach::default(),
            maps_ports: config.map_ports,
            mapped: HashMap::new(),
            serves: config.services.relay.is_some(),
        }
    }

    /// Notes that the network has changed.
    pub(super) fn changed(&mut self, now: Instant) {
        self.changed_at = Some(now);
        self.redialled.clear();
    }

    /// Whether a peer that is lost is to be dialled from here: the network has
    /// changed a moment ago, so that it cannot know where this node is now. One
    /// that hangs up each time is not dialled without end.
    pub(super) fn redials(&mut self, peer: PeerId, now: Instant) -> bool {
        let unsettled = self.changed_at.is_some_and(|at| now - at < UNSETTLED);
        if !unsettled || self.redialled.len() >= MAX_KNOWN_PEERS {
            return false;
        }
        let count = self.redialled.entry(peer).or_default();
        *count = count.saturating_add(1);
        usize::from(*count) <= MAX_REDIALS_AFTER_CHANGE
    }

    /// Notes what a hub found.
    pub(super) fn note(&mut self, verdict: Verdict) {
        self.found.note(verdict, MAX_REACHABILITY_ADDRESSES);
    }

    /// What is known, but for hubs and addresses.
    pub(super) fn report(&self) -> Reach {
        Reach {
            mapped: self.mapped.iter().map(|(here, there)| (here.clone(), there.clone())).collect(),
            network: self.roaming.as_ref().and_then(Roaming::network),
            ..self.found.clone()
        }
    }

    /// Lets the roaming endpoint look after its connections with relays.
    pub(super) fn check_relays(&self) {
        if let Some(roaming) = self.roaming.clone() {
            tokio::spawn(async move { roaming.network_changed().await });
        }
    }
}

/// Tells the node's task where the packets of a connection go, as it changes.
pub(super) async fn follow(
    peer: PeerId,
    id: ConnectionId,
    mut moves: Moves,
    commands: mpsc::WeakSender<Command>,
) {
    while let Some(place) = moves.next().await {
        let Some(commands) = commands.upgrade() else { return };
        if commands.send(Command::Moved { peer, id, place }).await.is_err() {
            return;
        }
    }
}
