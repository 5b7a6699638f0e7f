//! One provider: reached, asked over several streams at once, reached again
//! when lost.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use libp2p::{Multiaddr, PeerId};
use peerage_core::exchange::download::ProviderId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    GetEvent,
    bitswap_fetch::BitswapSlot,
    disk::Disk,
    error::GetError,
    gateway_fetch::GatewaySlot,
    receive::{Fault, Received},
    shared::{Account, Shared, Taken},
};
use crate::sync::lock;
use crate::{
    exchange::{bitswap::Bitswap, gateway},
    node::{Keep, Node, OpenStreamError, Reason},
};

/// A peer to download from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Who.
    pub peer: PeerId,
    /// Where it may be reached.
    pub addresses: Vec<Multiaddr>,
}

/// How long a slot whose unit was taken over takes no other; doubles each time.
const TAKEN_OVER_PENALTY: Duration = Duration::from_secs(1);

/// The longest such pause.
const TAKEN_OVER_PENALTY_MAX: Duration = Duration::from_secs(30);

/// How a provider's service ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The download is over, one way or the other.
    Over,
    /// The connection was lost, or never made.
    Lost(String),
    /// It hasn't got the content.
    HasNot(String),
    /// It sent what it should not have.
    Lied(String),
}

/// What ended the service of one unit.
pub(crate) enum SlotEnd {
    /// A faster provider takes the unit over.
    LetGo,
    /// The stream or the connection was lost.
    Lost(String),
    /// The peer has not got the block.
    HasNot(String),
}

/// Everything that a provider's worker needs.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) node: Node,
    pub(crate) bitswap: Bitswap,
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Disk,
    pub(crate) account: Arc<Account>,
    pub(crate) id: ProviderId,
    /// Streams used at once.
    pub(crate) slots: usize,
}

