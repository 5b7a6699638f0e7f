//! What all ways have found, put together: a peer once, each address once, the
//! newest record, the best first, and nothing for ever.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::{Finding, SignedPeerRecord, WayName};
use crate::limits::{
    MAX_ADDRESSES_PER_PEER, MAX_CLAIMED_ADDRESS_BYTES, MAX_CLAIMED_ADDRESSES, MAX_FOUND_PEERS,
};
use crate::routing::address::of_peer;

/// How long a finding counts after it was last heard of: longer than the
/// slowest way is asked again, shorter than a dynamic address lives.
pub const FINDING_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// What came of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The peer was not known.
    New,
    /// The peer was known, at other addresses or without its own word.
    Changed,
    /// Another way says what is known.
    Confirmed,
    /// The same way says what is known.
    Unchanged,
    /// The finding does not count.
    Refused(Refusal),
}

/// Why a finding does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It comes with the record of another peer.
    #[error("the record is another peer's")]
    AnotherPeer,
    /// The peer has signed a newer record.
    #[error("record {came} is older than the known one, {known}")]
    Stale {
        /// The number of the record that is known.
        known: u64,
        /// The number of the one that came.
        came: u64,
    },
    /// There are [`MAX_FOUND_PEERS`] better ones.
    #[error("{MAX_FOUND_PEERS} better peers are known")]
    Full,
}

/// How much a peer's findings are worth: its own word counts more than what
/// others say, many ways more than few, lately more than long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// Whether the peer itself has signed where it is.
    pub signed: bool,
    /// How many ways have found it.
    pub ways: usize,
    /// When it was heard of last.
    pub seen: Duration,
}

/// A peer, with all that is known of where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The peer.
    pub peer: PeerId,
    /// Where it may be: the addresses it signed in its order, then those that
    /// others claim.
    pub addresses: Vec<Multiaddr>,
    /// Its newest signed record.
    pub record: Option<SignedPeerRecord>,
    /// The ways that found it.
    pub ways: Vec<WayName>,
    /// How much that is worth.
    pub score: Score,
}

/// What all ways have found. Times are counted from any fixed moment.
///
/// ```
/// use std::time::Duration;
/// use peerage_core::discovery::{Finding, Findings, Outcome, WayName};
///
/// let mut findings = Findings::default();
/// let peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?;
/// let addresses = vec!["/ip4/192.0.2.1/tcp/4001".parse()?];
/// let finding = Finding { peer, addresses, record: None };
/// let now = Duration::ZERO;
/// assert_eq!(findings.take(WayName::Lan, &finding, now), Outcome::New);
/// assert_eq!(findings.take(WayName::Tracker, &finding, now), Outcome::Confirmed);
/// assert_eq!(findings.get(&peer).map(|found| found.score.ways), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Findings {
    peers: BTreeMap<PeerId, Known>,
    lifetime: Duration,
}

impl Default for Findings {
    fn default() -> Self {
        Self::new(FINDING_LIFETIME)
    }
}

impl Findings {
    /// Nothing found yet; what will be is forgotten after `lifetime`.
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        Self { peers: BTreeMap::new(), lifetime }
    }

    /// Takes in what a way has found, and says what came of it.
    pub fn take(&mut self, way: WayName, finding: &Finding, now: Duration) -> Outcome {
        let peer = finding.peer;
        let horizon = now.saturating_sub(self.lifetime);
        let mut known = self.peers.remove(&peer).unwrap_or_default();
        known.forget_before(horizon);
        if let Some(refusal) = known.refusal(finding) {
            self.put(peer, known);
            return Outcome::Refused(refusal);
        }
        let (is_new, before) = (known.is_empty(), known.says());
        let is_confirmed = !known.heard.contains_key(&way);
        known.take(way, finding, now);
        let changed = known.says() != before;
        self.put(peer, known);
        if self.make_room() == Some(peer) {
            return Outcome::Refused(Refusal::Full);
        }
        match (is_new, changed, is_confirmed) {
            (true, ..) => Outcome::New,
            (_, true, _) => Outcome::Changed,
            (.., true) => Outcome::Confirmed,
            _ => Outcome::Unchanged,
        }
    }

    /// Forgets what was not heard of for a lifetime; answers the peers of which
    /// nothing is left.
    pub fn sweep(&mut self, now: Duration) -> Vec<PeerId> {
        let horizon = now.saturating_sub(self.lifetime);
        let mut gone = Vec::new();
        self.peers.retain(|peer, known| {
            known.forget_before(horizon);
            if known.is_empty() {
                gone.push(*peer);
            }
            !known.is_empty()
        });
        gone
    }

    /// All that is known of a peer.
    #[must_use]
    pub fn get(&self, peer: &PeerId) -> Option<Candidate> {
        self.peers.get(peer).map(|known| known.candidate(*peer))
    }

    /// All peers, the best first.
    #[must_use]
    pub fn best(&self) -> Vec<Candidate> {
        let mut all: Vec<_> =
            self.peers.iter().map(|(peer, known)| known.candidate(*peer)).collect();
        all.sort_by_key(|candidate| Reverse(candidate.score));
        all
    }

    /// How many peers are known; at most [`MAX_FOUND_PEERS`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether no peer is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    fn put(&mut self, peer: PeerId, known: Known) {
        if !known.is_empty() {
            self.peers.insert(peer, known);
        }
    }

    /// Gives up the worst peer if there is one too many. A crowd that others
    /// merely claim to exist never pushes out one that spoke for itself.
    fn make_room(&mut self) -> Option<PeerId> {
        if self.peers.len() <= MAX_FOUND_PEERS {
            return None;
        }
        let worst = self.peers.iter().min_by_key(|(peer, known)| (known.score(), **peer));
        let worst = worst.map(|(peer, _)| *peer)?;
        self.peers.remove(&worst);
        Some(worst)
    }
}

