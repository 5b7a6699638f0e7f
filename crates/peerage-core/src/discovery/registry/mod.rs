//! Who is where, under which keys: what a tracker keeps.
//!
//! One [`Registry`] lies behind both faces of a tracker, the announcements of
//! [`discovery::tracker`](crate::discovery::tracker) and libp2p's
//! [`discovery::rendezvous`](crate::discovery::rendezvous). A peer can announce
//! only itself, only at addresses that are plausibly its own (`addresses.rs`
//! has the rule), and only until a time that it names. What is full refuses
//! newcomers; nobody is ever put out before its time.
//!
//! Times are passed in, as durations since the Unix epoch.

mod addresses;
mod fair;
mod network;
mod place;
mod refusal;
mod snapshot;
mod statement;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::{Key, LegacyPeerRecord, SignedPeerRecord};
use crate::limits::{
    MAX_REGISTRY_ANSWERED_PER_NETWORK, MAX_REGISTRY_BYTES, MAX_REGISTRY_PEERS,
    MAX_REGISTRY_PEERS_PER_NETWORK, MAX_REGISTRY_SCAN,
};
pub use crate::routing::Network;
use crate::routing::address::Host;
use crate::routing::is_loopback_network;
use addresses::host_of;
use fair::Lots;
use place::Entry;
pub use refusal::{Counters, Refusal};
pub use snapshot::SnapshotError;
pub use statement::{RecordForm, Statement};

/// Who makes a request: proven by the connection, and seen at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The peer.
    pub peer: PeerId,
    /// Where its direct connections come from; empty when it has none.
    pub seen: Vec<IpAddr>,
}

/// How much a registry holds; the defaults are the constants of
/// [`limits`](crate::limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryLimits {
    /// Peers.
    pub peers: usize,
    /// Bytes, as the registry counts them.
    pub bytes: usize,
    /// Peers of one network.
    pub peers_per_network: usize,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self {
            peers: MAX_REGISTRY_PEERS,
            bytes: MAX_REGISTRY_BYTES,
            peers_per_network: MAX_REGISTRY_PEERS_PER_NETWORK,
        }
    }
}

/// A peer as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The peer.
    pub peer: PeerId,
    /// Where it is, as far as the registry vouches for it.
    pub addresses: Vec<Multiaddr>,
    /// Its own word for it, when the registry vouches for all of it.
    pub record: Option<SignedPeerRecord>,
    /// The same in rust-libp2p's form.
    pub legacy: Option<LegacyPeerRecord>,
}

/// A question for the peers under a key, or under any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The key; `None` asks for all CIDs and topics.
    pub key: Option<Key>,
    /// Only registrations after this number; 0 asks for all.
    pub after: u64,
    /// How many peers at most.
    pub limit: usize,
    /// Only peers with a whole record of this form.
    pub form: Option<RecordForm>,
}

/// One answer to a question, oldest registration first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What was found.
    pub found: Vec<Found>,
    /// The number of the last registration that was looked at: to go on from.
    pub next: u64,
}

/// A peer under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The peer.
    pub listing: Listing,
    /// The key.
    pub key: Key,
    /// For how long it is kept there.
    pub left: Duration,
}

/// Who is where, under which keys.
///
/// ```
/// use std::time::Duration;
/// use peerage_core::discovery::{SignedPeerRecord, registry::{Caller, Registry, Statement}};
/// # let key = libp2p_identity::Keypair::ed25519_from_bytes([1; 32])?;
/// # let hub = libp2p_identity::Keypair::ed25519_from_bytes([2; 32])?.public().to_peer_id();
///
/// let record = SignedPeerRecord::sign(&key, 1, vec!["/ip4/192.0.2.1/tcp/4001".parse()?])?;
/// let caller = Caller { peer: record.peer(), seen: vec!["192.0.2.1".parse()?] };
/// let (mut registry, now) = (Registry::new(hub), Duration::from_secs(1_700_000_000));
/// let ttl = registry.announce(&caller, Statement::signed(record.clone()), &[], None, now)?;
/// assert_eq!(registry.find_peers(&[caller.peer], now)[0].record, Some(record));
/// assert!(registry.find_peers(&[caller.peer], now + ttl).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registry {
    limits: RegistryLimits,
    /// Relays that are not peers of the registry, this node itself among them.
    relays: HashMap<PeerId, Vec<Host>>,
    entries: HashMap<PeerId, Entry>,
    registrations: BTreeMap<u64, Registration>,
    by_key: HashMap<Arc<Key>, BTreeSet<u64>>,
    expiry: BTreeSet<(Duration, u64)>,
    networks: HashMap<Network, usize>,
    bytes: usize,
    /// The number of the latest registration.
    last: u64,
    counters: Counters,
    lots: Lots,
}

