//! Kubo and we find each other, by the Kademlia of IPFS's local networks.

use std::sync::Arc;

use peerage::exchange::bitswap::Bitswap;
use peerage::topology::kademlia::AddressScope;
use peerage_core::data::{Cid, Profile};

use super::*;
use crate::support::{
    blocks::{Files, Shelf, assert_same, noise, read},
    kubo::Kubo,
};

/// IPFS's network, on this machine.
fn ipfs() -> KademliaConfig {
    KademliaConfig {
        scope: AddressScope::Machine,
        mode: Some(Mode::Server),
        ..KademliaConfig::ipfs_lan()
    }
}

fn beside_ipfs(boot: &Node) -> KademliaConfig {
    let mut config = ipfs();
    assert!(config.add_boot_node(&tcp_address(boot)));
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubo_and_we_find_each_other() {
    let test = "Kubo's Kademlia";
    let Some(mut kubo) = Kubo::start_routing(test, "dhtserver").await else { return };
    let middle = node(ipfs()).await;
    // All three meet in the middle, and only there.
    kubo.connect(&tcp_address(&middle)).await;
    until("Kubo in the routing table", async || size(&middle).await == 1).await;

    // It provides, we find it; and it by its id alone.
    let path = kubo.folder().join("file");
    std::fs::write(&path, noise(1, 10_000)).unwrap();
    let root: Cid = kubo.add(&path).await.parse().unwrap();
    let asking = node(beside_ipfs(&middle)).await;
    until("Kubo as a provider", async || {
        let found = found(&of(&asking), &Key::Content(root)).await;
        found.iter().any(|finding| {
            finding.peer == kubo.peer
                && kubo.addresses.iter().all(|address| finding.addresses.contains(address))
        })
    })
    .await;
    let by_id = found(&of(&asking), &Key::Peer(kubo.peer)).await;
    assert!(by_id.iter().any(|finding| finding.addresses == kubo.addresses), "{by_id:?}");
    asking.connect(kubo.peer, &by_id[0].addresses).await.unwrap();

    // It finds one that answers by its id, and what one provides that only
    // asks, whom nobody meets on the way to another.
    let other = node(beside_ipfs(&middle)).await;
    until("the other in the routing table", async || size(&middle).await == 3).await;
    // More than once if need be: one of six times or so its first answer is empty.
    let mut finding = Vec::new();
    for _ in 0..10 {
        finding = kubo.find(other.peer_id()).await;
        if !finding.is_empty() {
            break;
        }
    }
    assert_eq!(finding, other.listen_addresses());
    let client = KademliaConfig { mode: Some(Mode::Client), ..beside_ipfs(&middle) };
    let (keypair, host) = newcomer(client).await;
    let shelf = Arc::new(Shelf::default());
    let _bitswap = Bitswap::start(&host, Some(shelf.clone().into())).unwrap();
    let file = noise(2, 300_000);
    let root = shelf.add_file(&file, &Profile::default()).cid;
    of(&host).bootstrap().await.unwrap();
    host.disconnect(kubo.peer).await;
    let presence = presence(&keypair, host.listen_addresses(), vec![Key::Content(root)]);
    of(&host).announce(&presence).await.unwrap();
    host.disconnect(kubo.peer).await;
    let got = kubo.get(&root.to_string()).await;
    assert_same(&read(&got), &Files::from([(String::new(), file)]));

    // And we find that one by its id, though no table has it: it provides itself.
    let by_id = found(&of(&asking), &Key::Peer(host.peer_id())).await;
    assert!(by_id.iter().any(|finding| finding.addresses == host.listen_addresses()));
}
