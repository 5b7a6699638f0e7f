//! A running peer of one home: its node, its store, what it serves, and what it
//! finds. What an application holds.

mod error;
mod presence;
mod reach;
mod search;
mod stream;
mod ways;

pub use self::error::{OpenError, ShareError};

use std::{
    collections::VecDeque, convert::Infallible, net::SocketAddr, path::PathBuf, sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream::BoxStream};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use peerage_core::{
    data::Cid,
    discovery::{Announcement, Key, Ports},
    link::{self, Link, LinkError, Target},
    text::{FileName, Platform},
};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{Everybody, GuardedStore, Policy},
    discovery::{
        DnsConfig, Finder, Interfaces, LanConfig, LanDiscovery, LanWay, MainlineConfig, Way,
    },
    exchange::{
        Serving,
        bitswap::Bitswap,
        download::{self, Allowance, Context, GetError, GetEvent, GetRequest, Got, Provider},
        gateway::{self, Gateway},
        serving::ServingEvent,
    },
    home::Home,
    import::{self, ImportOptions, Imported},
    node::{Node, NodeConfig},
    routing::TransportKind,
    store::{Store, StoreError, TreeId},
    topology::kademlia::{self, Kademlia, KademliaConfig},
};

pub use reach::{Asked, NotReached, REACH_TIME, ReachError, Reaching, Said, Source, StreamError};

use reach::Reacher;

/// How long a lost provider is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a link waits for this node to be reached over its hubs, so that it
/// can say so.
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Addresses of this node that a link carries at most: links are typed, scanned
/// and pasted, and the first few addresses reach whoever can be reached.
const LINK_ADDRESSES: usize = 6;

/// How a session is to run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The identity, the addresses to listen on, and the limits.
    pub node: NodeConfig,
    /// The device's name, for the peers nearby.
    pub name: String,
    /// Whether to announce this peer on the local network and look for others.
    pub lan: bool,
    /// Where to serve the gateway to this machine by plain HTTP.
    pub http: Option<SocketAddr>,
    /// By which ways to find peers and be found, besides the local network.
    /// Ways that need the running node come later, by [`Finder::add`].
    pub ways: Vec<Arc<dyn Way>>,
    /// By which of those that need the running node.
    pub wide: Wide,
    /// Who may read what the store holds: [`Everybody`], if nothing else is
    /// said.
    pub policy: Arc<dyn Policy>,
}

/// Ways of finding peers anywhere that need the running node.
#[derive(Clone, Debug, Default)]
pub struct Wide {
    /// Trackers to announce to and to ask, each address with its peer at the
    /// end. Every hub is one.
    pub trackers: Vec<Multiaddr>,
    /// Zones of hubs in the DNS.
    pub dns: Option<DnsConfig>,
    /// Which network of Kademlia to take part in, if in any.
    pub kademlia: Option<KademliaConfig>,
    /// `BitTorrent`'s Mainline DHT: this peer's addresses are public there.
    pub mainline: Option<MainlineConfig>,
}

impl SessionOptions {
    /// A session that is found on the local network and serves no plain HTTP.
    #[must_use]
    pub fn new(node: NodeConfig) -> Self {
        Self {
            node,
            name: String::from("peerage"),
            lan: true,
            http: None,
            ways: Vec::new(),
            wide: Wide::default(),
            policy: Arc::new(Everybody),
        }
    }
}

/// Something that is shared.
#[derive(Clone, Debug)]
pub struct Share {
    /// What to hand over.
    pub link: Link,
    /// What was imported.
    pub imported: Imported,
}

/// A running peer of one home. Cheap to clone; [`Session::close`] ends it for all.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    node: Node,
    store: Store,
    blocks: GuardedStore,
    serving: Serving,
    http: Option<SocketAddr>,
    bitswap: Bitswap,
    finder: Finder,
    reacher: Reacher,
    /// What this peer can be found under besides its id.
    keys: watch::Sender<Vec<Key>>,
    lan: tokio::sync::Mutex<Option<Arc<LanDiscovery>>>,
    servers: tokio::sync::Mutex<JoinSet<()>>,
    stop: CancellationToken,
}

impl Session {
    /// Opens the home's store, starts its node and serves what the store holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] when another process runs on this home.
    pub async fn open(home: &Home, options: SessionOptions) -> Result<Self, OpenError> {
        let folder = home.store();
        let store = tokio::task::spawn_blocking(move || Store::open(&folder));
        let wanted = options.wide.kademlia.clone();
        let (part, kademlia) = kademlia::optional_part(options.node.peer_id(), wanted);
        let (store, node) = tokio::join!(store, Node::spawn_with(options.node.clone(), part));
        let store = store.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        Self::serve(store, node?, kademlia, options).await
    }

