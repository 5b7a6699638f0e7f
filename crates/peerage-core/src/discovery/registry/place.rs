//! Taking a place in the registry: every rule that an announcement must meet,
//! checked before anything changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p_identity::PeerId;

use super::addresses::{Judgement, host_of, judge};
use super::{Caller, Listing, Network, RecordForm, Refusal, Registration, Registry, Statement};
use crate::discovery::Key;
use crate::limits::{
    MAX_REGISTRY_CIDS_PER_PEER, MAX_REGISTRY_SEEN, MAX_REGISTRY_TOPICS_PER_PEER,
    REGISTRY_MAX_TTL_SECONDS, REGISTRY_MIN_TTL_SECONDS, REGISTRY_TTL_SECONDS,
};
use crate::routing::address::Host;

/// What a peer costs beside what it says, and what each of its places does:
/// the tables that it stands in.
const ENTRY_BYTES: usize = 512;
const PLACE_BYTES: usize = 256;

/// A peer, with at least one place.
#[derive(Debug)]
pub(super) struct Entry {
    statement: Statement,
    seen: Vec<IpAddr>,
    network: Network,
    judgement: Judgement,
    /// The number of the registration under each key; `None` is its own id.
    places: BTreeMap<Option<Arc<Key>>, u64>,
}

impl Entry {
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.places.values().copied().collect()
    }

    pub(super) fn number(&self, key: Option<&Key>) -> Option<u64> {
        self.places.get(&key.cloned().map(Arc::new)).copied()
    }

    pub(super) fn newest(&self) -> Option<u64> {
        self.places.values().max().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) const fn network(&self) -> Network {
        self.network
    }

    pub(super) fn statement(&self) -> &Statement {
        &self.statement
    }

    pub(super) fn seen(&self) -> &[IpAddr] {
        &self.seen
    }

    /// What it takes without its places.
    pub(super) fn bytes(&self) -> usize {
        ENTRY_BYTES + self.statement.bytes()
    }

    /// Leaves a place; how many bytes that frees.
    pub(super) fn leave(&mut self, key: Option<&Key>) -> usize {
        match self.places.remove(&key.cloned().map(Arc::new)) {
            Some(_) => place_bytes(key),
            None => 0,
        }
    }

    pub(super) fn is_at(&self, host: &Host) -> bool {
        self.judgement.vouched.iter().any(|address| host_of(address).as_ref() == Some(host))
    }

    pub(super) fn hands_out(&self, form: RecordForm) -> bool {
        self.judgement.complete && self.statement.has(form)
    }

    pub(super) fn listing(&self) -> Listing {
        let whole = |form| self.hands_out(form);
        Listing {
            peer: self.statement.peer,
            addresses: self.judgement.vouched.clone(),
            record: self.statement.record.clone().filter(|_| whole(RecordForm::Standard)),
            legacy: self.statement.legacy.clone().filter(|_| whole(RecordForm::Legacy)),
        }
    }
}

fn place_bytes(key: Option<&Key>) -> usize {
    let name = match key {
        Some(Key::Topic(topic)) => topic.as_str().len(),
        _ => size_of::<Key>(),
    };
    PLACE_BYTES + name
}

/// An announcement that met the rules about itself.
pub(super) struct Claim {
    statement: Statement,
    seen: Vec<IpAddr>,
    network: Network,
    judgement: Judgement,
}

impl Registry {
    /// Keeps a peer under its id and these keys, instead of all others that it
    /// was kept under, for `ttl` (an hour if it does not say). Answers for how
    /// long. Of keys that are there twice, one counts; its own id may be among
    /// them.
    ///
    /// # Errors
    ///
    /// When it breaks a rule, or there is no room. Then nothing has changed.
    pub fn announce(
        &mut self,
        caller: &Caller,
        statement: Statement,
        keys: &[Key],
        ttl: Option<Duration>,
        now: Duration,
    ) -> Result<Duration, Refusal> {
        let ttl = ttl.unwrap_or(Duration::from_secs(REGISTRY_TTL_SECONDS));
        self.sweep(now);
        let outcome = self.try_announce(caller, statement, keys, now, ttl);
        self.count(outcome)?;
        Ok(ttl)
    }

