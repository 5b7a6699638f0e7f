//! Finding peers, content and topics by Kademlia, and what a hostile peer can
//! do to it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{StreamExt as _, future::join_all};
use libp2p::identity::Keypair;
use peerage::discovery::{Finding, Key, Presence, SignedPeerRecord, Topic, Way, WayError};
use peerage::node::{Node, NodeConfig};
use peerage::topology::kademlia::{self, Kademlia, KademliaConfig, KademliaError, Mode};
use peerage::{Multiaddr, PeerId};
use peerage_core::data::{HashKind, codec, hash};

use crate::support::{soon, tcp_address};

/// How long to wait before a condition is looked at again.
const MOMENT: Duration = Duration::from_millis(20);

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(MOMENT).await;
        }
    };
    soon(what, waiting).await;
}

/// A node that takes part in the network.
struct Member {
    node: Node,
    kademlia: Kademlia,
}

impl std::ops::Deref for Member {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// A node on loopback, by TCP.
async fn node(kademlia: KademliaConfig) -> Member {
    newcomer(kademlia).await.1
}

/// A node with its key.
async fn newcomer(kademlia: KademliaConfig) -> (Keypair, Member) {
    let keypair = Keypair::generate_ed25519();
    let address = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
    (keypair.clone(), member(keypair, address, kademlia).await)
}

async fn member(keypair: Keypair, address: Multiaddr, config: KademliaConfig) -> Member {
    let node = NodeConfig { listen: vec![address], ..NodeConfig::new(keypair) };
    let (part, kademlia) = kademlia::part(node.peer_id(), config);
    Member { node: Node::spawn_with(node, part).await.unwrap(), kademlia }
}

fn of(member: &Member) -> Kademlia {
    member.kademlia.clone()
}

/// Settings of a node that knows another one.
fn beside(boot: &Node) -> KademliaConfig {
    let mut config = KademliaConfig::machine();
    assert!(config.add_boot_node(&tcp_address(boot)));
    config
}

/// So many nodes that have found each other.
async fn network(count: usize) -> Vec<Member> {
    let boot = node(KademliaConfig::machine()).await;
    let others = join_all((1..count).map(|_| node(beside(&boot)))).await;
    let nodes: Vec<Member> = std::iter::once(boot).chain(others).collect();
    for node in &nodes {
        until("everybody in the routing table", async || size(node).await == count - 1).await;
    }
    nodes
}

async fn size(member: &Member) -> usize {
    of(member).table().await.unwrap().len()
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// What a node says of itself; its key must be at hand.
fn presence(keypair: &Keypair, addresses: Vec<Multiaddr>, keys: Vec<Key>) -> Presence {
    Presence { record: SignedPeerRecord::sign(keypair, now(), addresses).unwrap(), keys }
}

async fn found(kademlia: &Kademlia, key: &Key) -> Vec<Finding> {
    let findings = kademlia.look_up(key).filter_map(async |found| found.ok());
    soon("the look-up's end", findings.collect()).await
}

/// Waits until a look-up finds the signed records of all these peers: peers
/// that are told of a provider do not answer that they have noted it.
async fn found_signed(kademlia: &Kademlia, key: &Key, wanted: &[PeerId]) -> Vec<Finding> {
    let mut findings = Vec::new();
    until("the signed records of all providers", async || {
        findings = found(kademlia, key).await;
        let signed =
            |peer: &PeerId| findings.iter().any(|one| one.peer == *peer && one.record.is_some());
        wanted.iter().all(signed)
    })
    .await;
    findings
}

fn content(text: &str) -> Key {
    Key::Content(hash(codec::RAW, HashKind::Sha2_256, text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_found_by_its_id_alone() {
    let nodes = network(7).await;
    let (keypair, hidden) = newcomer(KademliaConfig {
        // Nobody has it in a routing table: its record alone tells where it is.
        mode: Some(Mode::Client),
        ..beside(&nodes[0])
    })
    .await;
    of(&hidden).bootstrap().await.unwrap();
    let presence = presence(&keypair, hidden.listen_addresses(), Vec::new());
    let lifetime = of(&hidden).announce(&presence).await.unwrap();
    assert!(lifetime > Duration::from_secs(3600));

    let asking = &nodes[5];
    let key = Key::Peer(hidden.peer_id());
    let findings = found(&of(asking), &key).await;
    let signed = findings.iter().find(|finding| finding.record.is_some()).unwrap();
    assert_eq!(signed.record.as_ref(), Some(&presence.record));
    assert_eq!(signed.addresses, hidden.listen_addresses());
    asking.connect(hidden.peer_id(), &signed.addresses).await.unwrap();
    asking.ping(hidden.peer_id()).await.unwrap();
    assert_eq!(of(asking).get(hidden.peer_id()).await.unwrap().as_ref(), Some(&presence.record));

    // One that is in routing tables is found without a record too.
    let findings = found(&of(asking), &Key::Peer(nodes[3].peer_id())).await;
    assert!(findings.iter().all(|finding| finding.record.is_none()));
    assert_eq!(findings[0].addresses, nodes[3].listen_addresses());

    // And of one that never was, nothing.
    assert!(found(&of(asking), &Key::Peer(PeerId::random())).await.is_empty());

    for node in &nodes {
        let inside = of(node).table().await.unwrap();
        assert!(inside.peers().all(|peer| peer.peer != hidden.peer_id()), "a client is no part");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_of_content_and_of_a_topic_are_found() {
    let nodes = network(6).await;
    let topic = Key::Topic(Topic::new("lisbon street art").unwrap());
    let keys = vec![content("a picture"), topic];
    let hosts = [newcomer(beside(&nodes[0])).await, {
        let client = KademliaConfig { mode: Some(Mode::Client), ..beside(&nodes[0]) };
        newcomer(client).await
    }];
    for (keypair, host) in &hosts {
        of(host).bootstrap().await.unwrap();
        let presence = presence(keypair, host.listen_addresses(), keys.clone());
        of(host).announce(&presence).await.unwrap();
    }
    let wanted = hosts.each_ref().map(|(_, host)| host.peer_id());
    for key in &keys {
        let findings = found_signed(&of(&nodes[4]), key, &wanted).await;
        for (_, host) in &hosts {
            let mut mine = findings.iter().filter(|found| found.peer == host.peer_id());
            assert!(mine.all(|found| found.addresses == host.listen_addresses()));
        }
        assert!(findings.iter().all(|f| hosts.iter().any(|(_, host)| host.peer_id() == f.peer)));
    }
    assert!(found(&of(&nodes[4]), &content("another")).await.is_empty());
    let closest = of(&nodes[4]).closest(&keys[0]).await.unwrap();
    assert_eq!(closest.len(), 6, "all that answer: {closest:?}");
}

#[tokio::test]
async fn without_anybody_to_ask_it_says_so() {
    let alone = node(KademliaConfig::machine()).await;
    let kademlia = of(&alone);
    let answers: Vec<_> = kademlia.look_up(&content("a")).collect().await;
    assert!(matches!(answers[..], [Err(WayError::Unavailable(_))]), "{answers:?}");
    assert_eq!(kademlia.bootstrap().await, Err(KademliaError::Nobody));
    assert_eq!(kademlia.provide(&content("a")).await, Err(KademliaError::Nobody));
    alone.shutdown().await;
    let stopped = kademlia.table().await.unwrap_err();
    assert!(stopped.to_string().contains("stopped"), "{stopped}");
    assert_eq!(
        kademlia.look_up(&content("a")).collect::<Vec<_>>().await,
        [Err(WayError::from(stopped))]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_boot_node_that_comes_late_is_met() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let keypair = Keypair::generate_ed25519();
    let mut early = KademliaConfig::machine();
    early.boot_nodes.push((keypair.public().to_peer_id(), address.clone()));
    let early = node(early).await;
    assert!(of(&early).bootstrap().await.is_err());
    let late = member(keypair, address, KademliaConfig::machine()).await;
    until("the early one at the late one", async || size(&late).await == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_only_asks_until_it_is_known_to_be_reachable() {
    let boot = node(KademliaConfig::machine()).await;
    let unsure = node(KademliaConfig { mode: None, ..beside(&boot) }).await;
    of(&unsure).bootstrap().await.unwrap();
    assert_eq!(of(&unsure).table().await.unwrap().mode, Mode::Client);
    assert_eq!(of(&boot).table().await.unwrap().mode, Mode::Server);
    assert_eq!(size(&boot).await, 0);
}

mod hostile;
mod kubo;
mod speed;
