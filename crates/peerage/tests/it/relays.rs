//! Relays: those of our hubs, those that strangers name, and hubs without room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libp2p::identity::Keypair;
use peerage::hub::{Hub, HubConfig};
use peerage::limits::MAX_BORROWED_RELAYS_PER_PEER;
use peerage::node::{Node, NodeConfig, RelayLimits, Services};
use peerage::routing::peer_suffix;
use peerage::{Multiaddr, PeerId, Protocol};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::soon;

/// How long it takes until a dial that nobody waits for has ended.
const GIVEN_UP: Duration = Duration::from_secs(9);

/// Longer than a relay may take to say who it is: whoever dials one again does
/// so by then.
const DIALLED_AGAIN: Duration = Duration::from_secs(11);

async fn hub() -> Hub {
    let text = "listen = ['127.0.0.1']
        metrics = 'off'
        ports = { peers = 0, websocket = 0, relay = 0, address_discovery = 0 }";
    let config: HubConfig = text.parse().unwrap();
    Hub::start(Keypair::generate_ed25519(), &config, None).await.unwrap()
}

async fn node(hubs: Vec<Multiaddr>, roaming: bool) -> Node {
    let key = Keypair::generate_ed25519();
    Node::spawn(NodeConfig { hubs, roaming, ..NodeConfig::new(key) }).await.unwrap()
}

/// A listener that counts who comes, and hangs up on them or says nothing.
async fn stranger(hangs_up: bool) -> (Multiaddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            if !hangs_up {
                held.push(socket);
            }
        }
    });
    (format!("/ip4/127.0.0.1/tcp/{port}/http/p2p-circuit").parse().unwrap(), came)
}

/// The relays of a node, once they are measured and it is at home.
async fn relays(node: &Node) -> (Vec<Multiaddr>, Multiaddr) {
    soon("a home", async {
        loop {
            let network = node.reach().await.network;
            if let Some(network) = network
                && let Some(home) = network.home
            {
                return (network.relays.into_iter().map(|(relay, _)| relay).collect(), home);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relays_of_a_stranger_are_neither_ours_nor_dialled_for_ever() {
    let hub = hub().await;
    let alice = node(hub.addresses(), true).await;
    let before = relays(&alice).await;
    let (rude, rude_came) = stranger(true).await;
    let (silent, silent_came) = stranger(false).await;
    let (extra, extra_came) = stranger(true).await;
    assert_eq!(MAX_BORROWED_RELAYS_PER_PEER, 2);
    let whom = PeerId::from(Keypair::generate_ed25519().public());
    let behind = [rude, silent, extra];
    let connect = alice.connect(whom, &behind);
    assert!(tokio::time::timeout(Duration::from_secs(1), connect).await.is_err());
    assert_eq!(relays(&alice).await, before);

    tokio::time::sleep(GIVEN_UP).await;
    let came = [&rude_came, &silent_came].map(|count| count.load(Ordering::Relaxed));
    assert!(came.iter().all(|count| *count > 0), "{came:?}");
    assert_eq!(extra_came.load(Ordering::Relaxed), 0, "one peer has so many relays");
    tokio::time::sleep(DIALLED_AGAIN).await;
    let later = [&rude_came, &silent_came].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(later, came, "nobody waits for that peer any more");
    assert_eq!(relays(&alice).await, before);
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_behind_another_hub_is_reached_over_its_relay() {
    let (ours, theirs) = (hub().await, hub().await);
    let alice = node(ours.addresses(), true).await;
    let bob = node(theirs.addresses(), true).await;
    let (before, (_, home)) = (relays(&alice).await, relays(&bob).await);
    let connection = soon("a connection", alice.connect(bob.peer_id(), &[home])).await.unwrap();
    assert_eq!(connection.peer, bob.peer_id());
    assert!(!connection.address.to_string().contains(".invalid"), "{}", connection.address);
    assert_eq!(relays(&alice).await, before);
    ours.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

/// A node that relays circuits for one peer, at an address that it names.
async fn hub_of_one_place() -> (Node, Multiaddr) {
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let place: Multiaddr =
        format!("/ip4/127.0.0.1/tcp/{}", free.local_addr().unwrap().port()).parse().unwrap();
    drop(free);
    let relay = RelayLimits { reservations: 1, ..RelayLimits::default() };
    let config = NodeConfig {
        listen: vec![place.clone()],
        announce: vec![place.clone()],
        services: Services { relay: Some(relay), dial_back: false },
        ..NodeConfig::new(Keypair::generate_ed25519())
    };
    let hub = Node::spawn(config).await.unwrap();
    let address = place.with(Protocol::P2p(hub.peer_id()));
    (hub, address)
}

/// Stands before a hub, and counts how often something comes from a peer.
async fn before(hub: &Multiaddr) -> (Multiaddr, Arc<AtomicUsize>) {
    let port = hub.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let (to, listener) = (port.unwrap(), TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
    let own = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let hub = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            tokio::spawn(pass_on(socket, hub, Arc::clone(&count)));
        }
    });
    let peer = peer_suffix(hub).unwrap();
    (format!("/ip4/127.0.0.1/tcp/{own}/p2p/{peer}").parse().unwrap(), came)
}

async fn pass_on(peer: TcpStream, hub: TcpStream, count: Arc<AtomicUsize>) {
    let ((mut from, mut back), (mut answers, mut to)) = (peer.into_split(), hub.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read) = from.read(&mut buffer).await
        && read > 0
        && to.write_all(&buffer[..read]).await.is_ok()
    {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_without_room_is_asked_ever_more_seldom() {
    let (hub, place) = hub_of_one_place().await;
    let alice = node(vec![place.clone()], false).await;
    soon("a place", async {
        while !alice.reach().await.hubs[0].reserved {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let (address, came) = before(&place).await;
    let bob = node(vec![address], false).await;
    soon("the hub", async {
        while bob.connection(&hub.peer_id()).is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let (begin, seconds) = (came.load(Ordering::Relaxed), 6);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let packets = came.load(Ordering::Relaxed) - begin;
    // Pings and a handful of tries; it was thousands a second.
    assert!((4..200).contains(&packets), "{packets} in {seconds} s");
    assert!(!bob.reach().await.hubs[0].reserved);

    alice.shutdown().await;
    soon("the place that was given up", async {
        while !bob.reach().await.hubs[0].reserved {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
