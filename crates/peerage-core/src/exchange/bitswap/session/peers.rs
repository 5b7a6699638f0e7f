//! A session's peers: what each was asked for, and how it does.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use libp2p_identity::PeerId;

use super::Choice;
use crate::{
    data::Cid,
    exchange::bitswap::Entry,
    limits::{BITSWAP_WINDOW_BYTES, MAX_BITSWAP_ASKED_PER_PEER, MAX_BITSWAP_SESSION_WANTS},
};

/// What blocks are taken to weigh before the first has come: the chunk size of
/// the default profile. A lower guess would ask for more than the window holds.
const FIRST_GUESS_BYTES: usize = 1024 * 1024;

/// How many later wants a peer may answer first before an older one counts as
/// passed over, beyond those that were asked before it: peers look blocks up
/// side by side.
const REORDERING: u64 = 64;

/// One peer of a session.
#[derive(Debug)]
pub(super) struct Peer {
    asked: HashMap<Cid, Asked>,
    /// Asked once, and neither sent nor still wanted of this peer. A block of
    /// these that comes was on its way.
    late: HashSet<Cid>,
    outbox: Vec<Entry>,
    asked_ever: u32,
    answers: u64,
    block_bytes: usize,
    progress: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Duration,
    /// When the peer has given more answers than this, it has passed the want
    /// over.
    patience: u64,
}

impl Peer {
    fn new(now: Duration) -> Self {
        Self {
            asked: HashMap::new(),
            late: HashSet::new(),
            outbox: Vec::new(),
            asked_ever: 0,
            answers: 0,
            block_bytes: FIRST_GUESS_BYTES,
            progress: now,
        }
    }

    /// Puts a want on the list that goes to this peer. Earlier wants have
    /// higher priorities, so that blocks come in the order of asking.
    pub(super) fn ask(&mut self, cid: Cid, now: Duration) {
        if self.asked.is_empty() {
            self.progress = now;
        }
        let patience = self.answers + self.asked.len() as u64 + REORDERING;
        self.asked.insert(cid, Asked { at: now, patience });
        self.late.remove(&cid);
        let priority = i32::MAX - i32::try_from(self.asked_ever).unwrap_or(i32::MAX);
        self.asked_ever = self.asked_ever.saturating_add(1);
        self.outbox.push(Entry::block(cid, priority));
    }

    /// Takes a want back, with a cancel if the peer knows of it.
    pub(super) fn take_back(&mut self, cid: &Cid) {
        if self.asked.remove(cid).is_none() && !self.late.contains(cid) {
            return;
        }
        let unsent = self.outbox.len();
        self.outbox.retain(|entry| entry.cid != *cid);
        if self.outbox.len() == unsent {
            self.remember_late(*cid);
            self.outbox.push(Entry::cancel(*cid));
        }
    }

    /// Notes that a block has come; says whether it was ever asked of the peer.
    pub(super) fn answered(&mut self, cid: &Cid) -> bool {
        self.asked.remove(cid).is_some() | self.late.remove(cid)
    }

    /// Notes that the peer does not have a block; says whether it was asked.
    pub(super) fn refused(&mut self, cid: &Cid, now: Duration) -> bool {
        let asked = self.asked.remove(cid).is_some();
        if asked {
            self.remember_late(*cid);
            self.progressed(now);
        }
        asked
    }

    /// Notes that a wanted block of so many bytes has come.
    pub(super) fn delivered(&mut self, bytes: usize, now: Duration) {
        self.progressed(now);
        self.block_bytes = (self.block_bytes * 3 + bytes) / 4;
    }

    fn progressed(&mut self, now: Duration) {
        self.answers += 1;
        self.progress = now;
    }

    /// A peer can be made to fill this by asking and cancelling only; what is
    /// forgotten then merely counts as unwanted if it comes.
    fn remember_late(&mut self, cid: Cid) {
        if self.late.len() >= MAX_BITSWAP_SESSION_WANTS {
            self.late.clear();
        }
        self.late.insert(cid);
    }

    fn expected_bytes(&self) -> usize {
        self.asked.len() * self.block_bytes
    }

    fn has_room(&self, ready_bytes: usize) -> bool {
        let expected = self.expected_bytes() + ready_bytes;
        self.asked.len() < MAX_BITSWAP_ASKED_PER_PEER && expected < BITSWAP_WINDOW_BYTES
    }

