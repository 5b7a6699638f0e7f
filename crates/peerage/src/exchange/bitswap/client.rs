//! The client's part: gives what comes to the sessions that want it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::limits::MAX_BITSWAP_UNWANTED_BLOCKS;
use peerage_core::exchange::bitswap::{Entry, LossReason, Payload, PrefixError, Presence, Verdict};

use super::{
    Core,
    link::{self, Link},
    session::Shared,
};
use crate::node::PeerId;
use crate::sync::lock;

/// Who asks whom.
#[derive(Default)]
pub(super) struct Client {
    asked: Mutex<HashMap<PeerId, AskedPeer>>,
}

#[derive(Default)]
struct AskedPeer {
    link: Arc<Link>,
    sessions: Vec<Arc<Shared>>,
    unwanted: u32,
}

/// Something that a peer must not send.
enum Fault {
    /// A block that nobody asked for, or that cannot be hashed here.
    Unwanted,
    Wrong(PrefixError),
}

impl Client {
    fn asked(&self) -> MutexGuard<'_, HashMap<PeerId, AskedPeer>> {
        lock(&self.asked)
    }

    pub(super) fn peers(&self) -> Vec<PeerId> {
        self.asked().keys().copied().collect()
    }

    /// Takes in blocks and word of blocks from a peer.
    pub(super) fn receive(&self, peer: PeerId, blocks: Vec<Payload>, presences: &[Presence]) {
        if blocks.is_empty() && presences.is_empty() {
            return;
        }
        let Some((link, sessions)) = self.sessions(&peer) else { return };
        for payload in blocks {
            if let Err(fault) = receive_block(&link, &sessions, peer, payload) {
                self.fault(&peer, fault);
            }
        }
        for session in &sessions {
            session.receive_presences(peer, presences);
        }
        for session in &sessions {
            session.pass_on(self);
        }
    }

    /// Takes a peer from all sessions.
    pub(super) fn lose(&self, peer: &PeerId, reason: &LossReason) {
        let Some(lost) = self.asked().remove(peer) else { return };
        lost.link.close();
        for session in lost.sessions {
            session.lose_peer(self, *peer, reason.clone());
        }
    }

    /// As [`lose`](Self::lose), unless the peer has a newer link.
    pub(super) fn lose_link(&self, peer: &PeerId, link: &Arc<Link>, reason: &LossReason) {
        let is_current = self.asked().get(peer).is_some_and(|asked| Arc::ptr_eq(&asked.link, link));
        if is_current {
            self.lose(peer, reason);
        }
    }

    /// Queues changes of a session's want-list for a peer; `false` when the
    /// peer is lost, or leaves too many unread.
    pub(super) fn tell(&self, peer: &PeerId, entries: Vec<Entry>) -> bool {
        let link = self.asked().get(peer).map(|asked| Arc::clone(&asked.link));
        link.is_some_and(|link| link.push(entries))
    }

    /// Takes a session from a peer, and forgets a peer without sessions.
    pub(super) fn leave(&self, peer: &PeerId, session: &Arc<Shared>) {
        let mut asked = self.asked();
        let Some(entry) = asked.get_mut(peer) else { return };
        entry.sessions.retain(|other| !Arc::ptr_eq(other, session));
        if entry.sessions.is_empty() {
            entry.link.close();
            asked.remove(peer);
        }
    }

    /// Takes a session from all peers.
    pub(super) fn leave_all(&self, session: &Arc<Shared>) {
        for peer in self.peers() {
            self.leave(&peer, session);
        }
    }

    fn sessions(&self, peer: &PeerId) -> Option<(Arc<Link>, Vec<Arc<Shared>>)> {
        let asked = self.asked();
        let entry = asked.get(peer)?;
        Some((Arc::clone(&entry.link), entry.sessions.clone()))
    }

    fn fault(&self, peer: &PeerId, fault: Fault) {
        let reason = match fault {
            Fault::Wrong(error) => LossReason::Misbehaved(error.to_string()),
            Fault::Unwanted => {
                let mut asked = self.asked();
                let Some(entry) = asked.get_mut(peer) else { return };
                entry.unwanted += 1;
                if entry.unwanted <= MAX_BITSWAP_UNWANTED_BLOCKS {
                    return;
                }
                LossReason::Unwanted
            }
        };
        tracing::debug!(%peer, %reason, "a bitswap peer is given up");
        self.lose(peer, &reason);
    }
}

impl Core {
    /// Lets a session ask a peer.
    pub(super) fn join(self: &Arc<Self>, peer: PeerId, session: &Arc<Shared>) {
        let mut asked = self.client.asked();
        let entry = asked.entry(peer).or_insert_with(|| {
            let entry = AskedPeer::default();
            self.spawn(link::run(Arc::clone(self), peer, Arc::clone(&entry.link)));
            entry
        });
        if !entry.sessions.iter().any(|other| Arc::ptr_eq(other, session)) {
            entry.sessions.push(Arc::clone(session));
        }
    }
}

/// Hashes a block and hands it to whoever wants it.
fn receive_block(
    link: &Link,
    sessions: &[Arc<Shared>],
    peer: PeerId,
    payload: Payload,
) -> Result<(), Fault> {
    let block = payload.into_block().map_err(|error| match error {
        PrefixError::UnknownHash { .. } => Fault::Unwanted,
        error => Fault::Wrong(error),
    })?;
    let mut asked_for = link.received(block.cid());
    for session in sessions {
        asked_for |= session.receive_block(peer, &block) != Verdict::Unwanted;
    }
    if asked_for { Ok(()) } else { Err(Fault::Unwanted) }
}
