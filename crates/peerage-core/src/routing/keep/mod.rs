//! Whom a node stays connected with, and when it tries again: one table, for
//! whatever reason a peer is kept.

mod backoff;

use std::collections::BTreeMap;
use std::time::Duration;

pub use backoff::Backoff;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::advice::Advice;
use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_KEPT_PEERS};

/// Why a node stays connected with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It is a hub of this node: this node is reached through it.
    Hub,
    /// Something is being got from it.
    Provider,
}

impl Reason {
    /// The pauses between tries to reach a peer that is kept for this reason.
    #[must_use]
    pub fn pauses(self) -> Backoff {
        Backoff::up_to(self.longest_pause())
    }

    /// Somebody waits for a provider, and gives up after a minute.
    fn longest_pause(self) -> Duration {
        match self {
            Self::Hub => Backoff::LONGEST,
            Self::Provider => Duration::from_secs(15),
        }
    }
}

/// As many peers are kept as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node stays connected with {MAX_KEPT_PEERS} peers already")]
pub struct TooManyKept;

impl Advice for TooManyKept {
    fn hint(&self) -> Option<&'static str> {
        Some("end something that needs others")
    }
}

/// A peer to dial now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub peer: PeerId,
    /// Where it is, as far as those who keep it know.
    pub addresses: Vec<Multiaddr>,
    /// How many tries failed before this one, since it was connected or the
    /// network changed.
    pub failures: usize,
}

/// All peers that a node stays connected with.
///
/// Pure: `now` is the time since some start, the same in all calls, and never
/// goes back. Whoever drives it asks for what is [`due`](Self::due), dials that,
/// and says who is connected and who no more; a try counts as failed until then.
///
/// ```
/// use std::time::Duration;
/// use libp2p_identity::PeerId;
/// use peerage_core::routing::keep::{Keeper, Reason};
///
/// let (mut keeper, peer) = (Keeper::default(), PeerId::from_bytes(&[0, 1, 7])?);
/// let second = Duration::from_secs(1);
/// keeper.keep(peer, &[], Reason::Hub, false, Duration::ZERO)?;
/// assert_eq!(keeper.due(Duration::ZERO).len(), 1);
/// assert_eq!(keeper.next_at(), Some(second), "it did not answer at once");
/// keeper.connected(&peer);
/// assert_eq!(keeper.next_at(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Keeper {
    kept: BTreeMap<PeerId, Kept>,
}

/// One kept peer.
#[derive(Clone, Debug)]
struct Kept {
    /// How many keep it for each reason.
    reasons: BTreeMap<Reason, usize>,
    addresses: Vec<Multiaddr>,
    connected: bool,
    /// It was connected before, and is no more.
    lost: bool,
    pauses: Backoff,
    tried_at: Option<Duration>,
    next_at: Duration,
}

impl Keeper {
    /// Keeps a peer from now on, until [`release`](Self::release) is called as
    /// often as this. Somebody wants it now, so that it is tried at once, if it
    /// was not a moment ago. `connected` says whether it is connected.
    ///
    /// The addresses are bounded, the first stay.
    ///
    /// # Errors
    ///
    /// When as many peers are kept as may be.
    pub fn keep(
        &mut self,
        peer: PeerId,
        addresses: &[Multiaddr],
        reason: Reason,
        connected: bool,
        now: Duration,
    ) -> Result<(), TooManyKept> {
        if !self.kept.contains_key(&peer) && self.kept.len() >= MAX_KEPT_PEERS {
            return Err(TooManyKept);
        }
        let kept = self.kept.entry(peer).or_insert_with(|| Kept::new(connected, now));
        *kept.reasons.entry(reason).or_default() += 1;
        kept.add_addresses(addresses);
        kept.limit_pauses();
        kept.pauses.reset();
        kept.next_at = kept.soonest(now);
        Ok(())
    }

    /// Keeps a peer for this reason no more; it is forgotten when no reason is
    /// left.
    pub fn release(&mut self, peer: &PeerId, reason: Reason) {
        let Some(kept) = self.kept.get_mut(peer) else { return };
        if let Some(count) = kept.reasons.get_mut(&reason) {
            *count -= 1;
            if *count == 0 {
                kept.reasons.remove(&reason);
                kept.limit_pauses();
            }
        }
        if kept.reasons.is_empty() {
            self.kept.remove(peer);
        }
    }

    /// Whether a peer is kept.
    #[must_use]
    pub fn contains(&self, peer: &PeerId) -> bool {
        self.kept.contains_key(peer)
    }

    /// The peers to dial now.
    pub fn due(&mut self, now: Duration) -> Vec<Due> {
        let due = self.kept.iter_mut().filter(|(_, kept)| !kept.connected && kept.next_at <= now);
        due.map(|(peer, kept)| kept.dial(*peer, now)).collect()
    }

    /// When the next peer is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.kept.values().filter(|kept| !kept.connected).map(|kept| kept.next_at).min()
    }

    /// Notes that a peer is connected, if it is kept; whether it is one that had
    /// been lost.
    pub fn connected(&mut self, peer: &PeerId) -> bool {
        let Some(kept) = self.kept.get_mut(peer) else { return false };
        kept.connected = true;
        kept.pauses.reset();
        std::mem::take(&mut kept.lost)
    }

    /// Notes that a peer is connected no more: a kept one is dialled again at
    /// once, if it was not a moment ago.
    pub fn disconnected(&mut self, peer: &PeerId, now: Duration) {
        if let Some(kept) = self.kept.get_mut(peer) {
            (kept.connected, kept.lost) = (false, true);
            kept.next_at = kept.soonest(now);
        }
    }

    /// Tries all again now: the network has changed, or is back.
    pub fn hurry(&mut self, now: Duration) {
        for kept in self.kept.values_mut() {
            kept.pauses.reset();
            kept.next_at = now;
        }
    }
}

impl Kept {
    fn new(connected: bool, now: Duration) -> Self {
        let (reasons, addresses) = (BTreeMap::new(), Vec::new());
        let pauses = Backoff::default();
        let (lost, tried_at) = (false, None);
        Self { reasons, addresses, connected, lost, pauses, tried_at, next_at: now }
    }

    fn add_addresses(&mut self, addresses: &[Multiaddr]) {
        for address in addresses {
            let has_room = self.addresses.len() < MAX_ADDRESSES_PER_PEER;
            if has_room && !self.addresses.contains(address) {
                self.addresses.push(address.clone());
            }
        }
    }

    /// The reason that is least patient counts.
    fn limit_pauses(&mut self) {
        let longest = self.reasons.keys().map(|reason| reason.longest_pause()).min();
        self.pauses.limit(longest.unwrap_or(Backoff::LONGEST));
    }

    /// Now, unless the last try is no older than the shortest pause: a peer that
    /// hangs up on everybody must not be dialled without end.
    fn soonest(&self, now: Duration) -> Duration {
        self.tried_at.map_or(now, |tried| now.max(tried + Backoff::SHORTEST))
    }

    /// Counts a try, as failed until it turns out otherwise.
    fn dial(&mut self, peer: PeerId, now: Duration) -> Due {
        let failures = self.pauses.failures();
        self.tried_at = Some(now);
        self.next_at = now + self.pauses.next_pause();
        Due { peer, addresses: self.addresses.clone(), failures }
    }
}

#[cfg(test)]
mod tests;
