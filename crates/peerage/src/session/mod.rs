//! A running peer of one home: its node, its store, what it serves, and what it
//! finds. What an application holds.

mod block;
mod error;
mod get;
mod import;
mod link;
mod options;
mod presence;
mod publish;
mod reach;
mod search;
mod stream;
mod ways;

pub use self::{
    block::BlockError,
    error::{OpenError, ShareError},
    get::GetOptions,
    link::{Share, provider_at},
    options::{SessionOptions, Wide},
    reach::{Asked, NotReached, REACH_TIME, ReachError, Reaching, Said, Source, StreamError},
};

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use peerage_core::discovery::{Announcement, Ports};
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{publish::Passing, reach::Reacher};
use crate::{
    access::GuardedStore,
    discovery::{Finder, Interfaces, LanConfig, LanDiscovery, LanWay, Way},
    exchange::{
        Hosts, Serving,
        bitswap::Bitswap,
        gateway::{self, Gateway},
        serving::ServingEvent,
    },
    home::Home,
    node::Node,
    store::Store,
    topology::kademlia::{self, Kademlia},
};

/// A running peer of one home. Cheap to clone; [`Session::close`] ends it for all.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    /// Never imported, by whatever path it is met.
    home: PathBuf,
    node: Node,
    store: Store,
    blocks: GuardedStore,
    serving: Serving,
    http: Option<SocketAddr>,
    bitswap: Bitswap,
    finder: Finder,
    reacher: Reacher,
    /// What this peer can be found under for a while, besides what the store
    /// offers.
    passing: Passing,
    lan: tokio::sync::Mutex<Option<Arc<LanDiscovery>>>,
    servers: tokio::sync::Mutex<JoinSet<()>>,
    stop: CancellationToken,
}

impl Session {
    /// Opens the home's store, starts its node and serves what the store holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`](crate::store::StoreError::InUse) when another process runs on this home.
    pub async fn open(home: &Home, options: SessionOptions) -> Result<Self, OpenError> {
        let folder = home.store();
        let store = tokio::task::spawn_blocking(move || Store::open(&folder));
        let wanted = options.wide.kademlia.clone();
        let (part, kademlia) = kademlia::optional_part(options.node.peer_id(), wanted);
        let (store, node) = tokio::join!(store, Node::spawn_with(options.node.clone(), part));
        let store = store.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        Self::serve(home.path().to_path_buf(), store, node?, kademlia, options).await
    }

    async fn serve(
        home: PathBuf,
        store: Store,
        node: Node,
        kademlia: Option<Kademlia>,
        options: SessionOptions,
    ) -> Result<Self, OpenError> {
        let blocks = GuardedStore::new(store.clone(), options.policy);
        let served = Serving::from(blocks.clone());
        let gateway = Gateway::new(served.clone());
        let mut servers = JoinSet::new();
        serve_streams(&gateway, &node, &mut servers)?;
        let http = listen_http(&gateway, options.http, options.http_hosts, &mut servers).await?;
        let bitswap = Bitswap::start(&node, Some(served.clone()))
            .map_err(|_| OpenError::Served("bitswap"))?;
        let lan = options.lan.then(|| announce(&node, &options.name)).flatten().map(Arc::new);
        let finder = finder(&node, lan.as_ref(), options.ways);
        if let Some(kademlia) = kademlia {
            finder.add(Arc::new(kademlia));
        }
        let passing = Passing::default();
        let reacher = Reacher::new(&node, &finder, &options.node.hubs);
        let keypair = options.node.keypair;
        ways::add(&finder, &node, &keypair, options.wide).await;
        let published = passing.follow(&store);
        servers.spawn(presence::keep(node.clone(), keypair, finder.clone(), published));
        let (lan, servers) = (tokio::sync::Mutex::new(lan), tokio::sync::Mutex::new(servers));
        let stop = CancellationToken::new();
        let inner = Inner {
            home,
            node,
            store,
            blocks,
            serving: served,
            http,
            bitswap,
            finder,
            reacher,
            passing,
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

/// Serves the gateway over streams.
fn serve_streams(
    gateway: &Gateway,
    node: &Node,
    servers: &mut JoinSet<()>,
) -> Result<(), OpenError> {
    let streams = node.accept(gateway::PROTOCOL).map_err(|_| OpenError::Served("the gateway"))?;
    let serving = gateway.clone();
    servers.spawn(async move { serving.serve_streams(streams).await });
    Ok(())
}

async fn listen_http(
    gateway: &Gateway,
    address: Option<SocketAddr>,
    hosts: Hosts,
    servers: &mut JoinSet<()>,
) -> Result<Option<SocketAddr>, OpenError> {
    let Some(address) = address else { return Ok(None) };
    let failed = |source| OpenError::Http { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let serving = gateway.clone();
    servers.spawn(async move {
        serving.serve_tcp_as(listener, hosts).await;
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