    fn has_passed_over(&self, asked: &Asked, now: Duration, timeout: Duration) -> bool {
        self.answers > asked.patience && now.saturating_sub(asked.at) >= timeout
    }
}

/// The peers of a session, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Peers {
    peers: Vec<(PeerId, Peer)>,
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn contains(&self, id: &PeerId) -> bool {
        self.ids().any(|peer| peer == *id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.iter().map(|(id, _)| *id)
    }

    pub(super) fn add(&mut self, id: PeerId, now: Duration) {
        self.peers.push((id, Peer::new(now)));
    }

    pub(super) fn remove(&mut self, id: &PeerId) -> Option<Peer> {
        let position = self.peers.iter().position(|(peer, _)| peer == id)?;
        Some(self.peers.remove(position).1)
    }

    pub(super) fn get_mut(&mut self, id: &PeerId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|(peer, _)| peer == id).map(|(_, peer)| peer)
    }

    pub(super) fn any_owes(&self) -> bool {
        self.peers.iter().any(|(_, peer)| !peer.asked.is_empty())
    }

    pub(super) fn have_room(&self, ready_bytes: usize) -> bool {
        self.peers.iter().any(|(_, peer)| peer.has_room(ready_bytes))
    }

    /// The peer with the least to do of those that have not refused.
    pub(super) fn choose(&mut self, refused: &[PeerId], ready_bytes: usize) -> Choice<'_> {
        let mut willing = false;
        let mut best: Option<&mut (PeerId, Peer)> = None;
        for candidate in self.peers.iter_mut().filter(|(id, _)| !refused.contains(id)) {
            willing = true;
            let load = candidate.1.expected_bytes();
            let better = best.as_ref().is_none_or(|best| load < best.1.expected_bytes());
            if better && candidate.1.has_room(ready_bytes) {
                best = Some(candidate);
            }
        }
        match best {
            Some((id, peer)) => Choice::Peer(*id, peer),
            None if willing => Choice::Busy,
            None => Choice::Nobody,
        }
    }

    /// Peers that owe something and have sent nothing of use for so long.
    pub(super) fn stalled(&self, now: Duration, timeout: Duration) -> Vec<PeerId> {
        let stalled = self.peers.iter().filter(|(_, peer)| {
            !peer.asked.is_empty() && now.saturating_sub(peer.progress) >= timeout
        });
        stalled.map(|(id, _)| *id).collect()
    }

    /// Wants that peers have passed over.
    pub(super) fn passed_over(&self, now: Duration, timeout: Duration) -> Vec<(PeerId, Cid)> {
        let mut found = Vec::new();
        for (id, peer) in &self.peers {
            let passed = |asked: &Asked| peer.has_passed_over(asked, now, timeout);
            let wants = peer.asked.iter().filter(|(_, asked)| passed(asked));
            found.extend(wants.map(|(cid, _)| (*id, *cid)));
        }
        found
    }

    /// A peer that owes nothing, and the one that owes most and has had some of
    /// it for `age`.
    pub(super) fn idle_and_slow(&self, now: Duration, age: Duration) -> Option<(PeerId, PeerId)> {
        let (idle, _) = self.peers.iter().find(|(_, peer)| peer.asked.is_empty())?;
        let late =
            |peer: &Peer| peer.asked.values().any(|asked| now.saturating_sub(asked.at) >= age);
        let slow = self.peers.iter().filter(|(_, peer)| late(peer));
        let (slow, _) = slow.max_by_key(|(_, peer)| peer.expected_bytes())?;
        Some((*idle, *slow))
    }

    /// What a peer has owed for `age`, the oldest first.
    pub(super) fn late_wants(&self, id: &PeerId, now: Duration, age: Duration) -> Vec<Cid> {
        let Some((_, peer)) = self.peers.iter().find(|(peer, _)| peer == id) else {
            return Vec::new();
        };
        let old = peer.asked.iter().filter(|(_, a)| now.saturating_sub(a.at) >= age);
        let mut old: Vec<_> = old.map(|(cid, asked)| (asked.patience, *cid)).collect();
        old.sort_unstable();
        old.into_iter().map(|(_, cid)| cid).collect()
    }

    pub(super) fn next_message(&mut self) -> Option<(PeerId, Vec<Entry>)> {
        let (id, peer) = self.peers.iter_mut().find(|(_, peer)| !peer.outbox.is_empty())?;
        Some((*id, std::mem::take(&mut peer.outbox)))
    }
}
