//! From one home to others, one of which may read.

use std::{fs, path::Path, sync::Arc};

use peerage::{
    access::Requester,
    exchange::{
        bitswap::Bitswap,
        download::{GetError, Got},
        serving::{Exchange, Served, ServingEvent},
    },
    home::Home,
    import::ImportOptions,
    link::Target,
    node::Node,
    presets,
    session::{GetOptions, Session, SessionOptions, Share},
};
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::support::Rights;
use crate::support::{
    blocks::{fetch, noise},
    soon,
};

struct Peer {
    session: Session,
    rights: Rights,
    folder: TempDir,
}

impl Peer {
    async fn new() -> Self {
        let (folder, rights) = (tempfile::tempdir().unwrap(), Rights::default());
        let home = Home::open(folder.path().join("home")).unwrap();
        let mut options = SessionOptions::new(presets::loopback());
        options.lan = false;
        options.policy = Arc::new(rights.clone());
        let session = Session::open(&home, options).await.unwrap();
        Self { session, rights, folder }
    }

    fn requester(&self) -> Requester {
        Requester::Peer(self.session.node().peer_id())
    }

    async fn share(&self, path: &Path) -> Share {
        let options = ImportOptions::default();
        self.session.share(vec![path.to_path_buf()], options, Arc::new(())).await.unwrap()
    }

    async fn get(&self, share: &Share) -> Result<Got, GetError> {
        let target: Target = share.link.to_string().parse().unwrap();
        let (events, mut taken) = mpsc::channel(16);
        let listening = tokio::spawn(async move { while taken.recv().await.is_some() {} });
        let output = self.folder.path().join("got");
        let options = GetOptions::default();
        let stop = CancellationToken::new();
        let got = soon("the get", self.session.get(&target, output, options, events, stop)).await;
        listening.await.unwrap();
        got
    }
}

async fn served(events: &mut broadcast::Receiver<ServingEvent>) -> Served {
    match soon("word of what was served", events.recv()).await.unwrap() {
        ServingEvent::Served(served) => served,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_gets_it_and_who_may_not_finds_nothing() {
    let (alice, bob, carol) = (Peer::new().await, Peer::new().await, Peer::new().await);
    let file = alice.folder.path().join("film");
    fs::write(&file, noise(1, 3 << 20)).unwrap();
    let share = alice.share(&file).await;
    alice.rights.allow(bob.requester(), share.imported.owner);
    let mut events = alice.session.events();
    let got = bob.get(&share).await.unwrap();
    assert!(fs::read(&got.path).unwrap() == fs::read(&file).unwrap());
    let told = served(&mut events).await;
    assert_eq!((told.requester, told.exchange), (bob.requester(), Exchange::Gateway));
    let refused = carol.get(&share).await;
    assert!(matches!(refused, Err(GetError::NotFound { .. })), "{refused:?}");
    // What bob has got is his: alice's policy says nothing of it, and his own
    // lets nobody read.
    assert!(bob.session.store().has(&share.imported.root).unwrap());
    let read = bob.session.blocks().get(&carol.requester(), &share.imported.root);
    assert_eq!(read.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_bitswap_serves_is_told_beside_what_the_gateway_does() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.folder.path().join("film");
    fs::write(&file, noise(1, 3 << 20)).unwrap();
    let share = alice.share(&file).await;
    let (root, owner) = (share.imported.root, share.imported.owner);
    let mut events = alice.session.events();
    alice.rights.allow(bob.requester(), owner);
    bob.get(&share).await.unwrap();

    let node = Node::spawn(presets::loopback()).await.unwrap();
    let alices = alice.session.node();
    node.add_addresses(alices.peer_id(), &alices.listen_addresses());
    alice.rights.allow(Requester::Peer(node.peer_id()), owner);
    let session = Bitswap::start(&node, None).unwrap().session(&[alices.peer_id()]).unwrap();
    let got = fetch(&session, root).await;
    let (mut by_gateway, mut by_bitswap, mut told_of_bitswap) = (0, 0, 0);
    while by_bitswap < got.blocks().values().map(|data| data.len() as u64).sum() {
        let told = served(&mut events).await;
        assert!(told.complete, "{told:?}");
        if told.exchange == Exchange::Gateway {
            assert_eq!(told.requester, bob.requester());
            by_gateway += told.bytes;
        } else {
            assert_eq!(told.requester, Requester::Peer(node.peer_id()));
            assert_eq!(told.exchange, Exchange::Bitswap);
            (by_bitswap, told_of_bitswap) = (by_bitswap + told.bytes, told_of_bitswap + 1);
        }
    }
    assert!(by_gateway >= 3 << 20 && told_of_bitswap < got.blocks().len(), "not one a block");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_got_by_bitswap_right_after_something_else_is_told_by_its_own_root() {
    let alice = Peer::new().await;
    let node = Node::spawn(presets::loopback()).await.unwrap();
    let alices = alice.session.node();
    node.add_addresses(alices.peer_id(), &alices.listen_addresses());
    let bitswap = Bitswap::start(&node, None).unwrap();
    let mut events = alice.session.events();
    let mut sizes = Vec::new();
    for name in ["film", "song"] {
        let file = alice.folder.path().join(name);
        fs::write(&file, noise(name.len() as u64 + sizes.len() as u64, 3 << 20)).unwrap();
        let share = alice.share(&file).await;
        alice.rights.allow(Requester::Peer(node.peer_id()), share.imported.owner);
        let session = bitswap.session(&[alices.peer_id()]).unwrap();
        let got = fetch(&session, share.imported.root).await;
        let bytes: u64 = got.blocks().values().map(|data| data.len() as u64).sum();
        sizes.push((share.imported.root, bytes));
    }
    let mut told: Vec<(_, u64)> = Vec::new();
    while told.iter().map(|(_, bytes)| bytes).sum::<u64>() < sizes.iter().map(|one| one.1).sum() {
        let Served { cid, bytes, .. } = served(&mut events).await;
        match told.last_mut() {
            Some((last, sum)) if *last == cid => *sum += bytes,
            _ => told.push((cid, bytes)),
        }
    }
    assert_eq!(told, sizes);
}
