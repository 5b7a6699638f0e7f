//! `BitTorrent`'s Mainline DHT: millions of nodes, none of which is ours.
//!
//! A node announces itself under the info hash of its peer id and of every
//! other key ([BEP 5]), and keeps its signed record where everybody who knows
//! its Ed25519 peer id finds it ([BEP 44]). See
//! [`peerage_core::discovery::mainline`] for what is where.
//!
//! Under an info hash the DHT has IP addresses and ports without peer ids, and
//! anybody can announce anything. So whoever is there is asked who it is, by
//! [`Identify`]. The DHT is that of IPv4.
//!
//! [BEP 5]: https://www.bittorrent.org/beps/bep_0005.html
//! [BEP 44]: https://www.bittorrent.org/beps/bep_0044.html

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::limits::{
    MAINLINE_ANNOUNCE_SECONDS, MAINLINE_LOOK_UP_SECONDS, MAX_MAINLINE_HINTS, MAX_MAINLINE_KEYS,
    MAX_MAINLINE_PLACES, MAX_MAINLINE_QUESTIONS, MAX_MAINLINE_WALKS,
};
use futures::future::{BoxFuture, FutureExt, ready};
use futures::stream::{self, BoxStream, FuturesUnordered, Stream, StreamExt};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use mainline::async_dht::AsyncDht;
use mainline::errors::{ConcurrencyError, PutMutableError, PutQueryError};
use mainline::{Dht, Id, MutableItem};
use peerage_core::discovery::mainline::{
    Item, SALT, addresses_at, announced_port, info_hash, public_key, read_value,
};
use peerage_core::discovery::{Key, Said, Scope, SignedPeerRecord};
use tokio::time::{sleep, timeout};

use super::way::{Finding, Presence, Way, WayError, WayName};
use crate::sync::lock;

mod serve;

/// How long an announcement holds: nodes forget places after 30 minutes or
/// more, and items after two hours (BEP 44).
const HOLDS: Duration = Duration::from_secs(20 * 60);

const LOOK_UP: Duration = Duration::from_secs(MAINLINE_LOOK_UP_SECONDS);
const ANNOUNCE: Duration = Duration::from_secs(MAINLINE_ANNOUNCE_SECONDS);

/// Asks who is at an address: connects without knowing the peer id in advance
/// and says which peer it turned out to be, or `None`. It must end by itself;
/// a look-up waits at most [`MAINLINE_LOOK_UP_SECONDS`] for all of them.
pub type Identify = Arc<dyn Fn(Multiaddr) -> BoxFuture<'static, Option<Finding>> + Send + Sync>;

/// How to take part in the Mainline DHT.
#[derive(Clone, Debug)]
pub struct MainlineConfig {
    /// The nodes to begin with, `HOST:PORT`; `None` for the well-known public
    /// ones. Without any, this is the first node of a DHT of its own.
    pub bootstrap: Option<Vec<String>>,
    /// The address to bind to.
    pub address: Ipv4Addr,
    /// The UDP port to bind to; `None` for any.
    pub port: Option<u16>,
    /// Whether to answer others from the start. Otherwise the node is a client
    /// until the DHT has seen that it can be reached, and then answers too.
    pub server: bool,
    /// The port to announce; `None` for that of the record's addresses.
    pub announced_port: Option<u16>,
    /// From how far away places must be reachable to be asked who they are:
    /// public ones only, or else anybody could have us connect to machines of
    /// our own network.
    pub scope: Scope,
}

impl Default for MainlineConfig {
    fn default() -> Self {
        Self {
            bootstrap: None,
            address: Ipv4Addr::UNSPECIFIED,
            port: None,
            server: false,
            announced_port: None,
            scope: Scope::Public,
        }
    }
}

impl MainlineConfig {
    /// Begins with these nodes, `HOST:PORT`, instead of the well-known ones.
    #[must_use]
    pub fn by_way_of<Node: Into<String>>(nodes: impl IntoIterator<Item = Node>) -> Self {
        let bootstrap = Some(nodes.into_iter().map(Into::into).collect());
        Self { bootstrap, ..Self::default() }
    }
}

/// A node of the Mainline DHT. It leaves when the last of it is dropped.
pub struct Mainline {
    dht: AsyncDht,
    keypair: Keypair,
    identify: Identify,
    announced_port: Option<u16>,
    scope: Scope,
    /// The sequence number of the record that was put last.
    put: Mutex<Option<u64>>,
    /// Under which keys this node has said that it is there, and at which port.
    said: Mutex<(Said, Option<u16>)>,
    began: Instant,
}

