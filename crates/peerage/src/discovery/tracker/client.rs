//! Finding peers by asking trackers.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::limits::{
    MAX_REGISTRY_CIDS_PER_PEER, MAX_REGISTRY_TOPICS_PER_PEER, MAX_TRACKER_PAGES, MAX_TRACKERS,
    MAX_TRACKERS_AT_ONCE, REGISTRY_TTL_SECONDS, TRACKER_ANSWER_SECONDS,
};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use libp2p::PeerId;
use libp2p::identity::Keypair;
use peerage_core::discovery::registry::RecordForm;
use peerage_core::discovery::{Key, LegacyPeerRecord};
use peerage_core::discovery::{rendezvous, tracker};

use super::super::{Finding, Presence, Way, WayError, WayName};
use super::exchange::{self, Registered};
use super::merge::{Merge, failure_of};
use super::{RENDEZVOUS, TRACKER};
use crate::node::{Node, OpenStreamError, Stream};
use crate::routing::PeerAddresses;
use crate::sync::lock;

const ANSWER_TIME: Duration = Duration::from_secs(TRACKER_ANSWER_SECONDS);

/// For how many answers a tracker is waited for when registrations follow one
/// another.
const REGISTRATIONS_TIME: Duration = Duration::from_secs(3 * TRACKER_ANSWER_SECONDS);

/// How a tracker has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerStanding {
    /// Which one.
    pub peer: PeerId,
    /// How long its latest answer took, connecting included; `None` before the
    /// first, and after a failure.
    pub latency: Option<Duration>,
    /// Why it failed, if it did the last time.
    pub failure: Option<WayError>,
}

/// Finding peers by asking several trackers at once: by our own announcements
/// and queries, or by rendezvous where a tracker speaks only that. It fails
/// only when all of them do.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use futures::StreamExt;
/// use libp2p::identity::Keypair;
/// use peerage::{discovery::tracker::{Tracker, TrackerConfig, TrackerServer}, routing::PeerAddresses};
/// use peerage::discovery::{Key, Presence, SignedPeerRecord, Way};
/// use peerage::{node::Node, presets};
///
/// let hub = Node::spawn(presets::loopback()).await?;
/// let _serving = TrackerServer::start(&hub, TrackerConfig::default())?;
/// let place = PeerAddresses { peer: hub.peer_id(), addresses: hub.listen_addresses() };
///
/// let config = presets::loopback();
/// let (key, alice) = (config.keypair.clone(), Node::spawn(config).await?);
/// let tracker = Tracker::new(&alice, &key, vec![place.clone()]);
/// let record = SignedPeerRecord::sign(&key, 1, alice.listen_addresses())?;
/// tracker.announce(&Presence { record: record.clone(), keys: Vec::new() }).await?;
///
/// let config = presets::loopback();
/// let (key, bob) = (config.keypair.clone(), Node::spawn(config).await?);
/// let tracker = Tracker::new(&bob, &key, vec![place]);
/// let found = tracker.look_up(&Key::Peer(alice.peer_id())).next().await.unwrap()?;
/// assert_eq!(found.record, Some(record));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Tracker {
    node: Node,
    keypair: Keypair,
    trackers: Vec<Known>,
}

/// A tracker, and what is remembered of it.
struct Known {
    address: PeerAddresses,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    latency: Option<Duration>,
    failure: Option<WayError>,
    /// What it keeps of us.
    kept: Option<Kept>,
    /// The form of records that it is known to read.
    reads: Option<RecordForm>,
}

impl Memory {
    /// Lower ranks are asked first.
    fn rank(&self) -> (bool, bool, Option<Duration>) {
        (self.failure.is_some(), self.latency.is_none(), self.latency)
    }
}

/// What a tracker keeps of us.
#[derive(Clone)]
enum Kept {
    Announcement,
    Registrations(Vec<String>),
}