/// That a peer is kept under a key (or `None`: under its own id) until then.
#[derive(Debug)]
struct Registration {
    peer: PeerId,
    key: Option<Arc<Key>>,
    expires: Duration,
}

impl Registry {
    /// An empty registry of the node `own`, with the default limits.
    #[must_use]
    pub fn new(own: PeerId) -> Self {
        Self::with_limits(own, RegistryLimits::default())
    }

    /// An empty registry with other limits.
    #[must_use]
    pub fn with_limits(own: PeerId, limits: RegistryLimits) -> Self {
        Self {
            limits,
            relays: HashMap::from([(own, Vec::new())]),
            entries: HashMap::new(),
            registrations: BTreeMap::new(),
            by_key: HashMap::new(),
            expiry: BTreeSet::new(),
            networks: HashMap::new(),
            bytes: 0,
            last: 0,
            counters: Counters::default(),
            lots: Lots::default(),
        }
    }

    /// Draws from another seed who is named when not all can be. It should be
    /// random: else who knows it knows who is named.
    pub fn seed(&mut self, seed: u64) {
        self.lots = Lots::new(seed);
    }

    /// Says where a relay is, so that peers may announce themselves through
    /// it: this node, or another one that is not announced here itself.
    pub fn set_relay(&mut self, relay: PeerId, addresses: &[Multiaddr]) {
        self.relays.insert(relay, addresses.iter().filter_map(host_of).collect());
    }

    /// Drops what has run out by `now`. Everything else does so before it
    /// answers; this is for times without requests.
    pub fn sweep(&mut self, now: Duration) {
        while let Some((expires, number)) = self.expiry.first().copied() {
            if expires > now {
                return;
            }
            self.remove(number);
            self.counters.expired += 1;
        }
    }

    /// Takes everything of a peer back.
    pub fn withdraw(&mut self, peer: &PeerId) {
        let Some(entry) = self.entries.get(peer) else { return };
        for number in entry.numbers() {
            self.remove(number);
            self.counters.withdrawn += 1;
        }
    }

    /// Takes a peer back from under one key.
    pub fn unregister(&mut self, peer: &PeerId, key: &Key) {
        let place = Some(key).filter(|key| **key != Key::Peer(*peer));
        let number = self.entries.get(peer).and_then(|entry| entry.number(place));
        if let Some(number) = number {
            self.remove(number);
            self.counters.withdrawn += 1;
        }
    }

    /// Those of these peers that are here; the others are left out.
    pub fn find_peers(&mut self, peers: &[PeerId], now: Duration) -> Vec<Listing> {
        self.sweep(now);
        let entries = peers.iter().filter_map(|peer| self.entries.get(peer));
        let found: Vec<_> = entries.map(Entry::listing).collect();
        self.count_answer(found.len());
        found
    }

    /// The peers under a key.
    pub fn find(&mut self, question: &Question, now: Duration) -> Page {
        self.sweep(now);
        let numbers: Vec<u64> = match &question.key {
            Some(Key::Peer(peer)) => {
                let newest = self.entries.get(peer).and_then(Entry::newest);
                newest.into_iter().filter(|number| *number > question.after).collect()
            }
            Some(key) => {
                let numbers = self.by_key.get(key).into_iter();
                let numbers = numbers.flat_map(|all| all.range(question.after.saturating_add(1)..));
                numbers.copied().take(MAX_REGISTRY_SCAN).collect()
            }
            None => {
                let all = self.registrations.range(question.after.saturating_add(1)..);
                let numbers = all.filter(|(_, one)| one.key.is_some()).map(|(number, _)| *number);
                numbers.take(MAX_REGISTRY_SCAN).collect()
            }
        };
        let page = self.page(question, numbers, now);
        self.count_answer(page.found.len());
        page
    }

