//! Peers that come and go, and look each other up.

use std::sync::Arc;
use std::time::Duration;

use peerage::topology::kademlia::{KademliaConfig, Mode};
use peerage_core::topology::kademlia::AddressScope;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::chance;
use crate::host::Network;
use crate::peer::Peer;
use crate::tally::{Outcome, Tally};

/// How many peers are boot nodes, which stay.
const BOOT_NODES: usize = 5;

/// How many of them each peer is told of.
const TOLD: usize = 2;

/// How many peers a second join in the beginning.
const JOINING: f64 = 5.0;

/// What happens in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many peers there are at any time.
    pub(crate) peers: usize,
    /// How many of all are replaced an hour, each by a new one: 1 for all.
    pub(crate) replaced_an_hour: f64,
    /// How many packets of all are lost.
    pub(crate) loss: f64,
    /// How long peers come and go before the first look-up.
    pub(crate) warm_up: Duration,
    /// How long look-ups are made.
    pub(crate) measured: Duration,
    /// How many are made.
    pub(crate) look_ups: u32,
}

/// The peers that are there.
pub(crate) struct Population {
    plan: Plan,
    network: Network,
    /// The boot nodes come first.
    peers: Vec<Arc<Peer>>,
    next: u32,
    asking: JoinSet<Outcome>,
}

impl Population {
    /// So many peers, one after another.
    pub(crate) async fn new(plan: Plan) -> Result<Self, String> {
        let (network, peers) = (Network::default(), Vec::new());
        let mut this = Self { plan, network, peers, next: 0, asking: JoinSet::new() };
        while this.peers.len() < plan.peers {
            let peer = this.join()?;
            this.peers.push(peer);
            sleep_until(Instant::now() + chance::until_next(JOINING)).await;
        }
        Ok(this)
    }

    /// Lets peers come and go, and then look each other up too.
    pub(crate) async fn run(mut self) -> Result<Tally, String> {
        let start = Instant::now();
        let end = start + self.plan.warm_up + self.plan.measured;
        let pause = self.plan.measured / self.plan.look_ups.max(1);
        let mut look_up_at = start + self.plan.warm_up;
        let mut replace_at = start + self.until_replaced();
        while Instant::now() < end {
            sleep_until(look_up_at.min(replace_at).min(end)).await;
            let now = Instant::now();
            if now >= replace_at {
                self.replace()?;
                replace_at = now + self.until_replaced();
            }
            if now >= look_up_at {
                self.look_up();
                look_up_at += pause;
            }
        }
        Ok(self.asking.join_all().await.into_iter().collect())
    }

    fn until_replaced(&self) -> Duration {
        let peers = f64::from(u32::try_from(self.plan.peers).unwrap_or(u32::MAX));
        chance::until_next((peers * self.plan.replaced_an_hour / 3600.0).max(1e-9))
    }

    /// One goes without a word, another one comes.
    fn replace(&mut self) -> Result<(), String> {
        let leaving = BOOT_NODES + chance::below(self.peers.len() - BOOT_NODES);
        let peer = self.join()?;
        std::mem::replace(&mut self.peers[leaving], peer).vanish();
        Ok(())
    }

    /// A new peer. Every second one only asks, as behind a router that lets
    /// nobody in: it is in no routing table, and is found by its record alone.
    fn join(&mut self) -> Result<Arc<Peer>, String> {
        let number = self.next;
        self.next += 1;
        let boot = self.peers.len().min(BOOT_NODES);
        let answers = boot < BOOT_NODES || number % 2 == 0;
        let mut config = KademliaConfig {
            mode: Some(if answers { Mode::Server } else { Mode::Client }),
            scope: AddressScope::Internet,
            ..KademliaConfig::default()
        };
        for _ in 0..TOLD.min(boot) {
            let known = &self.peers[chance::below(boot)];
            config.boot_nodes.push((known.id, known.address.clone()));
        }
        Peer::start(number, &self.network, self.plan.loss, config)
    }

    /// One peer looks for another; both are there, and have announced
    /// themselves.
    fn look_up(&mut self) {
        let (Some(asking), Some(wanted)) = (self.any(), self.any()) else { return };
        if asking.id == wanted.id {
            return;
        }
        self.asking.spawn(async move {
            let time = asking.time_to_find(&wanted).await;
            match time {
                Some(time) => Outcome::Found(time),
                None if asking.is_alive() && wanted.is_alive() => Outcome::Missed,
                None => Outcome::Gone,
            }
        });
    }

    fn any(&self) -> Option<Arc<Peer>> {
        let announced: Vec<_> = self.peers.iter().filter(|peer| peer.is_announced()).collect();
        match announced.len() {
            0 => None,
            count => Some(Arc::clone(announced[chance::below(count)])),
        }
    }
}
