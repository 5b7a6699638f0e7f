//! Who keeps this node's own record: the peers nearest to it. As they go and
//! others take their places, the record is said to those.

use std::collections::HashSet;

use libp2p::PeerId;
use libp2p::kad::store::RecordStore as _;
use libp2p::kad::{self, GetClosestPeersError, GetClosestPeersOk, QueryId, QueryResult, Quorum};

use super::keys::record_key;
use super::store::Store;

/// What came of a look at those who are nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    /// How many are nearest now.
    pub(super) nearest: usize,
    /// How many of them had not been told the record.
    pub(super) new: usize,
}

/// Who was told, and the look-up for those who are nearest.
#[derive(Default)]
pub(super) struct Holders {
    told: HashSet<PeerId>,
    looking: Option<QueryId>,
}

impl Holders {
    /// The record has changed: whoever was told knows another one.
    pub(super) fn forget(&mut self) {
        self.told.clear();
        self.looking = None;
    }

    /// Looks for those who are nearest, unless there is no record to tell them,
    /// or that is under way.
    pub(super) fn look(&mut self, own: &PeerId, kademlia: &mut kad::Behaviour<Store>) {
        let key = record_key(own);
        if self.looking.is_none() && kademlia.store_mut().get(&key).is_some() {
            self.looking = Some(kademlia.get_closest_peers(key.to_vec()));
        }
    }

    /// Whether it is this query that looks.
    pub(super) fn is_looking(&self, id: QueryId) -> bool {
        self.looking == Some(id)
    }

    /// These are nearest: those who are new are told the record.
    pub(super) fn found(
        &mut self,
        own: &PeerId,
        nearest: impl IntoIterator<Item = PeerId>,
        kademlia: &mut kad::Behaviour<Store>,
    ) -> Looked {
        self.looking = None;
        let nearest: HashSet<PeerId> = nearest.into_iter().collect();
        let new: Vec<PeerId> = nearest.difference(&self.told).copied().collect();
        let looked = Looked { nearest: nearest.len(), new: new.len() };
        let record = kademlia.store_mut().get(&record_key(own)).map(|record| record.into_owned());
        if let Some(record) = record.filter(|_| !new.is_empty()) {
            kademlia.put_record_to(record, new.into_iter(), Quorum::One);
        }
        self.told = nearest;
        looked
    }
}

/// The peers that a look-up for the nearest has found, even when it was late.
pub(super) fn nearest(result: &QueryResult) -> Vec<PeerId> {
    match result {
        QueryResult::GetClosestPeers(
            Ok(GetClosestPeersOk { peers, .. }) | Err(GetClosestPeersError::Timeout { peers, .. }),
        ) => peers.iter().map(|info| info.peer_id).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use libp2p::kad::Record;

    use super::*;

    fn behaviour(own: PeerId) -> kad::Behaviour<Store> {
        let config = super::super::KademliaConfig::machine().to_libp2p();
        let mut behaviour = kad::Behaviour::with_config(own, Store::new(own), config);
        behaviour.add_address(&PeerId::random(), "/ip4/127.0.0.1/tcp/1".parse().unwrap());
        behaviour
    }

    #[tokio::test]
    async fn who_is_new_among_the_nearest_is_told() {
        let own = PeerId::random();
        let (mut kademlia, mut holders) = (behaviour(own), Holders::default());
        holders.look(&own, &mut kademlia);
        assert_eq!(holders.looking, None, "there is nothing to tell");
        let record = Record::new(record_key(&own), Vec::new());
        kademlia.store_mut().put(record).unwrap();
        holders.look(&own, &mut kademlia);
        assert!(holders.looking.is_some());
        let mut peers: Vec<PeerId> = (0..20).map(|_| PeerId::random()).collect();
        let found = |holders: &mut Holders, peers: &[PeerId], kademlia: &mut _| {
            let Looked { nearest, new } = holders.found(&own, peers.to_vec(), kademlia);
            (nearest, new)
        };
        assert_eq!(found(&mut holders, &peers, &mut kademlia), (20, 20));
        assert_eq!(found(&mut holders, &peers, &mut kademlia), (20, 0));
        peers[0] = PeerId::random();
        assert_eq!(found(&mut holders, &peers, &mut kademlia), (20, 1));
        holders.forget();
        assert_eq!(found(&mut holders, &peers, &mut kademlia), (20, 20));
    }
}