impl Tracker {
    /// The way over these trackers; those beyond [`MAX_TRACKERS`] are left
    /// out. The node's key signs records anew for rendezvous points that read
    /// only rust-libp2p's form.
    #[must_use]
    pub fn new(node: &Node, keypair: &Keypair, trackers: Vec<PeerAddresses>) -> Self {
        let known = |address| Known { address, memory: Mutex::default() };
        let trackers = trackers.into_iter().take(MAX_TRACKERS).map(known).collect();
        Self { node: node.clone(), keypair: keypair.clone(), trackers }
    }

    /// How the trackers have done so far.
    pub fn standings(&self) -> Vec<TrackerStanding> {
        let standing = |known: &Known| {
            let memory = lock(&known.memory);
            let (latency, failure) = (memory.latency, memory.failure.clone());
            TrackerStanding { peer: known.address.peer, latency, failure }
        };
        self.trackers.iter().map(standing).collect()
    }

    /// The trackers in the order in which they are asked: the fastest, then
    /// those that were never asked, then those that failed.
    fn preferred(&self) -> Vec<&Known> {
        let mut trackers: Vec<_> = self.trackers.iter().collect();
        trackers.sort_by_cached_key(|known| lock(&known.memory).rank());
        trackers
    }

    /// A stream of whichever protocol the tracker speaks.
    async fn open(&self, known: &Known) -> Result<Stream, WayError> {
        let PeerAddresses { peer, addresses } = &known.address;
        let connected = self.node.connect(*peer, addresses).await;
        connected.map_err(|error| WayError::Unavailable(error.to_string()))?;
        let opened = self.node.open_stream_any(*peer, &[TRACKER, RENDEZVOUS]).await;
        opened.map_err(|error| match error {
            OpenStreamError::TimedOut => WayError::TimedOut(ANSWER_TIME),
            other => WayError::Unavailable(other.to_string()),
        })
    }

    /// Runs one exchange with a tracker, and remembers how it did.
    async fn with<T>(
        &self,
        known: &Known,
        time: Duration,
        exchange: impl Future<Output = Result<T, WayError>>,
    ) -> Result<T, WayError> {
        let start = Instant::now();
        let outcome = tokio::time::timeout(time, exchange).await;
        let outcome = outcome.unwrap_or(Err(WayError::TimedOut(time)));
        let mut memory = lock(&known.memory);
        memory.latency = outcome.is_ok().then(|| start.elapsed());
        memory.failure = outcome.as_ref().err().cloned();
        outcome
    }

    async fn announce_to(&self, known: &Known, presence: &Presence) -> Result<Duration, WayError> {
        let mut stream = self.open(known).await?;
        if *stream.protocol() == RENDEZVOUS {
            return self.register_at(known, stream, presence).await;
        }
        let legacy = LegacyPeerRecord::sign(&self.keypair, &presence.record).ok();
        let keys = announced(&presence.keys).map(ToString::to_string).collect();
        let announcement = tracker::Message::announcement(
            &presence.record,
            legacy.as_ref(),
            keys,
            REGISTRY_TTL_SECONDS,
        );
        exchange::announce(&mut stream, &announcement).await?;
        lock(&known.memory).kept = Some(Kept::Announcement);
        Ok(Duration::from_secs(REGISTRY_TTL_SECONDS))
    }

    /// Registers under the own id and each key, one after another.
    async fn register_at(
        &self,
        known: &Known,
        stream: Stream,
        presence: &Presence,
    ) -> Result<Duration, WayError> {
        let own = rendezvous::namespace_of(&Key::Peer(presence.record.peer()));
        let keys = presence.keys.iter().filter_map(rendezvous::namespace_of);
        let namespaces: Vec<_> =
            own.into_iter().chain(keys).take(MAX_REGISTRY_TOPICS_PER_PEER).collect();
        self.unregister_others(known, &namespaces).await?;
        let mut stream = Some(stream);
        let mut shortest = u64::MAX;
        for (index, namespace) in namespaces.iter().enumerate() {
            let ttl = self.register_under(known, &mut stream, presence, namespace).await?;
            shortest = shortest.min(ttl);
            lock(&known.memory).kept = Some(Kept::Registrations(namespaces[..=index].to_vec()));
        }
        Ok(Duration::from_secs(shortest))
    }