    /// Keeps a peer under one more key for `ttl`. The record must be one that
    /// can be handed out whole.
    ///
    /// # Errors
    ///
    /// As for [`announce`](Self::announce).
    pub fn register(
        &mut self,
        caller: &Caller,
        statement: Statement,
        key: &Key,
        ttl: Duration,
        now: Duration,
    ) -> Result<(), Refusal> {
        self.sweep(now);
        let outcome = self.try_register(caller, statement, key, now, ttl);
        self.count(outcome)
    }

    fn count(&mut self, outcome: Result<(), Refusal>) -> Result<(), Refusal> {
        match outcome {
            Ok(()) => self.counters.accepted += 1,
            Err(refusal) => self.count_refusal(refusal),
        }
        outcome
    }

    /// Counts an announcement that was refused before it came here.
    pub fn count_refusal(&mut self, refusal: Refusal) {
        *self.counters.refused.entry(refusal).or_default() += 1;
    }

    fn try_announce(
        &mut self,
        caller: &Caller,
        statement: Statement,
        keys: &[Key],
        now: Duration,
        ttl: Duration,
    ) -> Result<(), Refusal> {
        let mut places =
            keys.iter().map(|key| place(&caller.peer, key)).collect::<Result<BTreeSet<_>, _>>()?;
        places.insert(None);
        check_places(places.iter())?;
        let claim = self.claim(caller, statement, ttl)?;
        let known = self.entries.get(&caller.peer);
        let freed = known.map_or(0, |known| known.places.keys().map(bytes_of).sum::<usize>());
        self.check_room(&claim, places.iter().map(bytes_of).sum(), freed)?;

        for number in self.settle(claim) {
            self.forget(number);
        }
        for place in places {
            self.put(caller.peer, place, now + ttl);
        }
        Ok(())
    }

    fn try_register(
        &mut self,
        caller: &Caller,
        statement: Statement,
        key: &Key,
        now: Duration,
        ttl: Duration,
    ) -> Result<(), Refusal> {
        let place = place(&caller.peer, key)?;
        let claim = self.claim(caller, statement, ttl)?;
        if !claim.judgement.complete || !claim.statement.is_signed() {
            return Err(Refusal::Unproven);
        }
        let known = self.entries.get(&caller.peer);
        let number = known.and_then(|known| known.places.get(&place)).copied();
        if number.is_none() {
            let others = known.into_iter().flat_map(|known| known.places.keys());
            check_places(others.chain([&place]))?;
        }
        let freed = number.map_or(0, |_| bytes_of(&place));
        self.check_room(&claim, bytes_of(&place), freed)?;

        self.settle(claim);
        if let Some(number) = number {
            self.forget(number);
        }
        self.put(caller.peer, place, now + ttl);
        Ok(())
    }

    /// Checks what is said against who says it from where.
    pub(super) fn claim(
        &self,
        caller: &Caller,
        statement: Statement,
        ttl: Duration,
    ) -> Result<Claim, Refusal> {
        if statement.peer != caller.peer {
            return Err(Refusal::NotYours);
        }
        if !(REGISTRY_MIN_TTL_SECONDS..=REGISTRY_MAX_TTL_SECONDS).contains(&ttl.as_secs()) {
            return Err(Refusal::Ttl);
        }
        let known = self.entries.get(&caller.peer);
        if known.is_some_and(|known| !statement.replaces(&known.statement)) {
            return Err(Refusal::Stale);
        }
        let first = caller.seen.first().ok_or(Refusal::Unseen)?;
        let mut seen: Vec<IpAddr> = Vec::new();
        let before = known.into_iter().flat_map(|known| &known.seen);
        for address in caller.seen.iter().chain(before).map(IpAddr::to_canonical) {
            if !seen.contains(&address) && seen.len() < MAX_REGISTRY_SEEN {
                seen.push(address);
            }
        }
        let knows_relay = |relay: Option<&PeerId>, host: &Host| self.knows_relay(relay, host);
        let judgement = judge(&caller.peer, &statement.addresses, &seen, knows_relay)?;
        Ok(Claim { network: Network::of(*first), statement, seen, judgement })
    }

