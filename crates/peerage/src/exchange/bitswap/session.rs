//! A client's session: what a download holds in its hand.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use peerage_core::{
    data::{Block, Cid},
    exchange::bitswap::{
        self as core, Event, LossReason, Presence, SessionConfig, TooManyPeers, TooManyWants,
        Verdict,
    },
};
use tokio::sync::Notify;

use super::{Bitswap, client::Client};
use crate::{node::PeerId, sync::lock};

/// Wants for blocks that one or several peers are asked for.
///
/// Each want is with one peer at a time, and goes to another when that does
/// not have the block, is slow, or is lost. What comes has been hashed: a block
/// is what its CID says. No more is asked for than fits the windows
/// ([`crate::limits::BITSWAP_WINDOW_BYTES`] a peer, what waits to be
/// taken included), so that who takes nothing is sent nothing more. Dropping
/// the session cancels its wants.
#[derive(Debug)]
pub struct Session {
    bitswap: Bitswap,
    shared: Arc<Shared>,
}

/// What the session and the readers of streams share.
#[derive(Debug)]
pub(super) struct Shared {
    /// From when on the state counts time.
    started: Instant,
    state: Mutex<core::Session>,
    changed: Notify,
}

impl Session {
    pub(super) fn start(
        bitswap: Bitswap,
        peers: &[PeerId],
        config: SessionConfig,
    ) -> Result<Self, TooManyPeers> {
        let session = Self { bitswap, shared: Arc::new(Shared::new(config)) };
        for peer in peers {
            session.add_peer(*peer)?;
        }
        Ok(session)
    }

    /// Asks another peer, too; also one that was lost before.
    ///
    /// # Errors
    ///
    /// When the session asks as many as it may.
    pub fn add_peer(&self, peer: PeerId) -> Result<(), TooManyPeers> {
        self.bitswap.core.join(peer, &self.shared);
        let added = self.shared.state().add_peer(peer, self.shared.now());
        if added.is_err() {
            self.client().leave(&peer, &self.shared);
        }
        self.shared.pass_on(self.client());
        added
    }

    /// Asks a peer no longer; its wants go to the others. It is not reported
    /// as lost.
    pub fn remove_peer(&self, peer: PeerId) {
        let cids = self.shared.state().remove_peer(peer, self.shared.now());
        let cancels = cids.into_iter().map(core::Entry::cancel).collect();
        self.client().tell(&peer, cancels);
        self.client().leave(&peer, &self.shared);
        self.shared.pass_on(self.client());
    }

    /// Wants blocks, in the order in which they are best received. Those that
    /// are wanted already are passed over.
    ///
    /// # Errors
    ///
    /// When there would be more than
    /// [`crate::limits::MAX_BITSWAP_SESSION_WANTS`]; nothing is wanted
    /// then.
    pub fn want(&self, cids: &[Cid]) -> Result<(), TooManyWants> {
        self.shared.state().want(cids, self.shared.now())?;
        self.shared.pass_on(self.client());
        Ok(())
    }

    /// Wants blocks no longer.
    pub fn cancel(&self, cids: &[Cid]) {
        self.shared.state().cancel(cids, self.shared.now());
        self.shared.pass_on(self.client());
    }

    /// How many wants have no answer yet.
    #[must_use]
    pub fn wants(&self) -> usize {
        self.shared.state().wants()
    }

    /// The peers that are asked.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerId> {
        self.shared.state().peers().collect()
    }

    /// Waits for what happens next; `None` when nothing can: nothing is wanted,
    /// or nobody is left to be asked. Then want more, or add a peer, and call
    /// again. May be dropped without loss, and is meant for one caller at a
    /// time.
    pub async fn next(&self) -> Option<Event> {
        loop {
            let deadline = match self.shared.look(self.client()) {
                Look::Event(event) => return Some(self.told(event)),
                Look::Nothing => return None,
                Look::Wait(deadline) => deadline,
            };
            let timer = tokio::time::sleep_until(deadline.into());
            tokio::select! {
                () = self.shared.changed.notified() => {}
                () = timer => self.shared.tick(self.client()),
            }
        }
    }

    /// A peer that the session has lost by itself need not be listened to.
    fn told(&self, event: Event) -> Event {
        if let Event::PeerLost { peer, .. } = &event
            && !self.peers().contains(peer)
        {
            self.client().leave(peer, &self.shared);
        }
        event
    }

    fn client(&self) -> &Client {
        &self.bitswap.core.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for peer in self.peers() {
            self.remove_peer(peer);
        }
        self.client().leave_all(&self.shared);
    }
}

enum Look {
    Event(Event),
    /// Nothing will happen.
    Nothing,
    Wait(Instant),
}

impl Shared {
    fn new(config: SessionConfig) -> Self {
        let state = Mutex::new(core::Session::new(config, Duration::ZERO));
        Self { started: Instant::now(), state, changed: Notify::new() }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, core::Session> {
        lock(&self.state)
    }

    fn look(&self, client: &Client) -> Look {
        let now = self.now();
        let mut state = self.state();
        if let Some(event) = state.next_event(now) {
            drop(state);
            self.pass_on(client);
            return Look::Event(event);
        }
        match state.deadline() {
            Some(deadline) => Look::Wait(self.started + deadline),
            None => Look::Nothing,
        }
    }

    fn tick(&self, client: &Client) {
        self.state().tick(self.now());
        self.pass_on(client);
    }

    pub(super) fn receive_block(&self, peer: PeerId, block: &Block) -> Verdict {
        let verdict = self.state().receive_block(peer, block, self.now());
        if verdict == Verdict::Wanted {
            self.changed.notify_one();
        }
        verdict
    }

    pub(super) fn receive_presences(&self, peer: PeerId, presences: &[Presence]) {
        let (mut state, now) = (self.state(), self.now());
        for presence in presences {
            state.receive_presence(peer, &presence.cid, presence.have, now);
        }
        self.changed.notify_one();
    }

    pub(super) fn lose_peer(&self, client: &Client, peer: PeerId, reason: LossReason) {
        self.state().lose_peer(peer, reason, self.now());
        self.pass_on(client);
    }

    /// Hands changes of the want-list to the peers' links, in their order.
    pub(super) fn pass_on(&self, client: &Client) {
        let mut state = self.state();
        while let Some((peer, entries)) = state.next_message() {
            if !client.tell(&peer, entries) {
                state.lose_peer(peer, LossReason::Stalled, self.now());
            }
        }
        self.changed.notify_one();
    }
}
