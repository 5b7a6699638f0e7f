//! The relays that the endpoint uses, in two sets.
//!
//! Those of our hubs are measured, and this node is at home at the nearest:
//! others reach it there. Those that other peers say they are behind are
//! *borrowed* for a connection to them, and are nothing else to us: never
//! measured, never home, and given up with the last connection for which they
//! were needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iroh::{EndpointId, RelayUrl};
use libp2p::PeerId;

use crate::limits::{
    MAX_BORROWED_RELAY_LOOK_UPS, MAX_BORROWED_RELAYS, MAX_BORROWED_RELAYS_PER_PEER, MAX_RELAYS,
};
use crate::sync::lock;

/// The time in which a borrowed relay has so many tries.
const BORROWED_RELAY_PERIOD: Duration = Duration::from_secs(10);

/// Both sets; a cheap handle. Relays are named as inside the endpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct Relays(Arc<Mutex<Sets>>);

#[derive(Debug, Default)]
struct Sets {
    hubs: HashMap<PeerId, Vec<RelayUrl>>,
    borrowed: HashMap<RelayUrl, Users>,
}

/// Those for whom a relay is borrowed.
#[derive(Debug)]
struct Users {
    /// For how many connections to each peer.
    connections: HashMap<EndpointId, usize>,
    /// When its host was first looked up in this period, and how often.
    since: Instant,
    look_ups: usize,
}

/// What becomes of the first set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) new: Vec<RelayUrl>,
    pub(super) gone: Vec<RelayUrl>,
}

/// As many relays are borrowed as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many relays of other peers are in use as may be")]
pub(super) struct TooManyBorrowed;

/// A relay that is used for one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Borrowed {
    relays: Relays,
    url: RelayUrl,
    peer: EndpointId,
}

impl Relays {
    /// Takes the relays that a hub names instead of those that it named before.
    /// Each of `hubs` hubs has the same share of the room.
    pub(super) fn set_hub(&self, hub: PeerId, mut urls: Vec<RelayUrl>, hubs: usize) -> Change {
        urls.truncate((MAX_RELAYS / hubs.max(1)).max(1));
        let mut sets = lock(&self.0);
        let before: Vec<RelayUrl> = sets.of_hubs().cloned().collect();
        if sets.hubs.len() < MAX_RELAYS || sets.hubs.contains_key(&hub) {
            sets.hubs.insert(hub, urls);
        }
        let after: Vec<&RelayUrl> = sets.of_hubs().collect();
        let gone = before.iter().filter(|url| !after.contains(url)).cloned().collect();
        let new = after.into_iter().filter(|url| !before.contains(url)).cloned().collect();
        Change { new, gone }
    }

    /// Borrows a relay for a connection to a peer; `None` where it is one of
    /// our hubs.
    pub(super) fn borrow(
        &self,
        url: &RelayUrl,
        peer: EndpointId,
    ) -> Result<Option<Borrowed>, TooManyBorrowed> {
        let mut sets = lock(&self.0);
        if sets.of_hubs().any(|ours| ours == url) {
            return Ok(None);
        }
        let known = sets.borrowed.get(url);
        let of_peer = sets.borrowed.values().filter(|users| users.has(&peer)).count();
        let has_room = known.is_some() || sets.borrowed.len() < MAX_BORROWED_RELAYS;
        let is_used = known.is_some_and(|users| users.has(&peer));
        if !has_room || !(is_used || of_peer < MAX_BORROWED_RELAYS_PER_PEER) {
            return Err(TooManyBorrowed);
        }
        let users = sets.borrowed.entry(url.clone()).or_insert_with(Users::new);
        *users.connections.entry(peer).or_default() += 1;
        Ok(Some(Borrowed { relays: self.clone(), url: url.clone(), peer }))
    }

    /// How long to wait before a host is dialled, nothing as a rule; `None`
    /// unless a relay that is in use is there.
    ///
    /// A relay that ends each connection as soon as it stands is dialled again
    /// at once by the endpoint: a borrowed one has so many tries.
    pub(super) fn turn(&self, host: &str, now: Instant) -> Option<Duration> {
        let host = host.trim_end_matches('.');
        let mut sets = lock(&self.0);
        if sets.of_hubs().any(|url| is_at(url, host)) {
            return Some(Duration::ZERO);
        }
        let url = sets.borrowed.keys().find(|url| is_at(url, host))?.clone();
        let users = sets.borrowed.get_mut(&url)?;
        if now - users.since >= BORROWED_RELAY_PERIOD {
            (users.since, users.look_ups) = (now, 0);
        }
        users.look_ups += 1;
        let left = BORROWED_RELAY_PERIOD.saturating_sub(now - users.since);
        let is_over = users.look_ups > MAX_BORROWED_RELAY_LOOK_UPS;
        Some(if is_over { left } else { Duration::ZERO })
    }

