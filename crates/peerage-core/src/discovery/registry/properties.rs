//! What holds after any history: the tables agree with each other and with a
//! model that has none, and nothing is over its limit.

use std::collections::BTreeMap;

use libp2p_identity::Keypair;
use proptest::prelude::*;

use super::place::bytes_of;
use super::*;
use crate::discovery::Topic;

const NOW: Duration = Duration::from_secs(1_700_000_000);

/// So tight that all of them are met.
const LIMITS: RegistryLimits = RegistryLimits { peers: 5, bytes: 7_000, peers_per_network: 3 };

const PEERS: u8 = 7;
const TOPICS: u8 = 4;

/// What is said of a peer: who, where, and how new it is.
#[derive(Clone, Copy, Debug)]
struct Word {
    peer: u8,
    host: u8,
    sequence: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Announce { word: Word, topics: Vec<u8>, ttl: u64 },
    Register { word: Word, topic: u8, ttl: u64 },
    Unregister { peer: u8, topic: u8 },
    Withdraw { peer: u8 },
    Wait { seconds: u64 },
    Restart,
}

fn word() -> impl Strategy<Value = Word> {
    (0..PEERS, 1u8..4, 1u64..4).prop_map(|(peer, host, sequence)| Word { peer, host, sequence })
}

fn step() -> impl Strategy<Value = Step> {
    let topics = prop::collection::vec(0..TOPICS, 0..4);
    // Beyond both ends of what is allowed too.
    let ttl = prop_oneof![8 => 60u64..5000, 1 => 0u64..60, 1 => Just(u64::MAX)];
    let announce = (word(), topics, ttl.clone()).prop_map(|(word, topics, ttl)| Step::Announce {
        word,
        topics,
        ttl,
    });
    let register =
        (word(), 0..TOPICS, ttl).prop_map(|(word, topic, ttl)| Step::Register { word, topic, ttl });
    prop_oneof![
        6 => announce,
        4 => register,
        1 => (0..PEERS, 0..TOPICS).prop_map(|(peer, topic)| Step::Unregister { peer, topic }),
        1 => (0..PEERS).prop_map(|peer| Step::Withdraw { peer }),
        2 => (0u64..4000).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Restart),
    ]
}

fn key_of(peer: u8) -> Keypair {
    Keypair::ed25519_from_bytes([peer + 1; 32]).unwrap()
}

fn id(peer: u8) -> PeerId {
    key_of(peer).public().to_peer_id()
}

fn topic(number: u8) -> Key {
    Key::Topic(Topic::new(format!("topic {number}")).unwrap())
}

/// Who says it, and what.
fn said(word: Word) -> (Caller, Statement) {
    let address = format!("/ip4/192.0.2.{}/tcp/1", word.host).parse().unwrap();
    let record = SignedPeerRecord::sign(&key_of(word.peer), word.sequence, vec![address]).unwrap();
    let seen = vec![[192, 0, 2, word.host].into()];
    (Caller { peer: record.peer(), seen }, Statement::signed(record))
}

/// What a registry should know: of each peer the newest word, and until when it
/// is under which keys (`None` is its own id).
#[derive(Default)]
struct Model {
    peers: BTreeMap<u8, (Word, BTreeMap<Option<u8>, Duration>)>,
}

impl Model {
    /// Whether something newer is known, or the same number for another word.
    fn is_stale(&self, word: Word) -> bool {
        self.peers.get(&word.peer).is_some_and(|(known, _)| {
            known.sequence > word.sequence
                || known.sequence == word.sequence && known.host != word.host
        })
    }

    fn forget(&mut self, keep: impl Fn(u8, Option<u8>, Duration) -> bool) {
        self.peers.retain(|peer, (_, places)| {
            places.retain(|key, expires| keep(*peer, *key, *expires));
            !places.is_empty()
        });
    }

    fn under(&self, key: u8) -> BTreeSet<PeerId> {
        let there = |places: &BTreeMap<Option<u8>, Duration>| places.contains_key(&Some(key));
        let peers = self.peers.iter().filter(|(_, (_, places))| there(places));
        peers.map(|(peer, _)| id(*peer)).collect()
    }
}

struct Run {
    registry: Registry,
    model: Model,
    now: Duration,
}

impl Run {
    fn new() -> Self {
        let registry = Registry::with_limits(id(PEERS), LIMITS);
        Self { registry, model: Model::default(), now: NOW }
    }