    async fn serve(
        store: Store,
        node: Node,
        kademlia: Option<Kademlia>,
        options: SessionOptions,
    ) -> Result<Self, OpenError> {
        let blocks = GuardedStore::new(store.clone(), options.policy);
        let served = Serving::from(blocks.clone());
        let gateway = Gateway::new(served.clone());
        let mut servers = JoinSet::new();
        let streams =
            node.accept(gateway::PROTOCOL).map_err(|_| OpenError::Served("the gateway"))?;
        let serving = gateway.clone();
        servers.spawn(async move { serving.serve_streams(streams).await });
        let http = listen_http(&gateway, options.http, &mut servers).await?;
        let bitswap = Bitswap::start(&node, Some(served.clone()))
            .map_err(|_| OpenError::Served("bitswap"))?;
        let lan = options.lan.then(|| announce(&node, &options.name)).flatten().map(Arc::new);
        let finder = finder(&node, lan.as_ref(), options.ways);
        if let Some(kademlia) = kademlia {
            finder.add(Arc::new(kademlia));
        }
        let keys = watch::Sender::default();
        let reacher = Reacher::new(&node, &finder, &options.node.hubs);
        let keypair = options.node.keypair;
        ways::add(&finder, &node, &keypair, options.wide).await;
        servers.spawn(presence::keep(node.clone(), keypair, finder.clone(), keys.subscribe()));
        let (lan, servers) = (tokio::sync::Mutex::new(lan), tokio::sync::Mutex::new(servers));
        let stop = CancellationToken::new();
        let inner = Inner {
            node,
            store,
            blocks,
            serving: served,
            http,
            bitswap,
            finder,
            reacher,
            keys,
            lan,
            servers,
            stop,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.inner.node
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The store's blocks as those who ask for them see them.
    #[must_use]
    pub fn blocks(&self) -> &GuardedStore {
        &self.inner.blocks
    }

    /// Where plain HTTP is served.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.inner.http
    }

    /// What is met while serving, by whatever protocol: who got what, files that
    /// have changed since they were shared.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<ServingEvent> {
        self.inner.serving.events()
    }

    /// All ways of finding peers. What they find at addresses is in the node's
    /// address book at once.
    #[must_use]
    pub fn finder(&self) -> &Finder {
        &self.inner.finder
    }

    /// Discovery on the local network, unless it is off.
    pub async fn lan(&self) -> Option<Arc<LanDiscovery>> {
        self.inner.lan.lock().await.clone()
    }

    /// Shares files and folders without copying them: the store refers to them
    /// where they are. Several paths become one folder.
    ///
    /// `watch` is told about progress and can stop the work.
    ///
    /// # Errors
    ///
    /// When something cannot be read; see [`ShareError`].
    pub async fn share(
        &self,
        paths: Vec<PathBuf>,
        options: ImportOptions,
        watch: Arc<dyn import::ImportProgress>,
    ) -> Result<Share, ShareError> {
        let store = self.inner.store.clone();
        let importing = tokio::task::spawn_blocking(move || {
            import::import(&store, &paths, &options, watch.as_ref())
        });
        let imported =
            importing.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        self.inner.node.until_reached(REACHED_WITHIN).await;
        let link = self.link(imported.root, &imported.name, imported.total_bytes)?;
        self.be_found_under(Key::Content(imported.root));
        Ok(Share { link, imported })
    }

    /// A link to something in the store, with this node as its provider.
    ///
    /// # Errors
    ///
    /// When the CID is not one that links carry.
    pub fn link(&self, root: Cid, name: &[u8], size: u64) -> Result<Link, LinkError> {
        let node = &self.inner.node;
        let addresses = worth_telling(node.listen_addresses());
        let provider = link::Provider::new(node.peer_id(), addresses)?;
        let link = Link::new(root)?.with_provider(provider)?.with_size(size);
        // A name that not every system takes is left out; the receiver then
        // names the output after the CID.
        Ok(match FileName::parse(name, Platform::CURRENT) {
            Ok(name) => link.with_name(name),
            Err(_) => link,
        })
    }

    /// Lets this peer be found under a key, besides its id, from now on.
    pub fn be_found_under(&self, key: Key) {
        self.inner.keys.send_if_modified(|keys| {
            let is_new = !keys.contains(&key);
            if is_new {
                keys.push(key);
            }
            is_new
        });
    }

