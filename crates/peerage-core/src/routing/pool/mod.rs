//! Places that everybody wants and nobody may take all of.
//!
//! Every limit on what strangers hold at once is a [`Pool`]: it bounds what is
//! held in all, for each [network](crate::routing::Network), and for each crowd
//! of networks. How much one may hold shrinks as the pool fills, so that there
//! is a place for a newcomer until very many networks are there. A place that
//! says nothing is taken back for one who has less.
//!
//! Times are passed in, as durations since any fixed moment.

mod origin;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use origin::{Crowd, One};
pub use origin::{Origin, Relay};

/// How many times what is free a crowd may hold.
const CROWD_PER_FREE: usize = 2;

/// The same where it is for one of the crowd who has nothing yet.
const FIRST_PER_FREE: usize = 3;

/// Which part of a pool is kept for those of whose crowd nobody is there.
const KEPT_FOR_NEW_CROWDS: usize = 8;

/// How much a pool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// In all.
    pub all: usize,
    /// Of one crowd: an IPv4 /24, an IPv6 /48, or a hub.
    pub crowd: usize,
    /// Of one in it: an IPv4 address, an IPv6 /56, or a peer behind a hub.
    pub one: usize,
    /// After how long a place that says nothing may be taken back.
    pub silence: Duration,
}

impl PoolLimits {
    /// A pool without other bounds than the shares; no place is taken back.
    #[must_use]
    pub const fn of(all: usize) -> Self {
        Self { all, crowd: all, one: all, silence: Duration::MAX }
    }

    /// The same with silent places taken back.
    #[must_use]
    pub const fn with_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// All that there is is held.
    #[error("everything is taken")]
    Full,
    /// The crowd holds its share.
    #[error("the networks around, or the relay, have their share")]
    Crowd,
    /// The network, or the peer, holds its share.
    #[error("the network has its share")]
    One,
}

/// Places, shared out.
///
/// ```
/// use std::time::Duration;
/// use peerage_core::routing::pool::{Origin, Pool, PoolLimits};
///
/// let (mut pool, now) = (Pool::new(PoolLimits::of(8)), Duration::ZERO);
/// let greedy = Origin::address("192.0.2.1".parse()?);
/// let got = (0..8).filter(|n| pool.enter(*n, &greedy, 1, now).is_ok()).count();
/// assert_eq!(got, 3, "the rest is for others");
/// assert!(pool.enter(9, &Origin::address("198.51.100.1".parse()?), 1, now).is_ok());
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Pool<K> {
    limits: PoolLimits,
    places: HashMap<K, Place>,
    crowds: HashMap<Crowd, Held>,
    held: usize,
}

/// What one has got.
#[derive(Debug)]
struct Place {
    origin: Origin,
    weight: usize,
    heard: Duration,
}

/// What a crowd holds, and who of it how much.
#[derive(Debug, Default)]
struct Held {
    all: usize,
    ones: HashMap<One, usize>,
}

impl<K: Clone + Eq + Hash> Pool<K> {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Self {
        Self { limits, places: HashMap::new(), crowds: HashMap::new(), held: 0 }
    }

    /// Gives a place of some weight. What is returned has lost its place for it:
    /// silent ones, of those who hold more than the newcomer.
    ///
    /// # Errors
    ///
    /// When there is none; nobody has lost a place then.
    pub fn enter(
        &mut self,
        key: K,
        origin: &Origin,
        weight: usize,
        now: Duration,
    ) -> Result<Vec<K>, Refused> {
        self.leave(&key);
        let mut lost = Vec::new();
        while let Some(refused) = self.refusal(origin, weight) {
            let Some(silent) = self.silent(refused, origin, weight, now) else {
                self.restore(lost);
                return Err(refused);
            };
            if let Some(place) = self.remove(&silent) {
                lost.push((silent, place));
            }
        }
        self.insert(key, Place { origin: origin.clone(), weight, heard: now });
        Ok(lost.into_iter().map(|(key, _)| key).collect())
    }

    /// Notes that a place has said something.
    pub fn heard(&mut self, key: &K, now: Duration) {
        if let Some(place) = self.places.get_mut(key) {
            place.heard = now;
        }
    }

