//! A tracker: keeps the registry, and answers for it.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use libp2p::{Multiaddr, PeerId};
use peerage_core::discovery::SignedPeerRecord;
use peerage_core::discovery::registry::{Counters, Listing, Registry, RegistryLimits};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::requests::{self, Desk};
use super::{RENDEZVOUS, TRACKER, persist};
use crate::node::{AcceptError, Node};
use crate::sync::lock;

/// How often what has run out is dropped even if nobody asks.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// How often the registry is saved; a crash loses what came since, and peers
/// announce themselves again within the hour.
const SAVE_INTERVAL: Duration = Duration::from_secs(120);

/// What a tracker is started with.
#[derive(Clone, Debug, Default)]
pub struct TrackerConfig {
    /// How much its registry holds.
    pub limits: RegistryLimits,
    /// Where this node can be reached from outside, besides where it listens:
    /// only addresses through this node as a relay at these hosts are handed
    /// out.
    pub addresses: Vec<Multiaddr>,
    /// Where the registry is kept over a restart; `None` keeps it in memory.
    pub snapshot: Option<PathBuf>,
}

/// What a tracker holds and has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackerStatus {
    /// Peers in the registry.
    pub peers: usize,
    /// Bytes that the registry takes, as it counts them.
    pub bytes: usize,
    /// What the registry has done.
    pub registry: Counters,
    /// Streams that were reset because too many were served.
    pub streams_refused: u64,
    /// Requests that were not answered because the peer or its network made
    /// too many.
    pub too_many_requests: u64,
    /// Streams that were reset because what came was no request.
    pub malformed: u64,
    /// Streams that took too long.
    pub too_slow: u64,
}

/// A running tracker. It ends when this is dropped; [`shutdown`] saves its
/// registry before.
///
/// [`shutdown`]: Self::shutdown
#[derive(Debug)]
pub struct TrackerServer {
    core: Arc<Core>,
    tasks: TaskTracker,
    running: DropGuard,
}

/// What the tasks share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) node: Node,
    registry: Mutex<Registry>,
    pub(super) desk: Mutex<Desk>,
    addresses: Mutex<Vec<Multiaddr>>,
    snapshot: Option<PathBuf>,
    /// Held while a snapshot is taken and written, so that none replaces a
    /// newer one.
    saving: Mutex<()>,
}

impl TrackerServer {
    /// Starts to answer on both protocols. Takes up the registry that was
    /// saved; one that cannot be read is left out with a warning, since peers
    /// announce themselves again.
    ///
    /// # Errors
    ///
    /// When someone else in this process accepts one of the protocols.
    pub fn start(node: &Node, config: TrackerConfig) -> Result<Self, AcceptError> {
        let streams = node.accept_any(&[TRACKER, RENDEZVOUS])?;
        let core = Arc::new(Core {
            node: node.clone(),
            registry: Mutex::new(Registry::with_limits(node.peer_id(), config.limits)),
            desk: Mutex::default(),
            addresses: Mutex::new(config.addresses),
            snapshot: config.snapshot,
            saving: Mutex::default(),
        });
        core.registry().seed(RandomState::new().hash_one(now()));
        core.set_own_relay();
        core.restore();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(stop.clone().run_until_cancelled_owned(keep(Arc::clone(&core))));
        tasks.spawn(
            stop.clone().run_until_cancelled_owned(requests::accept(Arc::clone(&core), streams)),
        );
        tasks.close();
        Ok(Self { core, tasks, running: stop.drop_guard() })
    }

    /// Says where this node can be reached from outside from now on.
    pub fn set_addresses(&self, addresses: Vec<Multiaddr>) {
        *lock(&self.core.addresses) = addresses;
        self.core.set_own_relay();
    }

    /// The peers that are here, the newest announcement first, at most `limit`.
    pub fn live(&self, limit: usize) -> Vec<Listing> {
        self.core.registry().live(now()).take(limit).collect()
    }

    /// The records of the peers whose whole record is vouched for, the newest
    /// announcement first, few of one network, at most `limit`.
    pub fn records(&self, limit: usize) -> Vec<SignedPeerRecord> {
        let registry = self.core.registry();
        registry.live_of_networks(now()).filter_map(|listing| listing.record).take(limit).collect()
    }

    /// A peer that is here.
    pub fn peer(&self, peer: &PeerId) -> Option<Listing> {
        self.core.registry().peer(peer, now())
    }

    /// What it holds and has done.
    pub fn status(&self) -> TrackerStatus {
        let mut status = lock(&self.core.desk).status();
        let registry = self.core.registry();
        (status.peers, status.bytes) = (registry.peers(), registry.bytes());
        status.registry = registry.counters().clone();
        status
    }

    /// Saves the registry now.
    ///
    /// # Errors
    ///
    /// When it cannot be saved.
    pub async fn save(&self) -> io::Result<()> {
        self.core.save().await
    }

    /// Ends, and saves the registry.
    ///
    /// # Errors
    ///
    /// When it cannot be saved.
    pub async fn shutdown(self) -> io::Result<()> {
        drop(self.running);
        self.tasks.wait().await;
        self.core.save().await
    }
}

impl Core {
    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    fn set_own_relay(&self) {
        let mut addresses = lock(&self.addresses).clone();
        addresses.extend(self.node.listen_addresses());
        self.registry().set_relay(self.node.peer_id(), &addresses);
    }

    fn restore(&self) {
        let Some(path) = &self.snapshot else { return };
        let bytes = match persist::load(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "the saved registry cannot be read"),
        };
        match self.registry().restore(&bytes, now()) {
            Ok(peers) => tracing::info!(peers, "the registry goes on as it was saved"),
            Err(error) => tracing::warn!(%error, "the saved registry is left out"),
        }
    }

    async fn save(self: &Arc<Self>) -> io::Result<()> {
        if self.snapshot.is_none() {
            return Ok(());
        }
        let core = Arc::clone(self);
        let saving = tokio::task::spawn_blocking(move || {
            let Some(path) = &core.snapshot else { return Ok(()) };
            let _turn = lock(&core.saving);
            let bytes = core.registry().snapshot();
            persist::save(path, &bytes)
        });
        saving.await.map_err(io::Error::other)?
    }
}

/// Sweeps and saves from time to time.
async fn keep(core: Arc<Core>) {
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    let first = tokio::time::Instant::now() + SAVE_INTERVAL;
    let mut save = tokio::time::interval_at(first, SAVE_INTERVAL);
    loop {
        tokio::select! {
            _ = sweep.tick() => {
                core.set_own_relay();
                core.registry().sweep(now());
            }
            _ = save.tick() => {
                if let Err(error) = core.save().await {
                    tracing::warn!(%error, "the registry cannot be saved");
                }
            }
        }
    }
}

/// The time since the Unix epoch; snapshots outlive the process.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