/// What is known of one peer. What each way claims is kept apart and bounded,
/// so that one that lies pushes out nothing but its own.
#[derive(Debug, Default)]
struct Known {
    signed: Option<Signed>,
    heard: BTreeMap<WayName, Heard>,
}

#[derive(Debug)]
struct Signed {
    record: SignedPeerRecord,
    seen: Duration,
}

#[derive(Debug)]
struct Heard {
    seen: Duration,
    claims: Vec<Claim>,
}

#[derive(Debug)]
struct Claim {
    address: Multiaddr,
    seen: Duration,
}

impl Known {
    fn is_empty(&self) -> bool {
        self.signed.is_none() && self.heard.is_empty()
    }

    fn refusal(&self, finding: &Finding) -> Option<Refusal> {
        let record = finding.record.as_ref()?;
        if record.peer() != finding.peer {
            return Some(Refusal::AnotherPeer);
        }
        let known = self.signed.as_ref()?.record.sequence();
        let came = record.sequence();
        (came < known).then_some(Refusal::Stale { known, came })
    }

    fn take(&mut self, way: WayName, finding: &Finding, now: Duration) {
        if let Some(record) = &finding.record {
            self.take_record(record, now);
        }
        let signed: &[Multiaddr] = finding.record.as_ref().map_or(&[], |record| record.addresses());
        let heard = self.heard.entry(way).or_insert(Heard { seen: now, claims: Vec::new() });
        heard.seen = heard.seen.max(now);
        let bare = finding.addresses.iter().filter_map(|address| bare(address, finding.peer));
        let claims = bare.filter(|address| !signed.contains(address));
        for address in claims.take(MAX_CLAIMED_ADDRESSES) {
            heard.claim(address, now);
        }
    }

    fn take_record(&mut self, record: &SignedPeerRecord, now: Duration) {
        match &mut self.signed {
            Some(signed) => {
                signed.seen = signed.seen.max(now);
                if is_newer(record, &signed.record) {
                    signed.record = record.clone();
                }
            }
            none => *none = Some(Signed { record: record.clone(), seen: now }),
        }
    }

    fn forget_before(&mut self, horizon: Duration) {
        if self.signed.as_ref().is_some_and(|signed| signed.seen < horizon) {
            self.signed = None;
        }
        self.heard.retain(|_, heard| {
            heard.claims.retain(|claim| claim.seen >= horizon);
            heard.seen >= horizon
        });
    }

    /// What is compared to tell whether anything has changed.
    fn says(&self) -> (bool, BTreeSet<Multiaddr>) {
        (self.signed.is_some(), self.addresses().into_iter().collect())
    }

    fn addresses(&self) -> Vec<Multiaddr> {
        let signed = self.signed.as_ref().into_iter().flat_map(|it| it.record.addresses());
        let mut addresses: Vec<Multiaddr> = Vec::new();
        for address in signed.cloned().chain(self.claimed()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// What others claim: what many ways say first, then what was said last.
    fn claimed(&self) -> Vec<Multiaddr> {
        let mut claims: BTreeMap<&Multiaddr, (usize, Duration)> = BTreeMap::new();
        for claim in self.heard.values().flat_map(|heard| &heard.claims) {
            let (ways, seen) = claims.entry(&claim.address).or_default();
            *ways += 1;
            *seen = claim.seen.max(*seen);
        }
        let mut claims: Vec<_> = claims.into_iter().collect();
        claims.sort_by_key(|(_, worth)| Reverse(*worth));
        claims.into_iter().map(|(address, _)| address.clone()).collect()
    }

    fn score(&self) -> Score {
        let signed = self.signed.as_ref().map(|signed| signed.seen);
        let seen = self.heard.values().map(|heard| heard.seen).chain(signed).max();
        Score {
            signed: signed.is_some(),
            ways: self.heard.len(),
            seen: seen.unwrap_or(Duration::ZERO),
        }
    }

    fn candidate(&self, peer: PeerId) -> Candidate {
        Candidate {
            peer,
            addresses: self.addresses(),
            record: self.signed.as_ref().map(|signed| signed.record.clone()),
            ways: self.heard.keys().copied().collect(),
            score: self.score(),
        }
    }
}

impl Heard {
    fn claim(&mut self, address: Multiaddr, now: Duration) {
        match self.claims.iter_mut().find(|claim| claim.address == address) {
            Some(claim) => claim.seen = claim.seen.max(now),
            None => self.claims.push(Claim { address, seen: now }),
        }
        if self.claims.len() > MAX_CLAIMED_ADDRESSES {
            let oldest = self.claims.iter().enumerate().min_by_key(|(_, claim)| claim.seen);
            if let Some((place, _)) = oldest {
                self.claims.remove(place);
            }
        }
    }
}

/// Whether a record replaces another of the same peer. Two of one number are a
/// peer's mistake: then the bytes decide, so that all who know both agree.
fn is_newer(record: &SignedPeerRecord, than: &SignedPeerRecord) -> bool {
    match record.sequence().cmp(&than.sequence()) {
        Ordering::Equal if record != than => record.encode() > than.encode(),
        order => order == Ordering::Greater,
    }
}

/// A claimed address without the peer at its end; nothing when it is of
/// another peer, empty, or too long.
fn bare(address: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    of_peer(address, &peer).filter(|bare| bare.len() <= MAX_CLAIMED_ADDRESS_BYTES)
}

// A way's claims and a record's addresses have the same bound, so that the
// claims of one way can be those of one record.
const _: () = assert!(MAX_CLAIMED_ADDRESSES >= MAX_ADDRESSES_PER_PEER);

#[cfg(test)]
mod tests;