    /// Whether the peer finds room when it takes `added` bytes of places and
    /// gives `freed` ones up.
    pub(super) fn check_room(
        &self,
        claim: &Claim,
        added: usize,
        freed: usize,
    ) -> Result<(), Refusal> {
        let known = self.entries.get(&claim.statement.peer);
        if known.is_none_or(|known| known.network != claim.network) {
            let neighbours = self.networks.get(&claim.network).copied().unwrap_or(0);
            if neighbours >= self.limits.peers_per_network {
                return Err(Refusal::NetworkFull);
            }
        }
        let after = self.bytes + ENTRY_BYTES + claim.statement.bytes() + added;
        let after = after - known.map_or(0, Entry::bytes) - freed;
        match known {
            None if self.entries.len() >= self.limits.peers => Err(Refusal::Full),
            _ if after > self.limits.bytes => Err(Refusal::Full),
            _ => Ok(()),
        }
    }

    /// Puts what is said in the place of what was. The places stay; answers
    /// their numbers.
    pub(super) fn settle(&mut self, claim: Claim) -> Vec<u64> {
        let Claim { statement, seen, network, judgement } = claim;
        let peer = statement.peer;
        let mut entry = Entry { statement, seen, network, judgement, places: BTreeMap::new() };
        self.bytes += entry.bytes();
        *self.networks.entry(network).or_default() += 1;
        if let Some(known) = self.entries.remove(&peer) {
            self.bytes -= known.bytes();
            self.leave_network(known.network);
            entry.places = known.places;
        }
        let numbers = entry.numbers();
        self.entries.insert(peer, entry);
        numbers
    }

    fn put(&mut self, peer: PeerId, key: Option<Arc<Key>>, expires: Duration) {
        self.last += 1;
        self.put_at(self.last, peer, key, expires);
    }

    /// Gives a peer a place under a number and a key that it has none under.
    pub(super) fn put_at(
        &mut self,
        number: u64,
        peer: PeerId,
        key: Option<Arc<Key>>,
        expires: Duration,
    ) {
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        if entry.places.contains_key(&key) || self.registrations.contains_key(&number) {
            return;
        }
        entry.places.insert(key.clone(), number);
        self.bytes += bytes_of(&key);
        self.expiry.insert((expires, number));
        if let Some(key) = &key {
            self.by_key.entry(Arc::clone(key)).or_default().insert(number);
        }
        self.registrations.insert(number, Registration { peer, key, expires });
    }
}

pub(super) fn bytes_of(place: &Option<Arc<Key>>) -> usize {
    place_bytes(place.as_deref())
}

/// Where a key is kept: a peer's own id is no key of its own.
pub(super) fn place(caller: &PeerId, key: &Key) -> Result<Option<Arc<Key>>, Refusal> {
    match key {
        Key::Peer(peer) if peer == caller => Ok(None),
        Key::Peer(_) => Err(Refusal::NotYours),
        key => Ok(Some(Arc::new(key.clone()))),
    }
}

pub(super) fn check_places<'a>(
    places: impl Iterator<Item = &'a Option<Arc<Key>>>,
) -> Result<(), Refusal> {
    let (mut cids, mut topics) = (0, 0);
    for key in places.flatten() {
        match **key {
            Key::Content(_) => cids += 1,
            Key::Topic(_) | Key::Peer(_) => topics += 1,
        }
    }
    match (cids, topics) {
        (cids, _) if cids > MAX_REGISTRY_CIDS_PER_PEER => Err(Refusal::Cids),
        (_, topics) if topics > MAX_REGISTRY_TOPICS_PER_PEER => Err(Refusal::Topics),
        _ => Ok(()),
    }
}
