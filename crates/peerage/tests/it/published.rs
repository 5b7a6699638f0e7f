//! What a session can be found under follows from what its store offers and
//! from what is being got, over a tracker on loopback.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use libp2p::PeerId;
use peerage::{
    data::{Cid, HashKind},
    discovery::{
        Finding, Key, Presence, Way, WayError, WayName,
        tracker::{Tracker, TrackerConfig, TrackerServer},
    },
    home::Home,
    import::{ImportOptions, Imported},
    limits::MAX_PUBLISHED_KEYS,
    link::Target,
    node::Node,
    presets,
    routing::PeerAddresses,
    session::{GetOptions, OpenError, Session, SessionOptions},
    store::{OwnerKind, Purpose, Store, StoreError},
};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::support::soon;

/// A tracker that says what it was told, once it has taken it.
struct Heard {
    tracker: Tracker,
    told: watch::Sender<Told>,
}

/// The keys that were announced last, and how often any were.
#[derive(Clone, Default)]
struct Told {
    keys: Vec<Key>,
    times: usize,
}

impl Way for Heard {
    fn name(&self) -> WayName {
        WayName::Tracker
    }

    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        let announce = async {
            let holds = self.tracker.announce(presence).await?;
            self.told.send_modify(|told| {
                told.keys.clone_from(&presence.keys);
                told.times += 1;
            });
            Ok(holds)
        };
        announce.boxed()
    }

    fn withdraw(&self) -> BoxFuture<'_, ()> {
        self.tracker.withdraw()
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        self.tracker.look_up(key)
    }
}

/// A tracker that everybody uses.
struct Hub {
    node: Node,
    _server: TrackerServer,
}

impl Hub {
    async fn start() -> Self {
        let node = Node::spawn(presets::loopback()).await.unwrap();
        let server = TrackerServer::start(&node, TrackerConfig::default()).unwrap();
        Self { node, _server: server }
    }

    fn place(&self) -> PeerAddresses {
        PeerAddresses { peer: self.node.peer_id(), addresses: self.node.listen_addresses() }
    }

    /// Who has something, in the tracker's word to a stranger.
    async fn providers(&self, root: Cid) -> Vec<PeerId> {
        let config = presets::loopback();
        let key = config.keypair.clone();
        let node = Node::spawn(config).await.unwrap();
        let tracker = Tracker::new(&node, &key, vec![self.place()]);
        let found = soon("an answer", tracker.look_up(&Key::Content(root)).collect::<Vec<_>>());
        let providers = found.await.into_iter().map(|finding| finding.unwrap().peer).collect();
        node.shutdown().await;
        providers
    }
}

/// A session on a home, and what its tracker was told.
struct Peer {
    session: Session,
    told: watch::Receiver<Told>,
}

impl Peer {
    async fn open(folder: &TempDir, hub: &Hub) -> Self {
        let home = Home::open(folder.path().join("home")).unwrap();
        let mut options = SessionOptions::new(presets::loopback());
        options.lan = false;
        let key = options.node.keypair.clone();
        let session = soon("a free store", open(&home, options)).await;
        let tracker = Tracker::new(session.node(), &key, vec![hub.place()]);
        let (told, heard) = watch::channel(Told::default());
        session.finder().add(Arc::new(Heard { tracker, told }));
        Self { session, told: heard }
    }

    fn id(&self) -> PeerId {
        self.session.node().peer_id()
    }

    /// Waits until the tracker was told of just these.
    async fn announced(&mut self, roots: &[Cid]) {
        let wanted: Vec<_> = roots.iter().copied().map(Key::Content).collect();
        let told = self.told.wait_for(|told| told.times > 0 && told.keys == wanted);
        soon("an announcement", told).await.unwrap();
    }

    async fn add(&self, folder: &TempDir, name: &str) -> Imported {
        let path = written(folder, name);
        let options = ImportOptions { metadata: false, ..ImportOptions::default() };
        self.session.add(vec![path], options, Arc::new(())).await.unwrap()
    }

    /// Gets a bare CID, and gives the file's content.
    async fn get(&self, folder: &TempDir, root: Cid) -> Vec<u8> {
        let (events, _) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let directory = folder.path().join("got");
        let target = Target::Cid(root);
        let getting = self.session.get(&target, directory, GetOptions::default(), events, stop);
        fs::read(soon("the content", getting).await.unwrap().path).unwrap()
    }
}

