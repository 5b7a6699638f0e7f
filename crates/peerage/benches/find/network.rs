//! A network of many nodes in one process, and how long one of them takes to
//! find another by its id alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use libp2p::identity::Keypair;
use peerage::discovery::{Finding, Key, Presence, SignedPeerRecord, Way};
use peerage::node::{Node, NodeConfig};
use peerage::topology::kademlia::{self, Kademlia, KademliaConfig, Mode};
use peerage::{Multiaddr, PeerId};

/// How many peers join, or announce themselves, at the same time.
const TOGETHER: usize = 32;

/// How many peers are boot nodes.
const HUBS: usize = 20;

/// How often a peer tries to join, or to announce itself: a machine that runs
/// a thousand of them may keep some waiting for too long.
const TRIES: usize = 5;

/// How long connections are kept that nobody uses.
const IDLE: Duration = Duration::from_secs(30);

/// A peer, and its way of finding others.
pub(crate) struct Member {
    keypair: Keypair,
    addresses: Vec<Multiaddr>,
    kademlia: Kademlia,
    /// Keeps it alive.
    _node: Node,
}

impl Member {
    fn peer(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    async fn join(&self) -> Result<(), String> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = self.kademlia.bootstrap().await.map_err(|error| format!("joining: {error}"));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn announce(&self) -> Result<(), String> {
        let record = SignedPeerRecord::sign(&self.keypair, 1, self.addresses.clone());
        let record = record.map_err(|error| error.to_string())?;
        let presence = Presence { record, keys: Vec::new() };
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            let announced = self.kademlia.announce(&presence).await;
            outcome = announced.map(|_| ()).map_err(|error| format!("announcing: {error}"));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// Peers that have joined and announced themselves. Every second one only
/// asks, as behind a router that lets nobody in: it is in no routing table, and
/// can be found by its record alone.
pub(crate) struct Network {
    members: Vec<Member>,
}

impl Network {
    /// Makes a network of so many.
    pub(crate) async fn new(count: usize) -> Result<Self, String> {
        let boot = member(settings()).await?;
        let mut members = vec![boot];
        while members.len() < count {
            let mut joining = Vec::new();
            for number in members.len()..count.min(members.len() + TOGETHER) {
                let mode = if number % 2 == 0 { Mode::Server } else { Mode::Client };
                let config = KademliaConfig {
                    mode: Some(mode),
                    boot_nodes: boot_nodes(&members),
                    ..settings()
                };
                joining.push(member(config).await?);
            }
            futures::future::try_join_all(joining.iter().map(Member::join)).await?;
            members.extend(joining);
        }
        let announcing = futures::stream::iter(&members).map(Member::announce);
        announcing.buffer_unordered(TOGETHER).try_for_each(|()| async { Ok(()) }).await?;
        Ok(Self { members })
    }

    /// Looks peers up, one after another: how long each took until there was a
    /// signed address, or `None` where there never was one.
    pub(crate) async fn look_ups(&self, count: usize) -> Vec<Option<Duration>> {
        let mut times = Vec::new();
        for _ in 0..count {
            let (asking, wanted) = self.pair();
            times.push(time_to_find(asking, wanted).await);
        }
        times
    }

    /// Two different members.
    fn pair(&self) -> (&Member, &Member) {
        let count = self.members.len();
        let first = below(count);
        let second = (first + 1 + below(count - 1)) % count;
        (&self.members[first], &self.members[second])
    }
}

/// What all have in common: they refresh their routing tables when they join,
/// and not while look-ups are measured.
fn settings() -> KademliaConfig {
    KademliaConfig {
        bootstrap_interval: Duration::from_secs(3600),
        random_walk_interval: None,
        ..KademliaConfig::machine()
    }
}

/// Some of the first members that answer, as hubs would.
fn boot_nodes(members: &[Member]) -> Vec<(PeerId, Multiaddr)> {
    let answering: Vec<&Member> = members.iter().step_by(2).take(HUBS).collect();
    let chosen = (0..2).map(|_| answering[below(answering.len())]);
    chosen.map(|member| (member.peer(), member.addresses[0].clone())).collect()
}

async fn time_to_find(asking: &Member, wanted: &Member) -> Option<Duration> {
    let start = Instant::now();
    let key = Key::Peer(wanted.peer());
    let mut findings = asking.kademlia.look_up(&key);
    while let Some(found) = findings.next().await {
        if matches!(&found, Ok(Finding { record: Some(_), addresses, .. }) if *addresses == wanted.addresses)
        {
            return Some(start.elapsed());
        }
    }
    None
}

async fn member(kademlia: KademliaConfig) -> Result<Member, String> {
    let keypair = Keypair::generate_ed25519();
    let config = NodeConfig {
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().map_err(|_| "no address")?],
        idle_timeout: IDLE,
        ..NodeConfig::new(keypair.clone())
    };
    let (part, kademlia) = kademlia::part(config.peer_id(), kademlia);
    let node = Node::spawn_with(config, part).await.map_err(|error| error.to_string())?;
    Ok(Member { keypair, addresses: node.listen_addresses(), kademlia, _node: node })
}

fn below(count: usize) -> usize {
    usize::try_from(random() % u64::try_from(count).unwrap_or(1)).unwrap_or(0)
}

/// The next of a fixed sequence (SplitMix64).
fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut value = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
