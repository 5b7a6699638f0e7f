//! Queries on their way, and those who wait for them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::limits::{KADEMLIA_LOOK_UP_SECONDS, MAX_KADEMLIA_ANSWERS, MAX_KADEMLIA_LOOK_UPS};
use futures::channel::oneshot;
use libp2p::PeerId;
use libp2p::kad::{
    self, GetClosestPeersError, GetClosestPeersOk, GetProvidersError, GetProvidersOk,
    GetRecordError, GetRecordOk, PutRecordError, QueryId, QueryResult, QueryStats, RecordKey,
};
use peerage_core::discovery::{Finding, SignedPeerRecord};
use peerage_core::topology::kademlia::{Offer, check_record};
use tokio::sync::mpsc;

use super::error::KademliaError;
use super::keys::record_key;
use super::store::Store;

/// What a look-up tells its caller.
pub(crate) type Answer = Result<Finding, KademliaError>;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The signed record of a peer: each newer one, as they come.
    Record(PeerId),
    /// The peers closest to a key, in the end; before that the addresses of the
    /// peer of that name, as soon as anybody knows some.
    Closest { key: Vec<u8>, peer: Option<PeerId> },
    /// Who provides a key.
    Providers(RecordKey),
}

/// Waits for what is done, or why it is not.
pub(super) type Done = oneshot::Sender<Result<(), KademliaError>>;

/// Who waits for a query.
enum Waiting {
    LookUp(LookUp),
    Done(Done),
    /// The timers: bootstrapping, and whoever asked for it meanwhile.
    Bootstrap {
        met_somebody: bool,
        asked: Vec<Done>,
    },
}

/// A look-up and its caller.
struct LookUp {
    wanted: Wanted,
    to: mpsc::Sender<Answer>,
    /// The number of the newest record that was told.
    newest: Option<u64>,
    /// Who was told; as many as may be.
    told: HashSet<PeerId>,
    /// How many addresses of the wanted peer were told.
    hints: usize,
}

impl LookUp {
    /// Tells the caller; what it has no room for is left out.
    fn tell(&self, answer: Answer) {
        let _ = self.to.try_send(answer);
    }

    /// Whether a peer is new here, and one of not too many.
    fn is_new(&mut self, peer: PeerId) -> bool {
        self.told.len() < MAX_KADEMLIA_ANSWERS && self.told.insert(peer)
    }
}

/// What the network said, beyond what callers are told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing more.
    Told,
    /// A record was bad.
    BadRecord,
    /// Bootstrapping has ended.
    Bootstrapped { met_somebody: bool },
}

/// All queries that somebody waits for.
#[derive(Default)]
pub(super) struct Queries {
    waiting: HashMap<QueryId, Waiting>,
}

impl Queries {
    /// Begins a look-up, unless there are too many.
    pub(super) fn look_up(
        &mut self,
        kademlia: &mut kad::Behaviour<Store>,
        wanted: Wanted,
        to: mpsc::Sender<Answer>,
    ) {
        let look_ups = self.waiting.values().filter(|w| matches!(w, Waiting::LookUp(_))).count();
        if look_ups >= MAX_KADEMLIA_LOOK_UPS {
            let _ = to.try_send(Err(KademliaError::Busy));
            return;
        }
        let id = match &wanted {
            Wanted::Record(peer) => kademlia.get_record(record_key(peer)),
            Wanted::Closest { key, .. } => kademlia.get_closest_peers(key.clone()),
            Wanted::Providers(key) => kademlia.get_providers(key.clone()),
        };
        let look_up = LookUp { wanted, to, newest: None, told: HashSet::new(), hints: 0 };
        self.waiting.insert(id, Waiting::LookUp(look_up));
    }

    /// Waits until something is done.
    pub(super) fn wait(&mut self, id: QueryId, done: Done) {
        self.waiting.insert(id, Waiting::Done(done));
    }

    /// Waits for bootstrapping.
    pub(super) fn bootstrap(&mut self, id: QueryId, asked: Option<Done>) {
        let asked = asked.into_iter().collect();
        self.waiting.insert(id, Waiting::Bootstrap { met_somebody: false, asked });
    }

    /// Those who wait for bootstrapping that has begun.
    pub(super) fn bootstrapping(&mut self) -> Option<&mut Vec<Done>> {
        self.waiting.values_mut().find_map(|waiting| match waiting {
            Waiting::Bootstrap { asked, .. } => Some(asked),
            _ => None,
        })
    }

    /// Ends the look-ups whose callers have gone.
    pub(super) fn end_abandoned(&mut self, kademlia: &mut kad::Behaviour<Store>) {
        self.waiting.retain(|id, waiting| {
            let gone = matches!(waiting, Waiting::LookUp(look_up) if look_up.to.is_closed());
            if gone && let Some(mut query) = kademlia.query_mut(id) {
                query.finish();
            }
            !gone
        });
    }