    /// Takes a place back; one that was not given is none.
    pub fn leave(&mut self, key: &K) {
        self.remove(key);
    }

    /// Whether somebody has a place.
    #[must_use]
    pub fn holds(&self, key: &K) -> bool {
        self.places.contains_key(key)
    }

    /// How many places are given.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Why one would get no place. The first of a crowd needs no share, only a
    /// place, and a part of all is kept for such. Somebody alone gets some two
    /// fifths of a pool, and a whole crowd two thirds.
    fn refusal(&self, origin: &Origin, weight: usize) -> Option<Refused> {
        let (crowd, one) = self.of(origin);
        let all = self.limits.all;
        let Some(free) = all.saturating_sub(self.held).checked_sub(weight) else {
            return Some(Refused::Full);
        };
        if crowd == 0 {
            return None;
        }
        let free = free.saturating_sub(all / KEPT_FOR_NEW_CROWDS);
        let crowd_after = crowd.saturating_add(weight);
        let most = if one == 0 { FIRST_PER_FREE } else { CROWD_PER_FREE };
        let share = free.saturating_mul(most);
        if crowd_after > share.min(self.limits.crowd) {
            return Some(Refused::Crowd);
        }
        let share = share.saturating_sub(crowd).min(self.limits.one);
        (one > 0 && one.saturating_add(weight) > share).then_some(Refused::One)
    }

    /// How much a crowd holds, and one in it.
    fn of(&self, origin: &Origin) -> (usize, usize) {
        let Some(crowd) = self.crowds.get(&origin.crowd) else { return (0, 0) };
        (crowd.all, crowd.ones.get(&origin.one).copied().unwrap_or(0))
    }

    /// The place that is taken back for a newcomer: of those that compete with it
    /// and hold no less, the silent one of who holds most.
    fn silent(
        &self,
        refused: Refused,
        newcomer: &Origin,
        weight: usize,
        now: Duration,
    ) -> Option<K> {
        let (crowd, one) = self.of(newcomer);
        // Then only its own places make room.
        let capped = one.saturating_add(weight) > self.limits.one;
        let gives = |place: &Place| {
            let (other_crowd, other_one) = self.of(&place.origin);
            match refused {
                Refused::Full if place.origin.crowd == newcomer.crowd => other_one >= one,
                Refused::Full => other_crowd > crowd,
                Refused::Crowd => place.origin.crowd == newcomer.crowd && other_one >= one,
                Refused::One if place.origin == *newcomer => true,
                Refused::One => !capped && place.origin.crowd == newcomer.crowd && other_one > one,
            }
        };
        let silent = |place: &Place| now.saturating_sub(place.heard) >= self.limits.silence;
        let giving = self.places.iter().filter(|(_, place)| silent(place) && gives(place));
        let most = |place: &Place| {
            let (crowd, one) = self.of(&place.origin);
            (crowd, one, Reverse(place.heard))
        };
        giving.max_by_key(|(_, place)| most(place)).map(|(key, _)| key.clone())
    }

    fn restore(&mut self, lost: Vec<(K, Place)>) {
        for (key, place) in lost {
            self.insert(key, place);
        }
    }

    fn insert(&mut self, key: K, place: Place) {
        let crowd = self.crowds.entry(place.origin.crowd.clone()).or_default();
        crowd.all += place.weight;
        *crowd.ones.entry(place.origin.one.clone()).or_default() += place.weight;
        self.held += place.weight;
        self.places.insert(key, place);
    }

    fn remove(&mut self, key: &K) -> Option<Place> {
        let place = self.places.remove(key)?;
        self.held -= place.weight;
        if let Some(crowd) = self.crowds.get_mut(&place.origin.crowd) {
            crowd.leave(&place);
            if crowd.all == 0 {
                self.crowds.remove(&place.origin.crowd);
            }
        }
        Some(place)
    }
}

impl Held {
    fn leave(&mut self, place: &Place) {
        self.all -= place.weight;
        if let Some(held) = self.ones.get_mut(&place.origin.one) {
            *held -= place.weight;
            if *held == 0 {
                self.ones.remove(&place.origin.one);
            }
        }
    }
}
