//! A client's side: which wants are with which peer.

mod peers;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use libp2p_identity::PeerId;

use self::peers::{Peer, Peers};
use super::message::Entry;
use crate::{
    advice::Advice,
    data::{Block, Cid},
    limits::{MAX_BITSWAP_SESSION_PEERS, MAX_BITSWAP_SESSION_WANTS},
};

/// How patient a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// A peer that owes something and sends nothing of use for so long is
    /// given up. Default: 10 s, twice the time in which a dead connection is
    /// noticed.
    pub stall_timeout: Duration,
    /// A want that is older than this, and that a peer has passed over while it
    /// answered many later ones, counts as `DONT_HAVE`: peers of versions
    /// before 1.2 do not say so. Default: 10 s.
    pub want_timeout: Duration,
    /// A want that is with one peer for longer than this goes to another that
    /// has nothing left to do. Default: 2 s.
    pub steal_after: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            stall_timeout: Duration::from_secs(10),
            want_timeout: Duration::from_secs(10),
            steal_after: Duration::from_secs(2),
        }
    }
}

/// What a session has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A block that was wanted; its bytes hash to its CID.
    Block {
        /// The block.
        block: Block,
        /// Who sent it.
        from: PeerId,
    },
    /// No peer of the session has the block. The want is over; ask again to
    /// try again.
    DontHave {
        /// The block that was wanted.
        cid: Cid,
        /// The last peer that said so.
        from: PeerId,
    },
    /// A peer has left the session; its wants went to the others.
    PeerLost {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: LossReason,
    },
}

/// Why a peer has left a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LossReason {
    /// The connection is gone or could not be made.
    #[error("the connection is gone: {0}")]
    Disconnected(String),
    /// It sent nothing of use for [`SessionConfig::stall_timeout`].
    #[error("the peer stopped answering")]
    Stalled,
    /// It sent something that is not bitswap, or not a block.
    #[error("the peer sent something wrong: {0}")]
    Misbehaved(String),
    /// It sent too many blocks that nobody asked for.
    #[error("the peer sent blocks that nobody asked for")]
    Unwanted,
}

/// What a received block was to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was wanted and is now an [`Event::Block`].
    Wanted,
    /// It was asked of this peer once and is not wanted any more: the answer
    /// crossed a cancel, or another peer was faster.
    Late,
    /// It is not wanted, and was never asked of this peer.
    Unwanted,
}

/// The session holds as many wants as it can: take events out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bitswap session holds at most {MAX_BITSWAP_SESSION_WANTS} wants")]
pub struct TooManyWants;

impl Advice for TooManyWants {
    fn hint(&self) -> Option<&'static str> {
        Some("wait for events before asking for more")
    }
}

/// The session asks as many peers as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bitswap session asks at most {MAX_BITSWAP_SESSION_PEERS} peers")]
pub struct TooManyPeers;

/// Wants for blocks, spread over one or several peers.
///
/// Every want is with one peer at a time. A peer is asked for as much as fills
/// its window ([`crate::limits::BITSWAP_WINDOW_BYTES`], counted in blocks of
/// the size that came lately); so a fast peer asks more often and carries more.
/// What a peer does not have, or does not deliver in time, goes to another.
/// Blocks that wait to be taken out count towards the windows: who does not
/// take them is not sent more, and nothing piles up.
///
/// The session does no input or output: after each call, send what
/// [`next_message`](Self::next_message) gives and call [`tick`](Self::tick) by
/// [`deadline`](Self::deadline). Times are counted from a moment of the caller's.
///
/// ```
/// use std::time::Duration;
/// use bytes::Bytes;
/// use peerage_core::{
///     data::{Block, HashKind, codec},
///     identity::parse_peer_id,
///     exchange::bitswap::{Event, Session, SessionConfig},
/// };
///
/// let block = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"dawn"));
/// let peer = parse_peer_id("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA")?;
/// let now = Duration::ZERO;
/// let mut session = Session::new(SessionConfig::default(), now);
/// session.add_peer(peer, now)?;
/// session.want(&[*block.cid()], now)?;
/// let (to, entries) = session.next_message().expect("a want to send");
/// assert_eq!((to, entries[0].cid), (peer, *block.cid()));
/// session.receive_block(peer, &block, now);
/// assert_eq!(session.next_event(now), Some(Event::Block { block, from: peer }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    wants: HashMap<Cid, Want>,
    /// Wants that are with no peer; a CID that is not in `wants` any more, or
    /// is with a peer, is passed over.
    queue: VecDeque<Cid>,
    peers: Peers,
    events: VecDeque<Event>,
    /// Bytes of the blocks in `events`.
    ready_bytes: usize,
    ticked: Duration,
}

