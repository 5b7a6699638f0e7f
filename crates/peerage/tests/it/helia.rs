//! Helia gets from us, and we from it, by bitswap; and it gives things the
//! same names.

use std::sync::Arc;

use peerage::{Multiaddr, PeerId, exchange::bitswap::Bitswap, node::Node, presets};
use peerage_core::data::{Cid, Profile};
use serde_json::json;

use crate::support::{
    blocks::{Files, Shelf, assert_same, fetch, noise, read, sample, write},
    js::{self, Script},
    tcp_address,
};

/// Long names, so that not many are needed for a folder in shards.
fn folder() -> Files {
    let mut files = sample(100);
    for number in 0..1500 {
        let name = format!("sharded/{number:05} {}", "long".repeat(45));
        files.insert(name, noise(number % 97, 50));
    }
    files
}

struct Helia {
    script: Script,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
}

impl Helia {
    async fn start(test: &str) -> Option<Self> {
        let mut script = Script::start(js::home(test)?, "helia.mjs", &[]);
        let line = script.event("listening").await;
        let addresses = line["addresses"].as_array().unwrap().iter();
        let addresses = addresses.map(|address| address.as_str().unwrap().parse().unwrap());
        let peer = line["peer"].as_str().unwrap().parse().unwrap();
        Some(Self { script, peer, addresses: addresses.collect() })
    }

    async fn ask(&mut self, command: serde_json::Value, event: &str) -> serde_json::Value {
        self.script.tell(&command).await;
        self.script.event(event).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn helia_gets_our_folder() {
    let Some(mut helia) = Helia::start("Helia gets from us").await else { return };
    let node = Node::spawn(presets::loopback()).await.unwrap();
    let shelf = Arc::new(Shelf::default());
    let bitswap = Bitswap::start(&node, Some(shelf.clone().into())).unwrap();
    let files = folder();
    let root = shelf.add_folder(&files, &Profile::default()).cid;
    let target = tempfile::tempdir().unwrap();
    let address = tcp_address(&node);
    helia.ask(json!(["connect", address]), "connected").await;
    helia.ask(json!(["get", root.to_string(), target.path()]), "got").await;
    assert_same(&read(target.path()), &files);
    assert!(bitswap.bytes_sent() > 0);
    helia.script.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_get_helias_folder_which_has_the_name_that_we_give_it() {
    let Some(mut helia) = Helia::start("we get from Helia").await else { return };
    let files = folder();
    let source = tempfile::tempdir().unwrap();
    write(&files, source.path());
    let added = helia.ask(json!(["add", source.path()]), "added").await;
    let root: Cid = added["cid"].as_str().unwrap().parse().unwrap();
    assert_eq!(Shelf::default().add_folder(&files, &Profile::default()).cid, root);
    let node = Node::spawn(presets::loopback()).await.unwrap();
    let bitswap = Bitswap::start(&node, None).unwrap();
    node.connect(helia.peer, &helia.addresses).await.unwrap();
    let got = fetch(&bitswap.session(&[helia.peer]).unwrap(), root).await;
    assert_same(&got.read(&root), &files);
    helia.script.finish().await;
}
