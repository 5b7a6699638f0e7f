//! Peers that forge, replay and talk nonsense: swarms of libp2p's own parts.

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::kad::store::{MemoryStore, RecordStore as _};
use libp2p::kad::{self, Quorum, Record, RecordKey};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Swarm, SwarmBuilder, identify, noise, tcp, yamux};
use peerage_core::topology::kademlia::record_key;

use super::*;

const PROTOCOL: peerage::StreamProtocol = peerage::StreamProtocol::new("/peerage/kad/1.0.0");

/// libp2p's Kademlia as it comes.
#[derive(NetworkBehaviour)]
struct Stock {
    identify: identify::Behaviour,
    kademlia: kad::Behaviour<MemoryStore>,
}

/// A peer of libp2p's own parts that knows a node, and answers.
async fn stock(keypair: Keypair, knows: &Node) -> Swarm<Stock> {
    let behaviour = |keypair: &Keypair| {
        let own = keypair.public().to_peer_id();
        let config = kad::Config::new(PROTOCOL);
        let mut kademlia = kad::Behaviour::with_config(own, MemoryStore::new(own), config);
        kademlia.set_mode(Some(kad::Mode::Server));
        let identify = identify::Config::new("ipfs/0.1.0".to_owned(), keypair.public());
        Stock { identify: identify::Behaviour::new(identify), kademlia }
    };
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    while !matches!(swarm.select_next_some().await, SwarmEvent::NewListenAddr { .. }) {}
    let address = knows.listen_addresses().remove(0);
    swarm.behaviour_mut().kademlia.add_address(&knows.peer_id(), address);
    swarm
}

/// Puts a record to a node, and waits until it was answered.
async fn put(swarm: &mut Swarm<Stock>, to: &Node, key: Vec<u8>, value: Vec<u8>) {
    let record = Record::new(RecordKey::from(key), value);
    let peers = std::iter::once(to.peer_id());
    let id = swarm.behaviour_mut().kademlia.put_record_to(record, peers, Quorum::One);
    let answered = async {
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(StockEvent::Kademlia(
                kad::Event::OutboundQueryProgressed { id: done, .. },
            )) = event
                && done == id
            {
                break;
            }
        }
    };
    soon("the record's arrival", answered).await;
}

/// Lets a swarm run until the test ends.
fn run(mut swarm: Swarm<Stock>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    })
}