/// How often time is looked at while something is owed: often enough for the
/// shortest patience of [`SessionConfig`].
const TICK: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Want {
    with: Option<PeerId>,
    /// Peers that have said, or shown, that they do not have it.
    refused: Vec<PeerId>,
}

impl Session {
    /// A session without peers and wants.
    #[must_use]
    pub fn new(config: SessionConfig, now: Duration) -> Self {
        Self {
            config,
            wants: HashMap::new(),
            queue: VecDeque::new(),
            peers: Peers::default(),
            events: VecDeque::new(),
            ready_bytes: 0,
            ticked: now,
        }
    }

    /// Adds a peer to ask; nothing changes if it is there already.
    ///
    /// # Errors
    ///
    /// When there are [`MAX_BITSWAP_SESSION_PEERS`] already.
    pub fn add_peer(&mut self, peer: PeerId, now: Duration) -> Result<(), TooManyPeers> {
        if self.peers.contains(&peer) {
            return Ok(());
        }
        if self.peers.len() >= MAX_BITSWAP_SESSION_PEERS {
            return Err(TooManyPeers);
        }
        self.peers.add(peer, now);
        for want in self.wants.values_mut() {
            want.refused.retain(|refused| *refused != peer);
        }
        self.assign(now);
        Ok(())
    }

    /// Wants blocks, in the order in which they are best received. Those that
    /// are wanted already are passed over. With no peer in the session, wants
    /// wait for one.
    ///
    /// # Errors
    ///
    /// When there would be more than [`MAX_BITSWAP_SESSION_WANTS`]; nothing is
    /// wanted then.
    pub fn want(&mut self, cids: &[Cid], now: Duration) -> Result<(), TooManyWants> {
        if self.wants.len() + cids.len() > MAX_BITSWAP_SESSION_WANTS {
            return Err(TooManyWants);
        }
        for cid in cids {
            if !self.wants.contains_key(cid) {
                self.wants.insert(*cid, Want::default());
                self.queue.push_back(*cid);
            }
        }
        self.tidy_queue();
        self.assign(now);
        Ok(())
    }

    /// Wants blocks no longer.
    pub fn cancel(&mut self, cids: &[Cid], now: Duration) {
        for cid in cids {
            self.end_want(cid);
        }
        self.assign(now);
    }

    /// Takes in a block that `from` has sent.
    pub fn receive_block(&mut self, from: PeerId, block: &Block, now: Duration) -> Verdict {
        let Some(peer) = self.peers.get_mut(&from) else { return Verdict::Unwanted };
        let asked = peer.answered(block.cid());
        if !self.wants.contains_key(block.cid()) {
            return if asked { Verdict::Late } else { Verdict::Unwanted };
        }
        peer.delivered(block.data().len(), now);
        self.end_want(block.cid());
        self.ready_bytes += block.data().len();
        self.events.push_back(Event::Block { block: block.clone(), from });
        self.assign(now);
        Verdict::Wanted
    }

