//! Blocks by their CID, between two sessions.

use std::time::Duration;

use bytes::Bytes;
use peerage::{
    home::Home,
    presets,
    session::{BlockError, Session, SessionOptions},
    store::{OwnerId, OwnerKind, StoreError},
};
use peerage_core::data::{Block, Cid, HashKind, codec, view::View};
use tempfile::TempDir;

use crate::support::{
    blocks::{Files, write},
    kubo::Kubo,
};

/// Far longer than anything here takes.
const ENOUGH: Duration = Duration::from_secs(60);

async fn peer() -> (Session, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path().join("home")).unwrap();
    let mut options = SessionOptions::new(presets::loopback());
    options.lan = false;
    (Session::open(&home, options).await.unwrap(), folder)
}

async fn connect(from: &Session, to: &Session) {
    let node = to.node();
    from.node().connect(node.peer_id(), &node.listen_addresses()).await.unwrap();
}

/// A block that is no file: the map `{"dawn": 1}`.
fn record() -> Block {
    let data = Bytes::from_static(&[0xa1, 0x64, b'd', b'a', b'w', b'n', 0x01]);
    Block::new(codec::DAG_CBOR, HashKind::Sha2_256, data)
}

fn database(session: &Session) -> OwnerId {
    session.store().add_owner(OwnerKind::database("records")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_comes_from_a_peer_and_stays_with_its_owner_alone() {
    let ((alice, _a), (bob, _b)) = (peer().await, peer().await);
    let block = record();
    alice.store().put(database(&alice), std::slice::from_ref(&block)).unwrap();
    connect(&bob, &alice).await;

    assert_eq!(bob.block(block.cid(), None, ENOUGH).await.unwrap(), block);
    assert!(!bob.store().has(block.cid()).unwrap());

    let owner = database(&bob);
    assert_eq!(bob.block(block.cid(), Some(owner), ENOUGH).await.unwrap(), block);
    assert_eq!(bob.store().owners_of(block.cid()).unwrap(), [owner]);
    alice.close().await;
    assert_eq!(bob.block(block.cid(), None, ENOUGH).await.unwrap(), block);
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_is_an_error_in_time() {
    let ((alice, _a), (bob, _b)) = (peer().await, peer().await);
    connect(&bob, &alice).await;
    let block = record();
    let hurried = bob.block(block.cid(), None, Duration::ZERO).await;
    assert!(matches!(hurried, Err(BlockError::TooLate { .. })), "{hurried:?}");
    let missing = bob.block(block.cid(), None, ENOUGH).await;
    assert!(matches!(missing, Err(BlockError::NotFound { asked: 1, .. })), "{missing:?}");
    let never = OwnerId::from_number(77);
    let refused = bob.block(block.cid(), Some(never), ENOUGH).await;
    assert!(matches!(refused, Err(BlockError::Store(StoreError::NoSuchOwner { .. }))));
    alice.close().await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_comes_from_kubo() {
    let Some(mut kubo) = Kubo::start("a block comes from Kubo").await else { return };
    let (bob, _b) = peer().await;
    let folder = kubo.folder().join("folder");
    write(&Files::from([("dawn".to_owned(), Bytes::from_static(b"dawn"))]), &folder);
    let root: Cid = kubo.add(&folder).await.parse().unwrap();
    bob.node().connect(kubo.peer, &kubo.addresses).await.unwrap();
    // The folder's node alone: no file of it comes along.
    let block = bob.block(&root, Some(database(&bob)), ENOUGH).await.unwrap();
    let view = View::of(&root, block.data()).unwrap();
    let View::Directory { entries, .. } = view else { panic!("{view:?}") };
    assert_eq!(entries[0].name.as_ref(), b"dawn");
    assert!(bob.store().has(&root).unwrap());
    assert!(!bob.store().has(&entries[0].cid).unwrap());
    bob.close().await;
}