    fn give_back(&self, url: &RelayUrl, peer: &EndpointId) {
        let mut sets = lock(&self.0);
        let Some(users) = sets.borrowed.get_mut(url) else { return };
        if let Some(count) = users.connections.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                users.connections.remove(peer);
            }
        }
        if users.connections.is_empty() {
            sets.borrowed.remove(url);
        }
    }
}

impl Users {
    fn new() -> Self {
        Self { connections: HashMap::new(), since: Instant::now(), look_ups: 0 }
    }

    fn has(&self, peer: &EndpointId) -> bool {
        self.connections.contains_key(peer)
    }
}

fn is_at(url: &RelayUrl, host: &str) -> bool {
    url.host_str().is_some_and(|own| own.trim_end_matches('.') == host)
}

impl Sets {
    fn of_hubs(&self) -> impl Iterator<Item = &RelayUrl> {
        self.hubs.values().flatten()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.relays.give_back(&self.url, &self.peer);
    }
}

#[cfg(test)]
mod tests {
    use iroh::SecretKey;

    use super::*;

    fn url(number: usize) -> RelayUrl {
        format!("http://hub{number}.example:3340").parse().unwrap()
    }

    fn peer(number: u8) -> EndpointId {
        SecretKey::from_bytes(&[number; 32]).public()
    }

    #[test]
    fn each_hub_has_its_share_and_what_it_names_no_more_is_gone() {
        let (relays, one, other) = (Relays::default(), PeerId::random(), PeerId::random());
        let many: Vec<RelayUrl> = (0..99).map(url).collect();
        assert_eq!(relays.set_hub(one, many, 2).new.len(), MAX_RELAYS / 2);
        let change = relays.set_hub(other, vec![url(500)], 2);
        assert_eq!(change, Change { new: vec![url(500)], gone: vec![] });
        let change = relays.set_hub(other, vec![url(501), url(0)], 2);
        assert_eq!(change, Change { new: vec![url(501)], gone: vec![url(500)] });
        assert_eq!(
            relays.set_hub(other, vec![], 2).gone,
            [url(501)],
            "the first hub has the other"
        );
    }

    #[test]
    fn a_relay_is_in_use_for_as_long_as_it_is_borrowed() {
        let relays = Relays::default();
        let first = relays.borrow(&url(1), peer(1)).unwrap();
        let second = relays.borrow(&url(1), peer(1)).unwrap();
        drop(first);
        let now = Instant::now();
        assert_eq!(relays.turn("hub1.example.", now), Some(Duration::ZERO));
        drop(second);
        assert_eq!(relays.turn("hub1.example", now), None);
    }

    #[test]
    fn a_borrowed_relay_has_so_many_tries_and_a_hub_has_any() {
        let (relays, now) = (Relays::default(), Instant::now());
        let _held = relays.borrow(&url(1), peer(1)).unwrap();
        relays.set_hub(PeerId::random(), vec![url(2)], 1);
        for _ in 0..MAX_BORROWED_RELAY_LOOK_UPS {
            assert_eq!(relays.turn("hub1.example", now), Some(Duration::ZERO));
            assert_eq!(relays.turn("hub2.example", now), Some(Duration::ZERO));
        }
        assert!(relays.turn("hub1.example", now).unwrap() > Duration::ZERO);
        assert_eq!(relays.turn("hub2.example", now), Some(Duration::ZERO));
        let later = Instant::now() + BORROWED_RELAY_PERIOD;
        assert_eq!(relays.turn("hub1.example", later), Some(Duration::ZERO));
    }

    #[test]
    fn neither_one_peer_nor_many_borrow_without_end() {
        let relays = Relays::default();
        let borrow = |number: usize, by| relays.borrow(&url(number), peer(by));
        let held: Vec<_> = (0..MAX_BORROWED_RELAYS_PER_PEER).map(|one| borrow(one, 0)).collect();
        assert_eq!(borrow(99, 0).unwrap_err(), TooManyBorrowed);
        assert!(borrow(0, 0).is_ok(), "it has that one already");
        drop(held);
        let of_many: Vec<_> = (0..MAX_BORROWED_RELAYS)
            .map(|one| borrow(one, u8::try_from(one).unwrap()).unwrap())
            .collect();
        assert_eq!(borrow(999, 200).unwrap_err(), TooManyBorrowed);
        drop(of_many);
        assert!(borrow(999, 200).is_ok());
    }

    #[test]
    fn our_hubs_are_not_borrowed() {
        let relays = Relays::default();
        relays.set_hub(PeerId::random(), vec![url(1)], 1);
        assert!(relays.borrow(&url(1), peer(1)).unwrap().is_none());
    }
}