    /// Takes in word from `from` that it has a block or not.
    pub fn receive_presence(&mut self, from: PeerId, cid: &Cid, have: bool, now: Duration) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if have || !peer.refused(cid, now) {
            return;
        }
        self.refuse(cid, from);
        self.assign(now);
    }

    /// Takes a lost peer out of the session; its wants go to others.
    pub fn lose_peer(&mut self, peer: PeerId, reason: LossReason, now: Duration) {
        if self.peers.contains(&peer) {
            self.events.push_back(Event::PeerLost { peer, reason });
            self.remove_peer(peer, now);
        }
    }

    /// Takes a peer out of the session without an event; its wants go to
    /// others. Returns those that are to be cancelled with the peer, should it
    /// still be there.
    pub fn remove_peer(&mut self, peer: PeerId, now: Duration) -> Vec<Cid> {
        if self.peers.remove(&peer).is_none() {
            return Vec::new();
        }
        let mut freed: Vec<Cid> = Vec::new();
        for (cid, want) in &mut self.wants {
            if want.with == Some(peer) {
                want.with = None;
                freed.push(*cid);
            }
        }
        self.queue.extend(&freed);
        self.assign(now);
        freed
    }

    /// Does what is due at `now`: gives up peers that stall, passes on wants
    /// that were passed over, and lets idle peers take over from slow ones.
    pub fn tick(&mut self, now: Duration) {
        self.ticked = now;
        for peer in self.peers.stalled(now, self.config.stall_timeout) {
            self.lose_peer(peer, LossReason::Stalled, now);
        }
        for (peer, cid) in self.peers.passed_over(now, self.config.want_timeout) {
            self.take_back(&cid, &peer);
            self.refuse(&cid, peer);
        }
        self.assign(now);
        self.steal(now);
    }

    /// When [`tick`](Self::tick) should be called next; `None` while nothing
    /// is owed.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.peers.any_owes().then_some(self.ticked + TICK)
    }

    /// What there is to tell.
    pub fn next_event(&mut self, now: Duration) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Block { block, .. } = &event {
            self.ready_bytes -= block.data().len();
            self.assign(now);
        }
        Some(event)
    }

    /// Changes of the want-list that are to be sent to a peer.
    pub fn next_message(&mut self) -> Option<(PeerId, Vec<Entry>)> {
        self.peers.next_message()
    }

    /// How many wants have no answer yet.
    #[must_use]
    pub fn wants(&self) -> usize {
        self.wants.len()
    }

    /// The peers that are asked.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.ids()
    }

    /// Whether `peer` owes the block of `cid` to this session.
    #[must_use]
    pub fn asks(&self, peer: &PeerId, cid: &Cid) -> bool {
        self.wants.get(cid).is_some_and(|want| want.with == Some(*peer))
    }

    /// Notes that `peer` does not have the block and looks for another.
    fn refuse(&mut self, cid: &Cid, peer: PeerId) {
        let Some(want) = self.wants.get_mut(cid) else { return };
        if !want.refused.contains(&peer) {
            want.refused.push(peer);
        }
        if want.with == Some(peer) {
            want.with = None;
            self.queue.push_front(*cid);
        }
    }

    fn take_back(&mut self, cid: &Cid, peer: &PeerId) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.take_back(cid);
        }
    }

    /// Hands queued wants to peers as long as there is room in their windows.
    fn assign(&mut self, now: Duration) {
        let mut kept = VecDeque::new();
        while self.peers.have_room(self.ready_bytes) {
            let Some(cid) = self.queue.pop_front() else { break };
            let Some(want) = self.wants.get_mut(&cid).filter(|want| want.with.is_none()) else {
                continue;
            };
            match self.peers.choose(&want.refused, self.ready_bytes) {
                Choice::Peer(id, peer) => {
                    want.with = Some(id);
                    peer.ask(cid, now);
                }
                Choice::Busy => kept.push_back(cid),
                Choice::Nobody => self.give_up(&cid),
            }
        }
        kept.append(&mut self.queue);
        self.queue = kept;
    }

    fn give_up(&mut self, cid: &Cid) {
        let last = self.wants.get(cid).and_then(|want| want.refused.last().copied());
        self.end_want(cid);
        if let Some(from) = last {
            self.events.push_back(Event::DontHave { cid: *cid, from });
        }
    }

    /// Lets a peer with nothing to do take half of what the one with most to
    /// do is slow about.
    fn steal(&mut self, now: Duration) {
        let Some((idle, slow)) = self.peers.idle_and_slow(now, self.config.steal_after) else {
            return;
        };
        let mut late = self.peers.late_wants(&slow, now, self.config.steal_after);
        late.retain(|cid| self.wants.get(cid).is_some_and(|want| !want.refused.contains(&idle)));
        let half = late.len().div_ceil(2);
        for cid in late.into_iter().rev().take(half) {
            self.take_back(&cid, &slow);
            if let Some(want) = self.wants.get_mut(&cid) {
                want.with = Some(idle);
            }
            if let Some(peer) = self.peers.get_mut(&idle) {
                peer.ask(cid, now);
            }
        }
    }

    /// Ends a want and takes it back from every peer that may still answer.
    fn end_want(&mut self, cid: &Cid) {
        let Some(want) = self.wants.remove(cid) else { return };
        for peer in want.with.iter().chain(&want.refused) {
            self.take_back(cid, peer);
        }
    }

    /// Drops queue entries that stand for nothing once there are many, so that
    /// wanting and cancelling in turn does not grow the queue.
    fn tidy_queue(&mut self) {
        if self.queue.len() > 2 * MAX_BITSWAP_SESSION_WANTS {
            let mut seen = HashSet::new();
            self.queue.retain(|cid| self.wants.contains_key(cid) && seen.insert(*cid));
        }
    }
}

/// Who could be asked for a block.
enum Choice<'a> {
    /// This one, now.
    Peer(PeerId, &'a mut Peer),
    /// Somebody, but later.
    Busy,
    /// Everybody has refused.
    Nobody,
}