    /// One answer, from the registrations that it may look at.
    fn page(&mut self, question: &Question, numbers: Vec<u64>, now: Duration) -> Page {
        let looked_at = numbers.last().copied().unwrap_or(question.after);
        let fits = |number: &u64| {
            let entry = self.registrations.get(number).and_then(|one| self.entries.get(&one.peer));
            entry.is_some_and(|entry| question.form.is_none_or(|form| entry.hands_out(form)))
        };
        let fitting = numbers.into_iter().filter(fits).collect();
        let mut chosen = self.choose(question.key.as_ref(), fitting, question.limit);
        let all = chosen.len() <= question.limit;
        chosen.truncate(question.limit);
        let next = if all { looked_at } else { chosen.last().copied().unwrap_or(question.after) };
        let found = chosen.iter().filter_map(|number| {
            let registration = self.registrations.get(number)?;
            Some(registration.found(self.entries.get(&registration.peer)?, now))
        });
        Page { found: found.collect(), next }
    }

    fn count_answer(&mut self, found: usize) {
        self.counters.queries += 1;
        self.counters.handed_out += found as u64;
    }

    /// The peers that are here at `now`, the newest announcement first.
    pub fn live(&self, now: Duration) -> impl Iterator<Item = Listing> + '_ {
        let mut told = HashSet::new();
        let newest = self.registrations.values().rev();
        newest
            .filter(move |one| one.expires > now && told.insert(one.peer))
            .filter_map(|one| Some(self.entries.get(&one.peer)?.listing()))
    }

    /// The same, few of one network.
    pub fn live_of_networks(&self, now: Duration) -> impl Iterator<Item = Listing> + '_ {
        let mut of_each: HashMap<Network, usize> = HashMap::new();
        self.live(now).filter(move |listing| {
            let network = self.entries.get(&listing.peer).map(Entry::network);
            let network = network.filter(|network| !is_loopback_network(*network));
            network.is_none_or(|network| {
                let named = of_each.entry(network).or_default();
                *named += 1;
                *named <= MAX_REGISTRY_ANSWERED_PER_NETWORK
            })
        })
    }

    /// A peer that is here at `now`.
    #[must_use]
    pub fn peer(&self, peer: &PeerId, now: Duration) -> Option<Listing> {
        let entry = self.entries.get(peer)?;
        let live = |number| self.registrations.get(&number).is_some_and(|one| one.expires > now);
        entry.numbers().into_iter().any(live).then(|| entry.listing())
    }

    /// The form in which a peer signed what it said; the specification's if in
    /// both.
    #[must_use]
    pub fn form_of(&self, peer: &PeerId) -> Option<RecordForm> {
        self.entries.get(peer)?.statement().form()
    }

    /// What it has done so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many peers it holds.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes it holds, as it counts them.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the latest registration: higher ones are nobody's yet.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Whether a relay is at a host: one that was set, or a peer of the
    /// registry that is vouched for there; without a name, any that was set.
    fn knows_relay(&self, relay: Option<&PeerId>, host: &Host) -> bool {
        let Some(relay) = relay else {
            return self.relays.values().any(|hosts| hosts.contains(host));
        };
        let set = self.relays.get(relay).is_some_and(|hosts| hosts.contains(host));
        set || self.entries.get(relay).is_some_and(|entry| entry.is_at(host))
    }

    /// Removes one registration; its peer stays, even without any.
    fn forget(&mut self, number: u64) -> Option<PeerId> {
        let registration = self.registrations.remove(&number)?;
        self.expiry.remove(&(registration.expires, number));
        if let Some(key) = &registration.key
            && let Some(numbers) = self.by_key.get_mut(key)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_key.remove(key);
            }
        }
        let entry = self.entries.get_mut(&registration.peer)?;
        self.bytes -= entry.leave(registration.key.as_deref());
        Some(registration.peer)
    }

    /// Removes one registration, and its peer with the last one.
    fn remove(&mut self, number: u64) {
        if let Some(peer) = self.forget(number) {
            self.remove_if_empty(&peer);
        }
    }

    fn remove_if_empty(&mut self, peer: &PeerId) {
        if self.entries.get(peer).is_some_and(Entry::is_empty)
            && let Some(entry) = self.entries.remove(peer)
        {
            self.bytes -= entry.bytes();
            self.leave_network(entry.network());
        }
    }

    fn leave_network(&mut self, network: Network) {
        if let Some(count) = self.networks.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.networks.remove(&network);
            }
        }
    }
}

impl Registration {
    fn found(&self, entry: &Entry, now: Duration) -> Found {
        Found {
            listing: entry.listing(),
            key: self.key.as_deref().cloned().unwrap_or(Key::Peer(self.peer)),
            left: self.expires.saturating_sub(now),
        }
    }
}
