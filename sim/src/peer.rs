//! One peer: the behaviour that a node runs, in a swarm of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::{self, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, identity::Keypair};
use peerage::discovery::{Finding, Key, Presence, SignedPeerRecord, Way};
use peerage::node::Part as _;
use peerage::topology::kademlia::{Behaviour, Kademlia, KademliaConfig};
use peerage_core::routing::keep::Backoff;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::chance;
use crate::host::{self, Host, Network};
use crate::wire::Wire;

/// How long connections are kept that nobody uses, as a node does.
const IDLE: Duration = Duration::from_secs(60);

#[derive(NetworkBehaviour)]
struct Protocols {
    identify: identify::Behaviour,
    kademlia: Behaviour,
}

/// A peer that takes part until it vanishes.
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) address: Multiaddr,
    pub(crate) kademlia: Kademlia,
    host: Host,
    announced: Arc<AtomicBool>,
    tasks: [AbortHandle; 2],
}

impl Peer {
    /// Begins to take part; the peer of a number has an address of its own.
    pub(crate) fn start(
        number: u32,
        network: &Network,
        loss: f64,
        config: KademliaConfig,
    ) -> Result<Arc<Self>, String> {
        let keypair = keypair()?;
        let (id, address) = (keypair.public().to_peer_id(), host::address(number));
        let host = Host::new();
        let wire = Wire::new(network.clone(), host.clone(), (id, address.clone()), loss);
        let answers = config.mode == Some(peerage::topology::kademlia::Mode::Server);
        let settings = identify::Config::new("ipfs/0.1.0".to_owned(), keypair.public());
        let identify = identify::Behaviour::new(settings.with_cache_size(0));
        let behaviour = Protocols { identify, kademlia: Behaviour::new(id, config) };
        let kademlia = behaviour.kademlia.handle();
        let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
        let mut swarm = Swarm::new(wire, behaviour, id, settings);
        if answers {
            swarm.listen_on(address.clone()).map_err(|error| error.to_string())?;
        }
        let record = SignedPeerRecord::sign(&keypair, 1, vec![address.clone()]);
        let record = record.map_err(|error| error.to_string())?;
        let announced = Arc::new(AtomicBool::new(false));
        let announcing = announce(kademlia.clone(), record, Arc::clone(&announced));
        let tasks = [tokio::spawn(run(swarm)), tokio::spawn(announcing)];
        let tasks = tasks.map(|task| task.abort_handle());
        Ok(Arc::new(Self { id, address, kademlia, host, announced, tasks }))
    }

    /// Whether it has not vanished.
    pub(crate) fn is_alive(&self) -> bool {
        self.host.is_alive()
    }

    /// Whether its record was taken by anybody.
    pub(crate) fn is_announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }

    /// Is gone at once, without a word to anybody.
    pub(crate) fn vanish(&self) {
        self.host.vanish();
        self.tasks.iter().for_each(AbortHandle::abort);
    }

    /// How long it takes to find a peer's record by its id alone; nothing when
    /// it is not found.
    pub(crate) async fn time_to_find(&self, wanted: &Self) -> Option<Duration> {
        let start = Instant::now();
        let mut findings = self.kademlia.look_up(&Key::Peer(wanted.id));
        let is_it =
            |found: &Finding| found.record.is_some() && found.addresses.contains(&wanted.address);
        while let Some(found) = findings.next().await {
            if found.as_ref().is_ok_and(is_it) {
                return Some(start.elapsed());
            }
        }
        None
    }
}

fn keypair() -> Result<Keypair, String> {
    let mut secret = [0; 32];
    secret.chunks_mut(8).for_each(|part| part.copy_from_slice(&chance::next().to_be_bytes()));
    Keypair::ed25519_from_bytes(secret).map_err(|error| error.to_string())
}

/// Announces a peer, again and again until it is taken; then whenever the
/// behaviour says so.
async fn announce(kademlia: Kademlia, record: SignedPeerRecord, announced: Arc<AtomicBool>) {
    let presence = Presence { record, keys: Vec::new() };
    let mut pauses = Backoff::default();
    while kademlia.announce(&presence).await.is_err() {
        sleep(pauses.next_pause()).await;
    }
    announced.store(true, Ordering::Relaxed);
}

async fn run(mut swarm: Swarm<Protocols>) {
    loop {
        if let SwarmEvent::Behaviour(ProtocolsEvent::Identify(identify::Event::Received {
            peer_id,
            info,
            ..
        })) = swarm.select_next_some().await
        {
            swarm.behaviour_mut().kademlia.on_identified(peer_id, &info);
        }
    }
}
