//! What a node keeps for others, and what it says of itself.
//!
//! libp2p's own store forgets a provider only when it is asked for again, and
//! lets one peer take all the room; so this is our own.

use std::borrow::Cow;
use std::collections::HashMap;
use web_time::Instant;

use crate::limits::{
    MAX_KADEMLIA_KEY_BYTES, MAX_KADEMLIA_PROVIDED_KEYS, MAX_KADEMLIA_PROVIDERS,
    MAX_KADEMLIA_PROVIDERS_PER_KEY, MAX_KADEMLIA_PROVIDERS_PER_NETWORK,
    MAX_KADEMLIA_PROVIDERS_PER_PEER, MAX_KADEMLIA_RECORDS, MAX_KADEMLIA_RECORDS_PER_SOURCE,
    MAX_PEER_RECORD_BYTES,
};
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::Network;
use peerage_core::topology::kademlia::{Offer, RecordRefusal, check_record};

use crate::routing::direct_ip;

/// Why a record of another is not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreRefusal {
    #[error(transparent)]
    Record(#[from] RecordRefusal),
    #[error("there is no room for it")]
    Full,
}

/// Records and providers, each below its limits.
pub struct Store {
    own: PeerId,
    records: HashMap<RecordKey, Kept>,
    providers: HashMap<RecordKey, Vec<ProviderRecord>>,
    /// How many records in `records` each peer has sent.
    sent: Tally,
    /// Under how many keys in `providers` each peer is.
    provides: Tally,
    /// What this node says it provides.
    provided: HashMap<RecordKey, ProviderRecord>,
}

/// A record, and who sent it.
struct Kept {
    record: Record,
    source: PeerId,
}

/// How many things each peer has, and all together.
#[derive(Default)]
struct Tally {
    each: HashMap<PeerId, usize>,
    all: usize,
}

impl Tally {
    fn of(&self, peer: &PeerId) -> usize {
        self.each.get(peer).copied().unwrap_or(0)
    }

    fn add(&mut self, peer: PeerId) {
        *self.each.entry(peer).or_default() += 1;
        self.all += 1;
    }

    fn remove(&mut self, peer: &PeerId) {
        let Some(count) = self.each.get_mut(peer) else { return };
        *count -= 1;
        self.all -= 1;
        if *count == 0 {
            self.each.remove(peer);
        }
    }
}

impl Store {
    pub(super) fn new(own: PeerId) -> Self {
        Self {
            own,
            records: HashMap::new(),
            providers: HashMap::new(),
            sent: Tally::default(),
            provides: Tally::default(),
            provided: HashMap::new(),
        }
    }

    /// Takes a record that a peer wants to have kept, when it is true and not
    /// older than what is there. The same again lives longer only when its own
    /// peer sends it: else whoever passes it on would keep it for ever.
    pub(super) fn offer(
        &mut self,
        source: PeerId,
        mut record: Record,
    ) -> std::result::Result<(), StoreRefusal> {
        let kept = self.records.get(&record.key);
        let stored = kept.map(|kept| kept.record.value.as_slice());
        let signer = match check_record(record.key.as_ref(), &record.value, stored)? {
            Offer::Same(same) if same.peer() != source || same.peer() == self.own => return Ok(()),
            Offer::Same(record) | Offer::Newer(record) => record.peer(),
        };
        let replaced = kept.map(|kept| kept.source);
        let same_source = replaced == Some(source);
        if replaced.is_none() && self.sent.all >= MAX_KADEMLIA_RECORDS
            || !same_source && self.sent.of(&source) >= MAX_KADEMLIA_RECORDS_PER_SOURCE
        {
            return Err(StoreRefusal::Full);
        }
        record.publisher = Some(signer);
        self.keep(record, source);
        Ok(())
    }

    fn keep(&mut self, record: Record, source: PeerId) {
        self.remove(&record.key);
        self.sent.add(source);
        self.records.insert(record.key.clone(), Kept { record, source });
    }

    /// Takes a provider record of another peer; whether there was room.
    pub(super) fn offer_provider(&mut self, record: ProviderRecord) -> bool {
        if record.key.as_ref().len() > MAX_KADEMLIA_KEY_BYTES {
            return false;
        }
        let known = self.providers.get_mut(&record.key);
        if let Some(known) = known
            && let Some(old) = known.iter_mut().find(|old| old.provider == record.provider)
        {
            *old = record;
            return true;
        }
        if self.provides.all >= MAX_KADEMLIA_PROVIDERS
            || self.provides.of(&record.provider) >= MAX_KADEMLIA_PROVIDERS_PER_PEER
            || !self.make_place(&record)
        {
            return false;
        }
        self.provides.add(record.provider);
        self.providers.entry(record.key.clone()).or_default().push(record);
        true
    }

