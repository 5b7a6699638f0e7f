//! Kubo gets from us, and we from it, by bitswap.

use std::sync::Arc;

use bytes::Bytes;
use peerage::{exchange::bitswap::Bitswap, node::Node, presets};
use peerage_core::data::{Cid, Profile};

use crate::support::{
    blocks::{Files, Shelf, assert_same, fetch, noise, read, sample, write},
    kubo::Kubo,
    tcp_address,
};

async fn host() -> (Node, Arc<Shelf>, Bitswap) {
    let node = Node::spawn(presets::loopback()).await.unwrap();
    let shelf = Arc::new(Shelf::default());
    let bitswap = Bitswap::start(&node, Some(shelf.clone().into())).unwrap();
    (node, shelf, bitswap)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubo_gets_a_file_and_a_large_folder_of_ours() {
    let Some(mut kubo) = Kubo::start("Kubo gets from us").await else { return };
    let (node, shelf, bitswap) = host().await;
    let file = noise(1, 6 * 1024 * 1024 + 5);
    let folder = sample(5500);
    let file_root = shelf.add_file(&file, &Profile::default()).cid;
    let folder_root = shelf.add_folder(&folder, &Profile::default()).cid;
    kubo.connect(&tcp_address(&node)).await;
    let got = kubo.get(&file_root.to_string()).await;
    assert_same(&read(&got), &Files::from([(String::new(), file)]));
    let got = kubo.get(&folder_root.to_string()).await;
    assert_same(&read(&got), &folder);
    let all: usize = shelf.blocks().values().map(Bytes::len).sum();
    assert!(bitswap.bytes_sent() >= all as u64, "all of it came by bitswap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_get_what_kubo_added() {
    let Some(mut kubo) = Kubo::start("we get from Kubo").await else { return };
    let (node, _, bitswap) = host().await;
    let (folder, file) = (sample(300), noise(2, 7 * 1024 * 1024 + 3));
    write(&folder, &kubo.folder().join("folder"));
    write(&Files::from([("file".to_owned(), file.clone())]), kubo.folder());
    let mut roots = Vec::new();
    for name in ["file", "folder"] {
        let path = kubo.folder().join(name);
        roots.push(kubo.add(&path).await);
    }
    node.connect(kubo.peer, &kubo.addresses).await.unwrap();
    let session = bitswap.session(&[kubo.peer]).unwrap();
    for (root, expected) in roots.iter().zip([Files::from([(String::new(), file)]), folder]) {
        assert!(root.starts_with("Qm"), "{root} is of Kubo's old profile");
        let root: Cid = root.parse().unwrap();
        assert_same(&fetch(&session, root).await.read(&root), &expected);
        // The same profile of ours gives the same name.
        let ours = Shelf::default();
        let ours = match expected.get("") {
            Some(file) => ours.add_file(file, &Profile::UNIXFS_V0),
            None => ours.add_folder(&expected, &Profile::UNIXFS_V0),
        };
        assert_eq!(ours.cid, root);
    }
}
