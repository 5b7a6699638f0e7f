//! Whom the node dials: the attempts to connect to peers, and the addresses
//! that are dialled to hear who is there.

use std::collections::HashMap;
use std::time::Instant;

use futures::channel::oneshot;
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};

use super::attempt::Attempt;
use super::event::Connection;
use super::reasons;
use crate::limits::MAX_CONNECT_ATTEMPTS;

/// Everything that is being dialled.
#[derive(Default)]
pub(super) struct Dialling {
    attempts: HashMap<PeerId, Attempt>,
    /// Who waits to hear which peer a connection leads to.
    strangers: HashMap<ConnectionId, oneshot::Sender<PeerId>>,
}

impl Dialling {
    /// The attempt to connect to a peer, begun if there is none; `None` when too
    /// many are under way.
    pub(super) fn attempt(&mut self, peer: PeerId, now: Instant) -> Option<&mut Attempt> {
        let full = self.attempts.len() >= MAX_CONNECT_ATTEMPTS;
        if full && !self.attempts.contains_key(&peer) {
            // What nobody waits for makes room for others.
            self.attempts.retain(|_, attempt| !attempt.is_abandoned());
            if self.attempts.len() >= MAX_CONNECT_ATTEMPTS {
                return None;
            }
        }
        Some(self.attempts.entry(peer).or_insert_with(|| Attempt::new(peer, &[], now)))
    }

    /// The attempt that is under way, if there is one.
    pub(super) fn running(&mut self, peer: &PeerId) -> Option<&mut Attempt> {
        self.attempts.get_mut(peer)
    }

    /// The peers that are being dialled.
    pub(super) fn peers(&self) -> Vec<PeerId> {
        self.attempts.keys().copied().collect()
    }

    /// The address of a peer to dial now.
    pub(super) fn next(&mut self, peer: &PeerId, now: Instant) -> Option<Multiaddr> {
        self.attempts.get_mut(peer)?.next(now)
    }

    /// When the next address is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.attempts.values().filter_map(Attempt::next_at).min()
    }

    /// Ends the attempt to reach a peer if it has nothing left to try.
    pub(super) fn end_if_over(&mut self, peer: &PeerId) {
        if self.attempts.get(peer).is_some_and(Attempt::is_over)
            && let Some(attempt) = self.attempts.remove(peer)
        {
            attempt.fail();
        }
    }

    /// Dials what hangs once more, now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.attempts.values_mut().for_each(|attempt| attempt.hurry(now));
    }

    /// Answers those who wait for a peer. While the connection is relayed, the
    /// attempt goes on for a direct one.
    pub(super) fn settle(&mut self, connection: &Connection) {
        let Some(attempt) = self.attempts.get_mut(&connection.peer) else { return };
        attempt.succeed(connection);
        if !connection.path.transport.is_relayed() {
            self.attempts.remove(&connection.peer);
        }
    }

    /// Whether one more stranger may be dialled.
    pub(super) fn has_room_for_stranger(&mut self) -> bool {
        self.strangers.retain(|_, waiting| !waiting.is_canceled());
        self.strangers.len() < MAX_CONNECT_ATTEMPTS
    }

    /// Notes who waits to hear which peer a connection leads to.
    pub(super) fn ask(&mut self, id: ConnectionId, reply: oneshot::Sender<PeerId>) {
        self.strangers.insert(id, reply);
    }

    /// Tells whoever dialled a stranger who that is.
    pub(super) fn answer(&mut self, id: ConnectionId, peer: PeerId) {
        if let Some(reply) = self.strangers.remove(&id) {
            let _ = reply.send(peer);
        }
    }

    /// Notes that a connection was not set up.
    pub(super) fn failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        self.strangers.remove(&id);
        let Some(attempt) = peer.and_then(|peer| self.attempts.get_mut(&peer)) else { return };
        match error {
            DialError::WrongPeerId { obtained, .. } => attempt.found_other(id, *obtained),
            other => attempt.failed(id, reasons::of_dial(other)),
        };
    }

    /// Lets go of all attempts.
    pub(super) fn clear(&mut self) {
        self.attempts.clear();
    }
}