/// Opens a session, once the last streams of the one before have let its store
/// go.
async fn open(home: &Home, options: SessionOptions) -> Session {
    loop {
        match Session::open(home, options.clone()).await {
            Err(OpenError::Store(StoreError::InUse { .. })) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

/// A file whose content is its name.
fn written(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, name).unwrap();
    path
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_shared_or_added_before_is_found_again() {
    let (hub, anns, bobs) = (Hub::start().await, folder(), folder());
    let ann = Peer::open(&anns, &hub).await;
    let shared = vec![written(&anns, "shared")];
    let shared = ann.session.share(shared, ImportOptions::default(), Arc::new(())).await.unwrap();
    let (shared, added) = (shared.imported.root, ann.add(&anns, "added").await.root);
    ann.session.close().await;
    drop(ann);
    assert_eq!(hub.providers(added).await, [], "it has said goodbye");

    let mut ann = Peer::open(&anns, &hub).await;
    ann.announced(&[added, shared]).await;
    let bob = Peer::open(&bobs, &hub).await;
    assert_eq!(bob.get(&bobs, shared).await, b"shared");
    assert_eq!(bob.get(&bobs, added).await, b"added");
    bob.session.close().await;
    ann.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unshared_is_taken_back_once_nothing_else_is_the_same() {
    let (hub, anns) = (Hub::start().await, folder());
    let mut ann = Peer::open(&anns, &hub).await;
    let (one, same) = (ann.add(&anns, "picture").await, ann.add(&anns, "picture").await);
    let other = ann.add(&anns, "film").await;
    ann.announced(&[other.root, one.root]).await;

    ann.session.unshare(one.owner).await.unwrap();
    assert_eq!(ann.session.published(), [other.root, same.root].map(Key::Content));
    ann.session.unshare(same.owner).await.unwrap();
    ann.announced(&[other.root]).await;
    assert_eq!(hub.providers(one.root).await, []);
    assert_eq!(hub.providers(other.root).await, [ann.id()]);

    ann.session.unshare(other.owner).await.unwrap();
    ann.announced(&[]).await;
    assert_eq!(hub.providers(other.root).await, []);
    ann.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_got_is_announced_only_while_it_is() {
    let (hub, anns, bobs) = (Hub::start().await, folder(), folder());
    let (mut ann, mut bob) = (Peer::open(&anns, &hub).await, Peer::open(&bobs, &hub).await);
    bob.announced(&[]).await;
    let missing = peerage::data::hash(0x55, HashKind::default(), b"nobody has it");
    let (events, _) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let target = Target::Cid(missing);
    let getting = bob.session.get(
        &target,
        bobs.path().join("got"),
        GetOptions::default(),
        events,
        stop.clone(),
    );
    let wanted = async {
        let missing = Key::Content(missing);
        let told = bob.told.wait_for(|told| told.keys.contains(&missing));
        soon("an announcement", told).await.unwrap();
        assert_eq!(hub.providers(*target.cid()).await, [bob.session.node().peer_id()]);
        stop.cancel();
    };
    let (got, ()) = tokio::join!(getting, wanted);
    got.unwrap_err();
    bob.announced(&[]).await;
    assert_eq!(hub.providers(missing).await, []);

    let added = ann.add(&anns, "picture").await.root;
    ann.announced(&[added]).await;
    assert_eq!(bob.get(&bobs, added).await, b"picture");
    assert_eq!(bob.session.published(), [], "it has what it got, and does not say so");
    assert_eq!(bob.session.store().owners().len(), 1);
    bob.session.close().await;
    drop(bob);
    let bob = Peer::open(&bobs, &hub).await;
    assert_eq!(bob.session.published(), []);
    bob.session.close().await;
    ann.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_more_than_fits_the_newest_is_announced_and_all_at_once() {
    let (hub, anns) = (Hub::start().await, folder());
    let home = Home::open(anns.path().join("home")).unwrap();
    let root = |number: usize| {
        let bytes = number.to_le_bytes();
        peerage::data::hash(0x55, HashKind::default(), &bytes)
    };
    let many = MAX_PUBLISHED_KEYS + 100;
    let store = Store::open(&home.store()).unwrap();
    for number in 0..many {
        let owner = store.add_owner(OwnerKind::files(Purpose::Added, anns.path())).unwrap();
        store.set_root(owner, root(number)).unwrap();
    }
    drop(store);
    let mut ann = Peer::open(&anns, &hub).await;
    let newest: Vec<_> = (100..many).rev().map(root).collect();
    ann.announced(&newest).await;
    let times = ann.told.borrow().times;
    assert!(times < 10, "{times} announcements for one opening");
    assert_eq!(hub.providers(newest[0]).await, [ann.id()]);
    ann.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adding_does_not_wait_for_a_hub_as_a_link_does() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let hub = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{}", PeerId::random()).parse().unwrap();
    let anns = folder();
    let home = Home::open(anns.path().join("home")).unwrap();
    let mut options = SessionOptions::new(presets::loopback());
    (options.lan, options.node.hubs) = (false, vec![hub]);
    let session = Session::open(&home, options).await.unwrap();
    let paths = ["a", "b", "c"].map(|name| written(&anns, name));
    let adding = async {
        for path in paths {
            session.add(vec![path], ImportOptions::default(), Arc::new(())).await.unwrap();
        }
    };
    tokio::select! {
        () = adding => {}
        reached = session.node().until_reached(Duration::from_secs(5)) => {
            panic!("it took as long as a link waits for a hub ({reached})")
        }
    }
    assert_eq!(session.published().len(), 3);
    session.close().await;
}