impl Worker {
    /// Serves the download from one provider until it is over, the provider
    /// proves useless, or nobody has delivered for `patience`.
    pub(crate) async fn run(self, patience: Duration) -> End {
        // Should the node keep no more peers, this one is reached by the tries
        // here alone.
        let (peer, addresses) = (self.account.peer, self.account.addresses());
        let mut kept = self.node.keep(peer, &addresses, Reason::Provider).ok();
        let mut pauses = Reason::Provider.pauses();
        loop {
            let before = self.account.bytes.load(Ordering::Relaxed);
            let end = tokio::select! {
                end = self.serve_once() => end,
                () = self.shared.stopped().cancelled() => End::Over,
            };
            let reason = match end {
                End::Lost(reason) => reason,
                other => return self.ended(other),
            };
            if self.account.bytes.load(Ordering::Relaxed) > before {
                pauses.reset();
            }
            let wait = pauses.next_pause();
            if self.shared.silent_for() + wait > patience {
                return self.ended(End::Lost(reason));
            }
            self.tell_lost(&reason, true);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = tried(kept.as_mut()) => {}
                () = self.shared.stopped().cancelled() => return End::Over,
            }
        }
    }

    fn ended(&self, end: End) -> End {
        if let End::Lost(reason) | End::HasNot(reason) | End::Lied(reason) = &end {
            self.tell_lost(reason, false);
        }
        end
    }

    fn tell_lost(&self, reason: &str, again: bool) {
        let (peer, reason) = (self.account.peer, reason.to_owned());
        self.shared.tell(GetEvent::ProviderLost { peer, reason, again });
    }

    async fn serve_once(&self) -> End {
        let peer = self.account.peer;
        self.shared.tell(GetEvent::Connecting { peer });
        let connection = match self.node.connect(peer, &self.account.addresses()).await {
            Ok(connection) => connection,
            Err(error) => return End::Lost(error.to_string()),
        };
        let gateway = match self.node.open_stream(peer, gateway::PROTOCOL).await {
            // The first slot opens its own when it has something to ask.
            Ok(_) => true,
            Err(OpenStreamError::Unsupported(_)) => false,
            Err(error) => return End::Lost(error.to_string()),
        };
        let path = format!("{} {}", connection.path, connection.address);
        lock(&self.account.path).clone_from(&path);
        let exchange = if gateway { "gateway" } else { "bitswap" };
        self.shared.tell(GetEvent::Connected { peer, path, exchange });
        self.all_slots(gateway).await
    }

    /// Runs every slot; the first that ends early ends the others too, since
    /// what it met (a lost connection, a lie) concerns them all.
    async fn all_slots(&self, gateway: bool) -> End {
        let session = self.shared.stopped().child_token();
        let mut slots = JoinSet::new();
        for _ in 0..self.slots {
            let (worker, session) = (self.clone(), session.clone());
            let slot = if gateway {
                Slot::Gateway(GatewaySlot::new(worker.clone()))
            } else {
                Slot::Bitswap(BitswapSlot::new(worker.clone()))
            };
            slots.spawn(async move { worker.work(slot, session).await });
        }
        let mut first = End::Over;
        while let Some(ended) = slots.join_next().await {
            let ended = ended.unwrap_or_else(|e| End::Lost(format!("a task failed: {e}")));
            if matches!(first, End::Over) && !matches!(ended, End::Over) {
                first = ended;
                session.cancel();
            }
        }
        first
    }

    /// Fetches unit after unit until there are none, or something ends it.
    async fn work(&self, mut slot: Slot, session: CancellationToken) -> End {
        let mut penalty = TAKEN_OVER_PENALTY;
        loop {
            let next = tokio::select! {
                next = self.shared.next_unit(self.id, &self.account) => next,
                () = session.cancelled() => None,
            };
            let Some(taken) = next else { return End::Over };
            let (received, ended) = slot.fetch(taken, &session).await;
            let taken_over = matches!(ended, Some(SlotEnd::LetGo));
            if let Some(end) = self.settle(received, ended) {
                return end;
            }
            if taken_over {
                // Or it would take what it just lost straight back.
                tokio::select! {
                    () = tokio::time::sleep(penalty) => {}
                    () = session.cancelled() => {}
                }
                penalty = (penalty * 2).min(TAKEN_OVER_PENALTY_MAX);
            }
        }
    }

    /// Books what came of a unit; says so when that ends the slot.
    fn settle(&self, received: Received, ended: Option<SlotEnd>) -> Option<End> {
        let Received { unit, rest, children, fault } = received;
        if rest.is_empty() && fault.is_none() {
            let missing = self.disk.missing_here(children);
            let kept = missing.and_then(|items| Ok(self.shared.complete(unit, items)?));
            return kept.err().map(|error| self.fail(error));
        }
        self.shared.give_back(unit, rest);
        match (fault, ended) {
            (Some(Fault::Own(error)), _) => Some(self.fail(error)),
            (Some(Fault::Peer(reason)), _) => Some(End::Lied(reason)),
            (None, Some(SlotEnd::LetGo)) => None,
            (None, Some(SlotEnd::HasNot(reason))) => Some(End::HasNot(reason)),
            (None, Some(SlotEnd::Lost(reason))) => Some(End::Lost(reason)),
            (None, None) => Some(End::Lied("ended its answer before it was whole".to_owned())),
        }
    }

    fn fail(&self, error: GetError) -> End {
        self.shared.fail(error);
        End::Over
    }
}

/// Waits until the node tries once more to reach a provider, or has reached it.
async fn tried(kept: Option<&mut Keep>) {
    match kept {
        Some(kept) => kept.tried().await,
        None => std::future::pending().await,
    }
}

/// The two ways to the same blocks.
enum Slot {
    Gateway(GatewaySlot),
    Bitswap(BitswapSlot),
}

impl Slot {
    async fn fetch(
        &mut self,
        taken: Taken,
        session: &CancellationToken,
    ) -> (Received, Option<SlotEnd>) {
        match self {
            Self::Gateway(slot) => slot.fetch(taken, session).await,
            Self::Bitswap(slot) => slot.fetch(taken, session).await,
        }
    }
}