    /// Forgets something that was shared. The files stay where they are.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn unshare(&self, tree: TreeId) -> Result<(), StoreError> {
        let store = self.inner.store.clone();
        let removing = tokio::task::spawn_blocking(move || store.remove_tree(tree));
        removing.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
    }

    /// Gets what a link or a CID names into `directory`.
    ///
    /// A link is got from the peers that it names and those in `extra`, which
    /// are looked for while they cannot be reached; a bare CID from `extra` and
    /// from whoever is found to have it.
    ///
    /// # Errors
    ///
    /// See [`GetError`].
    pub async fn get(
        &self,
        target: &Target,
        directory: PathBuf,
        extra: Vec<Provider>,
        events: mpsc::Sender<GetEvent>,
        stop: CancellationToken,
    ) -> Result<Got, GetError> {
        let name = match target.name() {
            // Whoever made the link chose it, and nobody has looked at it.
            Some(name) => name.clone().unhidden().as_bytes().to_vec(),
            None => target.cid().to_string().into_bytes(),
        };
        let request = GetRequest {
            root: *target.cid(),
            name,
            directory,
            size: target.size(),
            allowance: Allowance::promised(target.size()),
            patience: PATIENCE,
        };
        let named = target.providers().iter().map(|provider| Provider {
            peer: provider.peer(),
            addresses: provider.addresses().to_vec(),
        });
        let known: Vec<Provider> = named.chain(extra).collect();
        let inner = &self.inner;
        let context = Context {
            node: inner.node.clone(),
            store: inner.store.clone(),
            bitswap: inner.bitswap.clone(),
        };
        let providers = self.providers(target, known.clone());
        tokio::select! {
            got = download::get(context, request, providers, events, stop) => got,
            never = search::keep_finding(&inner.node, &inner.reacher, known) => {
                let never: Infallible = never;
                match never {}
            }
        }
    }

    fn providers(&self, target: &Target, known: Vec<Provider>) -> BoxStream<'static, Provider> {
        let is_named = matches!(target, Target::Link(_)) && !known.is_empty();
        let known = futures::stream::iter(known);
        if is_named {
            return known.boxed();
        }
        known.chain(search::providers(&self.inner.finder, *target.cid())).boxed()
    }

    /// Ends everything: says goodbye to the local network, closes connections,
    /// makes the store durable.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.finder.close().await;
        if let Some(lan) = self.inner.lan.lock().await.take()
            && let Some(lan) = Arc::into_inner(lan)
        {
            lan.stop().await;
        }
        self.inner.servers.lock().await.shutdown().await;
        self.inner.node.shutdown().await;
        let store = self.inner.store.clone();
        let synced = tokio::task::spawn_blocking(move || store.sync()).await;
        if let Ok(Err(error)) = synced {
            tracing::warn!(%error, "the store could not be made durable");
        }
    }
}

async fn listen_http(
    gateway: &Gateway,
    address: Option<SocketAddr>,
    servers: &mut JoinSet<()>,
) -> Result<Option<SocketAddr>, OpenError> {
    let Some(address) = address else { return Ok(None) };
    let failed = |source| OpenError::Http { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let serving = gateway.clone();
    servers.spawn(async move {
        serving.serve_tcp(listener).await;
    });
    Ok(Some(bound))
}

/// Announces the node on the local network. A machine without one is no error:
/// everything else works.
fn announce(node: &Node, name: &str) -> Option<LanDiscovery> {
    let announce = Some(announcement(node, name));
    let config = LanConfig { announce, interfaces: Interfaces::default() };
    LanDiscovery::start(config)
        .inspect_err(|error| tracing::warn!(%error, "not looking for peers nearby"))
        .ok()
}

fn announcement(node: &Node, name: &str) -> Announcement {
    let mut announcement = Announcement::new(node.peer_id(), name);
    announcement.ports = Ports::of(&node.listen_addresses());
    announcement
}

/// All ways together. What they find goes to the node's address book.
fn finder(node: &Node, lan: Option<&Arc<LanDiscovery>>, mut ways: Vec<Arc<dyn Way>>) -> Finder {
    ways.extend(lan.map(|lan| Arc::new(LanWay::new(lan)) as Arc<dyn Way>));
    let own = node.peer_id();
    let node = node.clone();
    Finder::new(own, ways, move |found| node.add_hints(found.peer, &found.addresses))
}

/// Which addresses a link carries: one of each kind before the second of any,
/// and those first that another machine may reach at once. TCP before QUIC,
/// since it is cheaper between two that can use either; relays for those that
/// neither reaches; the loopback only where there is nothing else.
fn worth_telling(addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let anywhere = addresses.iter().any(|address| !is_loopback(address));
    let kinds = [
        TransportKind::Tcp,
        TransportKind::Relay,
        TransportKind::Quic,
        TransportKind::Circuit,
        TransportKind::Roaming,
    ];
    let mut lanes = kinds.map(|kind| {
        let told =
            |one: &&Multiaddr| TransportKind::of(one) == kind && (!anywhere || !is_loopback(one));
        addresses.iter().filter(told).cloned().collect::<VecDeque<_>>()
    });
    let mut told = Vec::new();
    while told.len() < LINK_ADDRESSES && lanes.iter().any(|lane| !lane.is_empty()) {
        told.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
    }
    told.truncate(LINK_ADDRESSES);
    told
}

fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// A provider named by an address that ends in `/p2p/PEER`.
///
/// Returns `None` when it doesn't.
#[must_use]
pub fn provider_at(address: &Multiaddr) -> Option<Provider> {
    let mut bare = address.clone();
    let Some(Protocol::P2p(peer)) = bare.pop() else { return None };
    let peer: PeerId = peer;
    Some(Provider { peer, addresses: vec![bare] })
}