    /// Takes back what is registered under other namespaces than these.
    async fn unregister_others(
        &self,
        known: &Known,
        namespaces: &[String],
    ) -> Result<(), WayError> {
        let Some(Kept::Registrations(kept)) = lock(&known.memory).kept.clone() else {
            return Ok(());
        };
        for namespace in kept.into_iter().filter(|one| !namespaces.contains(one)) {
            let mut stream = self.open(known).await?;
            exchange::unregister(&mut stream, namespace).await?;
        }
        Ok(())
    }

    /// Registers under one namespace, in the form that the point reads.
    async fn register_under(
        &self,
        known: &Known,
        stream: &mut Option<Stream>,
        presence: &Presence,
        namespace: &str,
    ) -> Result<u64, WayError> {
        let reads = lock(&known.memory).reads;
        let forms = match reads {
            Some(form) => vec![form],
            None => vec![RecordForm::Standard, RecordForm::Legacy],
        };
        for form in forms {
            let mut stream = match stream.take() {
                Some(stream) => stream,
                None => self.open(known).await?,
            };
            let record = self.record(presence, form)?;
            match exchange::register(&mut stream, namespace.to_owned(), record).await? {
                Registered::For(ttl) => {
                    lock(&known.memory).reads = Some(form);
                    return Ok(ttl);
                }
                Registered::Unread => {}
            }
        }
        lock(&known.memory).reads = None;
        Err(WayError::Unavailable("it reads no form of the record".to_owned()))
    }

    fn record(&self, presence: &Presence, form: RecordForm) -> Result<Vec<u8>, WayError> {
        match form {
            RecordForm::Standard => Ok(presence.record.encode()),
            RecordForm::Legacy => LegacyPeerRecord::sign(&self.keypair, &presence.record)
                .map(|record| record.encode())
                .map_err(|error| WayError::Unavailable(error.to_string())),
        }
    }

    async fn ask(&self, known: &Known, key: &Key) -> Result<Vec<Finding>, WayError> {
        let mut stream = self.open(known).await?;
        let found = if *stream.protocol() == RENDEZVOUS {
            self.discover_at(known, stream, key).await?
        } else {
            exchange::find(&mut stream, key).await?
        };
        let own = self.node.peer_id();
        Ok(found.into_iter().filter(|finding| finding.peer != own).collect())
    }

    async fn discover_at(
        &self,
        known: &Known,
        mut stream: Stream,
        key: &Key,
    ) -> Result<Vec<Finding>, WayError> {
        let namespace = rendezvous::namespace_of(key).ok_or(WayError::Unsupported)?;
        let (mut found, mut cookie) = (Vec::new(), None);
        for _ in 0..MAX_TRACKER_PAGES {
            let (page, next) = exchange::discover(&mut stream, &namespace, cookie).await?;
            found.extend(page);
            if next.is_none() {
                break;
            }
            cookie = next;
            // Many points answer one request on each stream.
            stream = self.open(known).await?;
        }
        if let Key::Peer(peer) = key {
            // Anybody can register under any name there.
            found.retain(|finding| finding.peer == *peer);
        }
        Ok(found)
    }

    async fn withdraw_from(&self, known: &Known) -> Result<(), WayError> {
        let kept = lock(&known.memory).kept.take();
        match kept {
            None => Ok(()),
            Some(Kept::Announcement) => {
                let mut stream = self.open(known).await?;
                exchange::ask(&mut stream, &tracker::Message::Withdraw).await.map(|_| ())
            }
            Some(Kept::Registrations(namespaces)) => {
                for namespace in namespaces {
                    let mut stream = self.open(known).await?;
                    exchange::unregister(&mut stream, namespace).await?;
                }
                Ok(())
            }
        }
    }