    fn take(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Announce { word, topics, ttl } => self.announce(word, &topics, ttl),
            Step::Register { word, topic, ttl } => self.register(word, topic, ttl),
            Step::Unregister { peer, topic: number } => {
                self.registry.unregister(&id(peer), &topic(number));
                self.model.forget(|other, key, _| (other, key) != (peer, Some(number)));
            }
            Step::Withdraw { peer } => {
                self.registry.withdraw(&id(peer));
                self.model.forget(|other, _, _| other != peer);
            }
            Step::Wait { seconds } => {
                self.now += Duration::from_secs(seconds);
                self.registry.sweep(self.now);
            }
            Step::Restart => self.restart(),
        }
        let now = now.max(self.now);
        self.model.forget(|_, _, expires| expires > now);
    }

    fn announce(&mut self, word: Word, topics: &[u8], ttl: u64) {
        let (caller, statement) = said(word);
        let keys: Vec<Key> = topics.iter().map(|number| topic(*number)).collect();
        let ttl = Duration::from_secs(ttl);
        let outcome = self.registry.announce(&caller, statement, &keys, Some(ttl), self.now);
        self.expect(word, outcome.map(|_| ()));
        if outcome.is_ok() {
            let places = topics.iter().copied().map(Some).chain([None]);
            let places = places.map(|key| (key, self.now + ttl)).collect();
            self.model.peers.insert(word.peer, (word, places));
        }
    }

    fn register(&mut self, word: Word, number: u8, ttl: u64) {
        let (caller, statement) = said(word);
        let ttl = Duration::from_secs(ttl);
        let outcome = self.registry.register(&caller, statement, &topic(number), ttl, self.now);
        self.expect(word, outcome);
        if outcome.is_ok() {
            let known = self.model.peers.entry(word.peer).or_insert((word, BTreeMap::new()));
            known.0 = word;
            known.1.insert(Some(number), self.now + ttl);
        }
    }

    /// A word is stale exactly when the model says so.
    fn expect(&self, word: Word, outcome: Result<(), Refusal>) {
        match outcome {
            Err(Refusal::Ttl) => {}
            outcome => assert_eq!(outcome == Err(Refusal::Stale), self.model.is_stale(word)),
        }
    }

    /// Goes on with what a snapshot has.
    fn restart(&mut self) {
        let mut restored = Registry::with_limits(id(PEERS), LIMITS);
        let count = restored.restore(&self.registry.snapshot(), self.now).unwrap();
        assert_eq!(count, self.registry.peers());
        assert_eq!(
            (restored.bytes(), restored.last()),
            (self.registry.bytes(), self.registry.last)
        );
        let live = |registry: &Registry| registry.live(self.now).collect::<Vec<_>>();
        assert_eq!(live(&restored), live(&self.registry));
        self.registry = restored;
    }

    /// The registry says what the model says.
    fn compare(&mut self) {
        assert_eq!(self.registry.peers(), self.model.peers.len());
        for (peer, (word, _)) in &self.model.peers {
            let listing = self.registry.peer(&id(*peer), self.now).unwrap();
            assert_eq!(listing.record.unwrap().sequence(), word.sequence);
        }
        for number in 0..TOPICS {
            let key = Some(topic(number));
            let question = Question { key, after: 0, limit: usize::MAX, form: None };
            let page = self.registry.find(&question, self.now);
            let found: BTreeSet<_> = page.found.iter().map(|found| found.listing.peer).collect();
            assert_eq!(found, self.model.under(number));
        }
    }
}

/// All tables say the same.
fn assert_agrees(registry: &Registry) {
    let mut by_key: HashMap<Arc<Key>, BTreeSet<u64>> = HashMap::new();
    let mut expiry = BTreeSet::new();
    for (number, one) in &registry.registrations {
        let entry = &registry.entries[&one.peer];
        assert_eq!(entry.number(one.key.as_deref()), Some(*number));
        assert!(*number <= registry.last);
        expiry.insert((one.expires, *number));
        if let Some(key) = &one.key {
            by_key.entry(Arc::clone(key)).or_default().insert(*number);
        }
    }
    assert_eq!(by_key, registry.by_key);
    assert_eq!(expiry, registry.expiry);
    let (mut networks, mut places) = (HashMap::new(), 0);
    for entry in registry.entries.values() {
        assert!(!entry.is_empty());
        *networks.entry(entry.network()).or_insert(0) += 1;
        places += entry.numbers().len();
    }
    assert_eq!(networks, registry.networks);
    assert_eq!(places, registry.registrations.len());
    let entries: usize = registry.entries.values().map(Entry::bytes).sum();
    let places: usize = registry.registrations.values().map(|one| bytes_of(&one.key)).sum();
    assert_eq!(entries + places, registry.bytes);
}

fn assert_within_limits(registry: &Registry) {
    assert!(registry.peers() <= LIMITS.peers && registry.bytes() <= LIMITS.bytes);
    assert!(registry.networks.values().all(|peers| *peers <= LIMITS.peers_per_network));
}

proptest! {
    #[test]
    fn any_history_leaves_tables_that_agree_and_stay_small(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut run = Run::new();
        for step in steps {
            run.take(step);
            assert_agrees(&run.registry);
            assert_within_limits(&run.registry);
            run.compare();
        }
        run.registry.sweep(NOW + Duration::from_secs(u64::from(u32::MAX)));
        assert_agrees(&run.registry);
        prop_assert_eq!((run.registry.peers(), run.registry.bytes()), (0, 0));
    }
}
