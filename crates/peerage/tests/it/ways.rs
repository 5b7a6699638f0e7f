//! A session that finds peers by a way of its own, and is found by it.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use libp2p::PeerId;
use peerage::{
    discovery::{Answer, Finding, Key, Presence, Way, WayError, WayName},
    home::Home,
    import::ImportOptions,
    link::{Link, Provider, Target},
    presets,
    session::{GetOptions, Session, SessionOptions},
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::soon;

/// What everybody has announced.
type Board = Arc<Mutex<BTreeMap<PeerId, Presence>>>;

/// A tracker in memory, as one peer sees it.
struct OnBoard {
    own: Mutex<Option<PeerId>>,
    board: Board,
}

impl Way for OnBoard {
    fn name(&self) -> WayName {
        WayName::Tracker
    }

    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        let own = presence.record.peer();
        *self.own.lock().unwrap() = Some(own);
        self.board.lock().unwrap().insert(own, presence.clone());
        std::future::ready(Ok(Duration::from_secs(3600))).boxed()
    }

    fn withdraw(&self) -> BoxFuture<'_, ()> {
        if let Some(own) = *self.own.lock().unwrap() {
            self.board.lock().unwrap().remove(&own);
        }
        std::future::ready(()).boxed()
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        let board = self.board.lock().unwrap();
        let wanted = board.iter().filter(|(peer, presence)| match key {
            Key::Peer(wanted) => *peer == wanted,
            other => presence.keys.contains(other),
        });
        let finding = |(peer, presence): (&PeerId, &Presence)| {
            let record = presence.record.clone();
            Ok(Finding {
                peer: *peer,
                addresses: record.addresses().to_vec(),
                record: Some(record),
            })
        };
        stream::iter(wanted.map(finding).collect::<Vec<_>>()).boxed()
    }
}

async fn session(board: &Board) -> (Session, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path().join("home")).unwrap();
    let mut options = SessionOptions::new(presets::loopback());
    options.lan = false;
    options.ways = vec![Arc::new(OnBoard { own: Mutex::default(), board: Arc::clone(board) })];
    (Session::open(&home, options).await.unwrap(), folder)
}

async fn get(session: &Session, folder: &TempDir, target: Target) {
    let (events, _) = mpsc::channel(1);
    let directory = folder.path().join("got");
    let (options, stop) = (GetOptions::default(), CancellationToken::new());
    let getting = session.get(&target, directory, options, events, stop);
    soon("what was shared", getting).await.unwrap();
}

#[tokio::test]
async fn a_session_is_found_by_content_and_by_its_id_until_it_closes() {
    let board = Board::default();
    let ((ann, shelf), (bob, bobs)) = (session(&board).await, session(&board).await);
    let (picture, film) = (shelf.path().join("picture.jpg"), shelf.path().join("film.bin"));
    fs::write(&picture, b"a picture").unwrap();
    fs::write(&film, b"a film").unwrap();
    let picture = ann.share(vec![picture], ImportOptions::default(), Arc::new(())).await.unwrap();
    let film = ann.share(vec![film], ImportOptions::default(), Arc::new(())).await.unwrap();

    let peer = ann.node().peer_id();
    let announced = async {
        while board.lock().unwrap().get(&peer).is_none_or(|presence| presence.keys.len() < 2) {
            tokio::task::yield_now().await;
        }
    };
    soon("what is shared to be announced", announced).await;
    let known = soon("the peer", bob.finder().find_peer(peer)).await.unwrap();
    let mut listening = ann.node().listen_addresses();
    listening.retain(|address| known.contains(address));
    assert!(!listening.is_empty(), "{known:?}");

    get(&bob, &bobs, Target::Cid(picture.imported.root)).await;
    assert_eq!(
        fs::read(bobs.path().join("got").join(picture.imported.root.to_string())).unwrap(),
        b"a picture"
    );

    let (carol, carols) = session(&board).await;
    let nowhere = vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()];
    let provider = Provider::new(peer, nowhere).unwrap();
    let old = Link::new(film.imported.root).unwrap().with_provider(provider).unwrap();
    get(&carol, &carols, Target::Link(old)).await;

    ann.close().await;
    assert!(!board.lock().unwrap().contains_key(&peer), "it has said goodbye");
    let answers: Vec<_> = bob.finder().look_up(&Key::Peer(peer)).collect().await;
    assert!(!answers.iter().any(|answer| matches!(answer, Answer::Found(_))), "{answers:?}");
    bob.close().await;
    carol.close().await;
}