fn signed(keypair: &Keypair, sequence: u64) -> SignedPeerRecord {
    let address = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    SignedPeerRecord::sign(keypair, sequence, vec![address]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_foreign_and_stale_records_are_refused() {
    let node = node(KademliaConfig::machine()).await;
    let (victim, liar) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    let key = record_key(&victim.public().to_peer_id());
    let mut swarm = stock(liar.clone(), &node).await;
    let (old, new) = (signed(&victim, 1), signed(&victim, 2));

    put(&mut swarm, &node, key.clone(), new.encode()).await;
    let kept = async || of(&node).table().await.unwrap().records;
    until("the good record", async || kept().await == 1).await;
    let mut forged = signed(&victim, 3).encode();
    *forged.last_mut().unwrap() ^= 1;
    put(&mut swarm, &node, key.clone(), forged).await;
    put(&mut swarm, &node, key.clone(), signed(&liar, 9).encode()).await;
    put(&mut swarm, &node, b"/pk/anything".to_vec(), new.encode()).await;
    put(&mut swarm, &node, key.clone(), old.encode()).await;
    until("four refusals", async || {
        let refused = of(&node).refused();
        refused.bad_records == 3 && refused.stale_records == 1
    })
    .await;
    assert_eq!(kept().await, 1);

    let running = run(swarm);
    let asking = super::node(beside(&node)).await;
    let found = of(&asking).get(victim.public().to_peer_id()).await.unwrap();
    assert_eq!(found, Some(new));
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_in_answer_to_a_look_up_is_not_believed() {
    let node = node(KademliaConfig::machine()).await;
    let (victim, liar) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    let peer = victim.public().to_peer_id();
    let mut swarm = stock(liar.clone(), &node).await;
    let lie = Record::new(RecordKey::from(record_key(&peer)), signed(&liar, 9).encode());
    swarm.behaviour_mut().kademlia.store_mut().put(lie).unwrap();
    swarm.behaviour_mut().kademlia.bootstrap().unwrap();
    let running = run(swarm);
    until("the liar in the routing table", async || size(&node).await == 1).await;
    assert_eq!(of(&node).get(peer).await.unwrap(), None);
    assert_eq!(of(&node).refused().bad_records, 1);
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_dialled_for_a_stranger_outside_the_network() {
    // This network is private: loopback is none of its business.
    let home = KademliaConfig { mode: Some(Mode::Server), ..KademliaConfig::default() };
    let node = node(home).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target: Multiaddr =
        format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let mut swarm = stock(Keypair::generate_ed25519(), &node).await;
    let invented = PeerId::random();
    let own = swarm.listeners().next().unwrap().iter().find_map(|part| match part {
        peerage::Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let own = own.unwrap();
    swarm.behaviour_mut().kademlia.add_address(&invented, target);
    // A private address in its list of own ones brings it into the table.
    swarm.add_external_address("/ip4/10.254.254.254/tcp/9".parse().unwrap());
    swarm.behaviour_mut().kademlia.bootstrap().unwrap();
    let running = run(swarm);
    until("the stranger in the routing table", async || size(&node).await == 1).await;
    of(&node).bootstrap().await.unwrap();
    let findings = found(&of(&node), &Key::Peer(invented)).await;
    assert!(findings.is_empty(), "{findings:?}");
    assert!(of(&node).refused().addresses > 0);
    // The stranger may dial it; from its own port, as libp2p does.
    while let Ok((_, from)) = listener.accept() {
        assert_eq!(from.port(), own, "the stranger made another dial");
    }
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_holds_nobody_up() {
    let nodes = network(3).await;
    // One that says it speaks Kademlia, and answers whatever with nonsense.
    let garbage = Node::spawn(NodeConfig {
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        ..NodeConfig::new(Keypair::generate_ed25519())
    })
    .await
    .unwrap();
    let mut asked = garbage.accept(PROTOCOL).unwrap();
    let answering = tokio::spawn(async move {
        let mut count = 0_u8;
        while let Some((_, mut stream)) = asked.next().await {
            let _ = stream.read(&mut [0; 64]).await;
            count = count.wrapping_add(1);
            // Bytes of no meaning, a length beyond all limits, and silence.
            let nonsense = [&[9, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7][..], &[0xff; 9], &[]];
            let _ = stream.write_all(nonsense[usize::from(count % 3)]).await;
            let _ = stream.close().await;
        }
    });
    garbage.connect(nodes[1].peer_id(), &nodes[1].listen_addresses()).await.unwrap();
    until("nonsense in the routing table", async || size(&nodes[1]).await == 3).await;
    let (keypair, peer) = newcomer(beside(&nodes[0])).await;
    of(&peer).bootstrap().await.unwrap();
    let announced = presence(&keypair, peer.listen_addresses(), vec![content("a")]);
    of(&peer).announce(&announced).await.unwrap();
    for key in [Key::Peer(peer.peer_id()), content("a")] {
        found_signed(&of(&nodes[1]), &key, &[peer.peer_id()]).await;
    }
    answering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_ends_its_look_up() {
    let node = node(KademliaConfig::machine()).await;
    // Somebody in the table who never answers.
    let silent = Node::spawn(NodeConfig {
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        ..NodeConfig::new(Keypair::generate_ed25519())
    })
    .await
    .unwrap();
    let _never_read = silent.accept(PROTOCOL).unwrap();
    silent.connect(node.peer_id(), &node.listen_addresses()).await.unwrap();
    until("the silent one in the routing table", async || size(&node).await == 1).await;
    // Far more look-ups than may run at once, each left alone after a moment.
    for _ in 0..3 * peerage::limits::MAX_KADEMLIA_LOOK_UPS {
        until("room for one more look-up", async || {
            let kademlia = of(&node);
            let mut answers = kademlia.look_up(&content("a"));
            let early = tokio::time::timeout(Duration::from_millis(1), answers.next()).await;
            !matches!(early, Ok(Some(Err(error))) if error.to_string().contains("too many"))
        })
        .await;
    }
}