    /// Makes a place under a key: few of one network have one there, and a full
    /// key gives that of the network that has most to one that has less.
    fn make_place(&mut self, record: &ProviderRecord) -> bool {
        let Some(known) = self.providers.get_mut(&record.key) else { return true };
        let network = network_of(record);
        let of = |one: Option<Network>| known.iter().filter(|old| network_of(old) == one).count();
        let own = of(network);
        if network.is_some() && own >= MAX_KADEMLIA_PROVIDERS_PER_NETWORK {
            return false;
        }
        if known.len() < MAX_KADEMLIA_PROVIDERS_PER_KEY {
            return true;
        }
        let most = (0..known.len()).max_by_key(|at| of(network_of(&known[*at])));
        let Some(most) = most.filter(|at| of(network_of(&known[*at])) > own + 1) else {
            return false;
        };
        let replaced = known.remove(most);
        self.provides.remove(&replaced.provider);
        true
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&mut self, now: Instant) {
        let old = |kept: &&Kept| kept.record.is_expired(now);
        let keys: Vec<_> =
            self.records.values().filter(old).map(|kept| kept.record.key.clone()).collect();
        keys.iter().for_each(|key| self.remove(key));
        let provides = &mut self.provides;
        self.providers.retain(|_, providers| {
            providers.retain(|provider| {
                let expired = provider.is_expired(now);
                if expired {
                    provides.remove(&provider.provider);
                }
                !expired
            });
            !providers.is_empty()
        });
    }

    /// How many records and provider records of others are kept.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.sent.all - self.sent.of(&self.own), self.provides.all)
    }
}

impl RecordStore for Store {
    type RecordsIter<'a> = Box<dyn Iterator<Item = Cow<'a, Record>> + 'a>;
    type ProvidedIter<'a> = Box<dyn Iterator<Item = Cow<'a, ProviderRecord>> + 'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        self.records.get(key).map(|kept| Cow::Borrowed(&kept.record))
    }

    /// For this node's own record alone; those of others are offered.
    fn put(&mut self, record: Record) -> Result<()> {
        if record.value.len() > MAX_PEER_RECORD_BYTES {
            return Err(Error::ValueTooLarge);
        }
        self.keep(record, self.own);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(kept) = self.records.remove(key) {
            self.sent.remove(&kept.source);
        }
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        Box::new(self.records.values().map(|kept| Cow::Borrowed(&kept.record)))
    }

    /// For what this node itself provides; others' records are offered.
    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        let new = !self.provided.contains_key(&record.key);
        if new && self.provided.len() >= MAX_KADEMLIA_PROVIDED_KEYS {
            return Err(Error::MaxProvidedKeys);
        }
        self.provided.insert(record.key.clone(), record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let own = self.provided.get(key);
        own.into_iter().chain(self.providers.get(key).into_iter().flatten()).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        Box::new(self.provided.values().map(Cow::Borrowed))
    }

    fn remove_provider(&mut self, key: &RecordKey, peer: &PeerId) {
        if *peer == self.own {
            self.provided.remove(key);
            return;
        }
        let Some(providers) = self.providers.get_mut(key) else { return };
        let before = providers.len();
        providers.retain(|provider| provider.provider != *peer);
        if providers.len() < before {
            self.provides.remove(peer);
        }
        if providers.is_empty() {
            self.providers.remove(key);
        }
    }
}

/// The network that a provider names first; none when it names no address, or
/// one of this machine, whose peers count by their ids.
fn network_of(record: &ProviderRecord) -> Option<Network> {
    let ip = record.addresses.iter().find_map(direct_ip)?;
    (!ip.to_canonical().is_loopback()).then(|| Network::of(ip))
}