    /// Tells callers the addresses of the peers that they look for, as soon as
    /// anybody has named some; `find` knows those of a peer.
    pub(super) fn tell_hints(&mut self, mut find: impl FnMut(PeerId) -> Finding) {
        for waiting in self.waiting.values_mut() {
            let Waiting::LookUp(look_up) = waiting else { continue };
            let Wanted::Closest { peer: Some(peer), .. } = &look_up.wanted else { continue };
            let finding = find(*peer);
            if finding.addresses.len() > look_up.hints {
                look_up.hints = finding.addresses.len();
                look_up.tell(Ok(finding));
            }
        }
    }

    /// Passes on what a query has found, or that it has ended. `find` knows the
    /// addresses of a peer that a query has heard of.
    pub(super) fn progress(
        &mut self,
        id: QueryId,
        result: QueryResult,
        (stats, last): (&QueryStats, bool),
        mut find: impl FnMut(PeerId, &[libp2p::Multiaddr]) -> Finding,
    ) -> Outcome {
        let Some(waiting) = self.waiting.get_mut(&id) else { return Outcome::Told };
        let mut outcome = Outcome::Told;
        if let Waiting::LookUp(look_up) = waiting {
            outcome = look_up.progress(&result, &mut find);
        }
        if let Waiting::Bootstrap { met_somebody, .. } = waiting {
            *met_somebody |= stats.num_successes() > 0;
        }
        if !last {
            return outcome;
        }
        match self.waiting.remove(&id) {
            Some(Waiting::LookUp(look_up)) => look_up.end(&result, stats),
            Some(Waiting::Done(done)) => {
                let _ = done.send(verdict(&result, stats));
            }
            Some(Waiting::Bootstrap { met_somebody, asked }) => {
                for asked in asked {
                    let _ =
                        asked.send(if met_somebody { Ok(()) } else { Err(KademliaError::Nobody) });
                }
                return Outcome::Bootstrapped { met_somebody };
            }
            None => {}
        }
        outcome
    }
}

impl LookUp {
    fn progress(
        &mut self,
        result: &QueryResult,
        find: &mut impl FnMut(PeerId, &[libp2p::Multiaddr]) -> Finding,
    ) -> Outcome {
        match result {
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => {
                let (key, value) = (found.record.key.as_ref(), &found.record.value);
                let Some(record) = self.open(key, value) else { return Outcome::BadRecord };
                if self.newest.is_none_or(|newest| newest < record.sequence()) {
                    self.newest = Some(record.sequence());
                    let finding = find(record.peer(), record.addresses());
                    self.tell(Ok(Finding { record: Some(record), ..finding }));
                }
            }
            QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) => {
                for provider in providers {
                    if self.is_new(*provider) {
                        self.tell(Ok(find(*provider, &[])));
                    }
                }
            }
            QueryResult::GetClosestPeers(
                Ok(GetClosestPeersOk { peers, .. })
                | Err(GetClosestPeersError::Timeout { peers, .. }),
            ) => {
                for info in peers {
                    if self.is_new(info.peer_id) {
                        self.tell(Ok(find(info.peer_id, &info.addrs)));
                    }
                }
            }
            _ => {}
        }
        Outcome::Told
    }

    /// A record that answers this look-up.
    fn open(&self, key: &[u8], value: &[u8]) -> Option<SignedPeerRecord> {
        let Wanted::Record(peer) = &self.wanted else { return None };
        match check_record(key, value, None) {
            Ok(Offer::Newer(record) | Offer::Same(record)) if record.peer() == *peer => {
                Some(record)
            }
            _ => None,
        }
    }

    /// Says why nothing was found, where that is not because there is nothing.
    fn end(self, result: &QueryResult, stats: &QueryStats) {
        let found_something = self.newest.is_some() || !self.told.is_empty() || self.hints > 0;
        if found_something {
            return;
        }
        if is_late(result) {
            self.tell(Err(late()));
        } else if stats.num_successes() == 0 {
            self.tell(Err(KademliaError::Nobody));
        }
    }
}

/// Whether something was done.
fn verdict(result: &QueryResult, stats: &QueryStats) -> Result<(), KademliaError> {
    match result {
        QueryResult::PutRecord(Ok(_)) | QueryResult::StartProviding(Ok(_))
            if stats.num_successes() > 0 =>
        {
            Ok(())
        }
        _ if is_late(result) => Err(late()),
        _ => Err(KademliaError::Nobody),
    }
}

fn is_late(result: &QueryResult) -> bool {
    matches!(
        result,
        QueryResult::GetRecord(Err(GetRecordError::Timeout { .. }))
            | QueryResult::GetProviders(Err(GetProvidersError::Timeout { .. }))
            | QueryResult::GetClosestPeers(Err(_))
            | QueryResult::PutRecord(Err(PutRecordError::Timeout { .. }))
            | QueryResult::StartProviding(Err(_))
    )
}

fn late() -> KademliaError {
    KademliaError::TimedOut(Duration::from_secs(KADEMLIA_LOOK_UP_SECONDS))
}