impl Mainline {
    /// Binds a socket and begins to join. The key pair is the node's own.
    ///
    /// # Errors
    ///
    /// When the socket cannot be bound.
    pub async fn start(
        config: MainlineConfig,
        keypair: Keypair,
        identify: Identify,
    ) -> io::Result<Self> {
        let MainlineConfig { announced_port, scope, .. } = config;
        // Building resolves the names of the bootstrap nodes, and blocks.
        let built = tokio::task::spawn_blocking(move || build(&config)).await;
        let dht = built.map_err(io::Error::other)??.as_async();
        let said = Mutex::new((Said::new(HOLDS), None));
        let (put, began) = (Mutex::new(None), Instant::now());
        Ok(Self { dht, keypair, identify, announced_port, scope, put, said, began })
    }

    /// Where its socket is bound.
    pub async fn local_address(&self) -> SocketAddrV4 {
        self.dht.info().await.local_addr()
    }

    fn own_peer(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    async fn announce_all(&self, presence: &Presence) -> Result<Duration, WayError> {
        if presence.record.peer() != self.own_peer() {
            return Err(WayError::Malformed("the record to announce is another peer's".into()));
        }
        let addresses = presence.record.addresses();
        let port = self.announced_port.or_else(|| announced_port(addresses));
        let own = std::iter::once(Key::Peer(self.own_peer()));
        let keys: Vec<_> =
            own.chain(presence.keys.iter().cloned()).take(MAX_MAINLINE_KEYS).collect();
        let due = self.unsaid(&keys, port);
        let is_said = due.len() < keys.len();
        let places =
            due.into_iter().filter_map(|key| Some(self.announce_place(key, port?).boxed()));
        let mut jobs: Vec<BoxFuture<'_, Result<(), WayError>>> = places.collect();
        if public_key(&self.own_peer()).is_some() {
            jobs.insert(0, self.put_record(&presence.record).boxed());
        }
        let jobs = stream::iter(jobs).buffer_unordered(MAX_MAINLINE_WALKS);
        let results: Vec<Result<(), WayError>> = jobs.collect().await;
        let nothing = || Err(WayError::Unavailable("there is no IPv4 address to announce".into()));
        match results.iter().any(Result::is_ok) || (is_said && results.is_empty()) {
            true => Ok(HOLDS),
            false => results.into_iter().next().unwrap_or_else(nothing).map(|()| HOLDS),
        }
    }

    /// Which of these keys are to be said now, at this port.
    fn unsaid(&self, keys: &[Key], port: Option<u16>) -> Vec<Key> {
        let mut said = lock(&self.said);
        if said.1 != port {
            said.0.expire();
            said.1 = port;
        }
        // Nothing can be taken back there: it is forgotten by itself.
        said.0.retain(keys);
        said.0.due(keys, self.began.elapsed())
    }

    /// Says that there is somebody for a key. First it asks who else is: a
    /// walk that only asks where to announce would hide the answers from a
    /// look-up of the same key beside it.
    async fn announce_place(&self, key: Key, port: u16) -> Result<(), WayError> {
        let hash = id(&key);
        let announce = async {
            self.dht.get_peers(hash).for_each(|_| ready(())).await;
            self.dht.announce_peer(hash, Some(port)).await.map(|_| ()).map_err(refused)
        };
        within(ANNOUNCE, announce).await?;
        lock(&self.said).0.note(key, self.began.elapsed());
        Ok(())
    }

    async fn put_record(&self, record: &SignedPeerRecord) -> Result<(), WayError> {
        let item = Item::sign(&self.keypair, record)
            .map_err(|error| WayError::Malformed(error.to_string()))?
            .ok_or(WayError::Unsupported)?;
        let item = MutableItem::new_signed_unchecked(
            item.key,
            item.signature,
            &item.value,
            item.sequence,
            Some(SALT),
        );
        let sequence = Some(record.sequence());
        let again = self.note_put(sequence) == sequence;
        let put = async {
            match self.dht.put_mutable(item, None).await {
                // Some nodes take the same number a second time for an older one.
                Err(PutMutableError::Concurrency(ConcurrencyError::NotMostRecent)) if again => {
                    Ok(())
                }
                result => result.map(|_| ()).map_err(not_put),
            }
        };
        within(ANNOUNCE, put).await
    }

    /// Notes what was put last, and says what was before.
    fn note_put(&self, sequence: Option<u64>) -> Option<u64> {
        let mut put = lock(&self.put);
        std::mem::replace(&mut *put, sequence)
    }

    /// Puts a record without addresses in place of the last.
    async fn put_nothing(&self) {
        let Some(sequence) = self.note_put(None) else { return };
        let sequence = sequence.saturating_add(1);
        if let Ok(record) = SignedPeerRecord::sign(&self.keypair, sequence, Vec::new()) {
            let _ = timeout(LOOK_UP, self.put_record(&record)).await;
            self.note_put(None);
        }
    }

    /// The records of a peer, each newer than the one before.
    fn records(&self, peer: PeerId) -> impl Stream<Item = Finding> + Send + use<> {
        let key = public_key(&peer);
        let items = key.map(|key| self.dht.get_mutable(&key, Some(SALT), None));
        let mut newest = None;
        stream::iter(items).flatten().filter_map(move |item| {
            let record = read_value(&peer, item.value());
            let record = record.filter(|record| Some(record.sequence()) > newest);
            newest = record.as_ref().map_or(newest, |record| Some(record.sequence()));
            ready(record.map(|record| Finding {
                peer,
                addresses: record.addresses().to_vec(),
                record: Some(record),
            }))
        })
    }

    /// The places that were announced under a key, each once.
    fn places(&self, key: &Key) -> impl Stream<Item = SocketAddrV4> + Send + use<> {
        let scope = self.scope;
        let mut known = HashSet::new();
        self.dht.get_peers(id(key)).flat_map(stream::iter).filter(move |place| {
            let near = Scope::of_ip((*place.ip()).into()) > scope;
            ready(place.port() != 0 && !near && known.insert(*place))
        })
    }

    /// Whoever is there for a key, by its own word.
    fn identified(&self, key: &Key) -> impl Stream<Item = Finding> + Send + use<> {
        let (identify, own) = (self.identify.clone(), self.own_peer());
        self.places(key)
            .take(MAX_MAINLINE_PLACES)
            .map(move |place| who_is_at(identify.clone(), place))
            .buffer_unordered(MAX_MAINLINE_QUESTIONS)
            .filter_map(move |found| ready(found.filter(|finding| finding.peer != own)))
    }

    /// Places where a peer is said to be: hints, which a connection proves.
    fn hints(&self, peer: PeerId) -> impl Stream<Item = Finding> + Send + use<> {
        self.places(&Key::Peer(peer)).take(MAX_MAINLINE_HINTS).map(move |place| Finding {
            peer,
            addresses: addresses_at(place),
            record: None,
        })
    }

    /// What is wrong when nothing was found: nothing, or nobody to ask.
    async fn after_nothing(&self) -> Option<Result<Finding, WayError>> {
        let known = self.dht.to_bootstrap().await;
        known.is_empty().then(|| {
            Err(WayError::Unavailable("no node of the Mainline DHT has answered yet".into()))
        })
    }
}

impl Way for Mainline {
    fn name(&self) -> WayName {
        WayName::Mainline
    }

    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        self.announce_all(presence).boxed()
    }