    async fn announce_to_all(&self, presence: &Presence) -> Result<Duration, WayError> {
        let mut announcing: Vec<BoxFuture<'_, _>> = Vec::new();
        for known in self.preferred() {
            let exchange = self.announce_to(known, presence);
            let told = self.with(known, REGISTRATIONS_TIME, exchange);
            announcing.push(told.map(|outcome| (known.address.peer, outcome)).boxed());
        }
        let outcomes: Vec<_> =
            stream::iter(announcing).buffer_unordered(MAX_TRACKERS_AT_ONCE).collect().await;
        let shortest = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()).min();
        if let Some(shortest) = shortest {
            return Ok(*shortest);
        }
        let failed = |(peer, outcome): (_, Result<_, _>)| Some((peer, outcome.err()?));
        Err(failure_of(outcomes.into_iter().filter_map(failed).collect()))
    }
}

impl Way for Tracker {
    fn name(&self) -> WayName {
        WayName::Tracker
    }

    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        self.announce_to_all(presence).boxed()
    }

    fn withdraw(&self) -> BoxFuture<'_, ()> {
        let mut withdrawing: Vec<BoxFuture<'_, _>> = Vec::new();
        for known in &self.trackers {
            withdrawing.push(self.with(known, ANSWER_TIME, self.withdraw_from(known)).boxed());
        }
        // Where this fails, it runs out by itself.
        let withdrawing = stream::iter(withdrawing).buffer_unordered(MAX_TRACKERS_AT_ONCE);
        withdrawing.for_each(|_| ready(())).boxed()
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        let key = Arc::new(key.clone());
        let asking = self.preferred().into_iter().map(move |known| {
            let key = Arc::clone(&key);
            async move {
                let exchange = self.ask(known, &key);
                (known.address.peer, self.with(known, ANSWER_TIME, exchange).await)
            }
        });
        let answers = stream::iter(asking).buffer_unordered(MAX_TRACKERS_AT_ONCE).map(Some);
        let mut merge = Merge::default();
        let merged = answers.chain(stream::once(ready(None))).map(move |answer| match answer {
            Some((tracker, answer)) => {
                merge.add(tracker, answer).into_iter().map(Ok).collect::<Vec<_>>()
            }
            None => std::mem::take(&mut merge).failure().map(Err).into_iter().collect(),
        });
        merged.flat_map(stream::iter).boxed()
    }
}

/// As many keys of each kind as a tracker keeps.
fn announced(keys: &[Key]) -> impl Iterator<Item = &Key> {
    let cids = keys.iter().filter(|key| matches!(key, Key::Content(_)));
    let topics = keys.iter().filter(|key| matches!(key, Key::Topic(_)));
    cids.take(MAX_REGISTRY_CIDS_PER_PEER).chain(topics.take(MAX_REGISTRY_TOPICS_PER_PEER))
}

impl std::fmt::Debug for Tracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracker").field("standings", &self.standings()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use peerage_core::discovery::Topic;

    use super::*;

    #[test]
    fn the_fastest_comes_first_and_who_failed_last() {
        let answered =
            |ms| Memory { latency: Some(Duration::from_millis(ms)), ..Memory::default() };
        let failed = Memory { failure: Some(WayError::Unsupported), ..Memory::default() };
        let ranks = [answered(5), answered(80), Memory::default(), failed].map(|one| one.rank());
        assert!(ranks.is_sorted(), "{ranks:?}");
    }

    #[test]
    fn no_more_keys_are_announced_than_are_kept() {
        let topic = |n: usize| Key::Topic(Topic::new(n.to_string()).unwrap());
        let topics: Vec<_> = (0..=MAX_REGISTRY_TOPICS_PER_PEER).map(topic).collect();
        assert_eq!(announced(&topics).count(), MAX_REGISTRY_TOPICS_PER_PEER);
    }
}