/// A provider record with these addresses instead of those it came with.
pub(super) fn at(mut record: ProviderRecord, addresses: Vec<Multiaddr>) -> ProviderRecord {
    record.addresses = addresses;
    record
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use libp2p::identity::Keypair;
    use peerage_core::discovery::SignedPeerRecord;
    use peerage_core::topology::kademlia::record_key;

    use super::*;

    fn keypair(number: u16) -> Keypair {
        let mut secret = [9; 32];
        secret[..2].copy_from_slice(&number.to_be_bytes());
        Keypair::ed25519_from_bytes(secret).unwrap()
    }

    fn peer(number: u16) -> PeerId {
        keypair(number).public().to_peer_id()
    }

    fn record(number: u16, sequence: u64, expires: Instant) -> Record {
        let signed = SignedPeerRecord::sign(&keypair(number), sequence, Vec::new()).unwrap();
        let mut record = Record::new(record_key(&signed.peer()), signed.encode());
        record.expires = Some(expires);
        record
    }

    fn provider(key: u16, number: u16, expires: Instant) -> ProviderRecord {
        let mut record = ProviderRecord::new(key.to_be_bytes().to_vec(), peer(number), Vec::new());
        record.expires = Some(expires);
        record
    }

    #[test]
    fn a_record_lives_longer_only_by_its_own_word() {
        let (now, hour) = (Instant::now(), Duration::from_secs(3600));
        let mut store = Store::new(peer(0));
        let key = record(1, 1, now).key;
        let expires = |store: &Store| store.get(&key).unwrap().expires.unwrap();
        store.offer(peer(2), record(1, 1, now + hour)).unwrap();
        store.offer(peer(2), record(1, 1, now + 2 * hour)).unwrap();
        assert_eq!(expires(&store), now + hour);
        store.offer(peer(1), record(1, 1, now + 3 * hour)).unwrap();
        assert_eq!(expires(&store), now + 3 * hour);
        store.offer(peer(2), record(1, 2, now + hour)).unwrap();
        assert_eq!(expires(&store), now + hour);
        assert!(matches!(
            store.offer(peer(2), record(1, 1, now + hour)),
            Err(StoreRefusal::Record(RecordRefusal::Stale { .. }))
        ));
    }

    #[test]
    fn one_source_does_not_fill_the_store_and_what_expires_makes_room() {
        let now = Instant::now();
        let mut store = Store::new(peer(0));
        let limit = u16::try_from(MAX_KADEMLIA_RECORDS_PER_SOURCE).unwrap();
        for number in 1..=limit {
            store.offer(peer(1), record(number, 1, now)).unwrap();
        }
        let more = record(limit + 1, 1, now);
        assert!(matches!(store.offer(peer(1), more.clone()), Err(StoreRefusal::Full)));
        // A newer one of those that are there still comes in, and others'.
        store.offer(peer(1), record(1, 2, now)).unwrap();
        store.offer(peer(2), more).unwrap();
        assert_eq!(store.sizes().0, MAX_KADEMLIA_RECORDS_PER_SOURCE + 1);
        store.sweep(now);
        assert_eq!(store.sizes().0, 0);
        store.offer(peer(1), record(limit + 1, 1, now)).unwrap();
    }

    #[test]
    fn providers_are_limited_by_key_and_by_peer() {
        let now = Instant::now();
        let mut store = Store::new(peer(0));
        let per_key = u16::try_from(MAX_KADEMLIA_PROVIDERS_PER_KEY).unwrap();
        for number in 1..=per_key {
            assert!(store.offer_provider(provider(1, number, now)));
        }
        assert!(!store.offer_provider(provider(1, per_key + 1, now)));
        assert!(store.offer_provider(provider(1, 1, now)), "again");
        let per_peer = u16::try_from(MAX_KADEMLIA_PROVIDERS_PER_PEER).unwrap();
        for key in 2..=per_peer {
            assert!(store.offer_provider(provider(key, 1, now)));
        }
        assert!(!store.offer_provider(provider(per_peer + 1, 1, now)));
        assert!(store.offer_provider(provider(per_peer + 1, 2, now)));
        store.remove_provider(&RecordKey::from(2u16.to_be_bytes().to_vec()), &peer(1));
        assert!(store.offer_provider(provider(per_peer + 1, 1, now)));
        store.sweep(now);
        assert_eq!(store.sizes().1, 0);
        assert!(store.provides.each.is_empty());
        let long = RecordKey::from(vec![0; MAX_KADEMLIA_KEY_BYTES + 1]);
        assert!(!store.offer_provider(ProviderRecord::new(long, peer(1), Vec::new())));
    }

    #[test]
    fn peers_of_one_address_do_not_hide_another_under_a_key() {
        let (mut store, now) = (Store::new(peer(0)), Instant::now());
        let of = |number: u16, host: u8| {
            let address = format!("/ip4/192.0.2.{host}/tcp/1").parse().unwrap();
            at(provider(1, number, now), vec![address])
        };
        let crowd = (1..=20).filter(|number| store.offer_provider(of(*number, 1))).count();
        assert_eq!(crowd, MAX_KADEMLIA_PROVIDERS_PER_NETWORK);
        assert!(store.offer_provider(of(30, 2)));
        assert!(store.offer_provider(of(1, 1)), "again");
        // Full of many, it is full for more of theirs alone.
        let mut number = 100;
        while store.providers(&of(1, 1).key).len() < MAX_KADEMLIA_PROVIDERS_PER_KEY {
            number += 1;
            assert!(store.offer_provider(at(provider(1, number, now), Vec::new())));
        }
        assert!(!store.offer_provider(at(provider(1, 999, now), Vec::new())));
        assert!(store.offer_provider(of(40, 40)));
    }

    #[test]
    fn what_this_node_provides_is_not_pushed_out_and_is_limited_too() {
        let mut store = Store::new(peer(0));
        let limit = u16::try_from(MAX_KADEMLIA_PROVIDED_KEYS).unwrap();
        let own = |key: u16| provider(key, 0, Instant::now());
        (0..limit).for_each(|key| store.add_provider(own(key)).unwrap());
        assert!(matches!(store.add_provider(own(limit)), Err(Error::MaxProvidedKeys)));
        store.add_provider(own(0)).unwrap();
        assert_eq!(store.provided().count(), usize::from(limit));
        store.remove_provider(&own(0).key, &peer(0));
        assert!(store.providers(&own(0).key).is_empty());
    }
}