    fn withdraw(&self) -> BoxFuture<'_, ()> {
        self.put_nothing().boxed()
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        let findings = match key {
            Key::Peer(peer) => stream::select(self.records(*peer), self.hints(*peer)).boxed(),
            Key::Content(_) | Key::Topic(_) => self.identified(key).boxed(),
        };
        let findings = findings.take_until(sleep(LOOK_UP)).map(Some).chain(stream::iter([None]));
        findings
            .scan(false, move |found, finding| {
                let nothing = finding.is_none() && !*found;
                *found |= finding.is_some();
                async move {
                    let end = if nothing { self.after_nothing().await } else { None };
                    finding.map(Ok).or(end)
                }
            })
            .boxed()
    }
}

fn build(config: &MainlineConfig) -> io::Result<Dht> {
    let mut builder = Dht::builder();
    builder.bind_address(config.address).server_settings(serve::settings());
    match &config.bootstrap {
        Some(nodes) if nodes.is_empty() => {
            builder.no_bootstrap();
        }
        Some(nodes) => {
            builder.bootstrap(nodes);
        }
        None => {}
    }
    if let Some(port) = config.port {
        builder.port(port);
    }
    if config.server {
        builder.server_mode();
    }
    builder.build()
}

fn id(key: &Key) -> Id {
    Id::from(info_hash(key))
}

/// Asks over QUIC and TCP at once; the first to answer counts.
async fn who_is_at(identify: Identify, place: SocketAddrV4) -> Option<Finding> {
    let asked: FuturesUnordered<_> =
        addresses_at(place).into_iter().map(|address| identify(address)).collect();
    asked.filter_map(ready).boxed().next().await
}

async fn within(
    limit: Duration,
    job: impl Future<Output = Result<(), WayError>>,
) -> Result<(), WayError> {
    timeout(limit, job).await.unwrap_or(Err(WayError::TimedOut(limit)))
}

fn refused(error: PutQueryError) -> WayError {
    match error {
        PutQueryError::NoClosestNodes => {
            WayError::Unavailable("no node of the Mainline DHT answers".into())
        }
        PutQueryError::Timeout => WayError::TimedOut(ANNOUNCE),
        PutQueryError::ErrorResponse(said) => {
            WayError::Malformed(format!("refused with error {}", said.code))
        }
    }
}

fn not_put(error: PutMutableError) -> WayError {
    match error {
        PutMutableError::Query(error) => refused(error),
        PutMutableError::Concurrency(ConcurrencyError::NotMostRecent) => WayError::Malformed(
            "a newer record of this identity is there; does it run elsewhere too?".into(),
        ),
        PutMutableError::Concurrency(_) => {
            WayError::Malformed("another record is being put just now".into())
        }
    }
}
