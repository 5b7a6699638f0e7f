//! Peers that the node stays connected with, shared by its task and its handles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::keep::{Due, Keeper, Reason, TooManyKept};
use tokio::sync::{Notify, watch};

use crate::sync::lock;

/// All of them; a cheap handle.
#[derive(Clone)]
pub(super) struct Kept(Arc<Shared>);

struct Shared {
    /// The core counts time from here.
    began: Instant,
    table: Mutex<Table>,
    /// Somebody is kept from now on.
    changed: Notify,
}

#[derive(Default)]
struct Table {
    keeper: Keeper,
    /// Who is told when a peer is tried again, or connected.
    tries: HashMap<PeerId, watch::Sender<()>>,
}

/// Keeps a peer connected until it is dropped: [`Node::keep`](super::Node::keep).
#[must_use = "the peer is kept only while this is held"]
pub struct Keep {
    kept: Kept,
    peer: PeerId,
    reason: Reason,
    tries: watch::Receiver<()>,
}

impl Keep {
    /// Who is kept.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Waits until the node tries once more to reach the peer, or it is
    /// connected: from now on, whatever was before.
    ///
    /// [`Node::connect`](super::Node::connect) then joins in, and says what
    /// comes of it. Once the node has ended, this waits for ever.
    pub async fn tried(&mut self) {
        self.tries.mark_unchanged();
        if self.tries.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let mut table = lock(&self.kept.0.table);
        table.keeper.release(&self.peer, self.reason);
        if !table.keeper.contains(&self.peer) {
            table.tries.remove(&self.peer);
        }
    }
}

impl std::fmt::Debug for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keep").field("peer", &self.peer).field("reason", &self.reason).finish()
    }
}

impl Kept {
    /// Nobody yet.
    pub(super) fn new(began: Instant) -> Self {
        Self(Arc::new(Shared { began, table: Mutex::default(), changed: Notify::new() }))
    }

    /// Keeps a peer for as long as the result is held. `connected` is asked
    /// under the table's lock: the node's task changes its connections first,
    /// and then says so here.
    pub(super) fn keep(
        &self,
        peer: PeerId,
        addresses: &[Multiaddr],
        reason: Reason,
        connected: impl FnOnce() -> bool,
    ) -> Result<Keep, TooManyKept> {
        let mut table = lock(&self.0.table);
        table.keeper.keep(peer, addresses, reason, connected(), self.0.began.elapsed())?;
        let tries = table.tries.entry(peer).or_insert_with(|| watch::Sender::new(())).subscribe();
        self.0.changed.notify_one();
        Ok(Keep { kept: self.clone(), peer, reason, tries })
    }

    /// Waits until somebody is kept who was not before.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The peers to dial now.
    pub(super) fn due(&self, now: Instant) -> Vec<Due> {
        let mut table = lock(&self.0.table);
        let due = table.keeper.due(now - self.0.began);
        due.iter().for_each(|due| table.tell(&due.peer));
        due
    }

    /// When the next peer is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        lock(&self.0.table).keeper.next_at().map(|at| self.0.began + at)
    }

    /// Notes that a peer is connected; whether it is a kept one that had been
    /// lost.
    pub(super) fn connected(&self, peer: &PeerId) -> bool {
        let mut table = lock(&self.0.table);
        table.tell(peer);
        table.keeper.connected(peer)
    }

    /// Notes that a peer is connected no more.
    pub(super) fn disconnected(&self, peer: &PeerId, now: Instant) {
        lock(&self.0.table).keeper.disconnected(peer, now - self.0.began);
    }

    /// Tries all again now: the network has changed, or is back.
    pub(super) fn hurry(&self, now: Instant) {
        lock(&self.0.table).keeper.hurry(now - self.0.began);
    }
}

impl Table {
    fn tell(&self, peer: &PeerId) {
        if let Some(tries) = self.tries.get(peer) {
            tries.send_replace(());
        }
    }
}
