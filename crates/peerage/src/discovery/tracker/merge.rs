//! What several trackers found, as one: each peer once, and again only when a
//! tracker knows more of it.

use std::collections::{HashMap, HashSet};

use libp2p::{Multiaddr, PeerId};

use super::super::{Finding, WayError};

/// Merges the answers of trackers as they come.
#[derive(Debug, Default)]
pub(super) struct Merge {
    known: HashMap<PeerId, Known>,
    answered: bool,
    failures: Vec<(PeerId, WayError)>,
}

#[derive(Debug, Default)]
struct Known {
    sequence: Option<u64>,
    addresses: HashSet<Multiaddr>,
}

impl Merge {
    /// What is new in the answer of a tracker.
    pub(super) fn add(
        &mut self,
        tracker: PeerId,
        answer: Result<Vec<Finding>, WayError>,
    ) -> Vec<Finding> {
        match answer {
            Ok(findings) => {
                self.answered = true;
                findings.into_iter().filter(|finding| self.is_new(finding)).collect()
            }
            Err(error) => {
                self.failures.push((tracker, error));
                Vec::new()
            }
        }
    }

    /// A newer record is new; without one, an address of a peer of whom no
    /// record is known.
    fn is_new(&mut self, finding: &Finding) -> bool {
        let known = self.known.entry(finding.peer).or_default();
        let sequence = finding.record.as_ref().map(|record| record.sequence());
        let before = known.addresses.len();
        known.addresses.extend(finding.addresses.iter().cloned());
        let further = known.addresses.len() > before;
        let newer = sequence > known.sequence;
        known.sequence = known.sequence.max(sequence);
        newer || (known.sequence.is_none() && further)
    }

    /// The failure of all trackers, when none has answered.
    pub(super) fn failure(self) -> Option<WayError> {
        (!self.answered).then(|| failure_of(self.failures))
    }
}

/// One failure for all.
pub(super) fn failure_of(failures: Vec<(PeerId, WayError)>) -> WayError {
    match failures.as_slice() {
        [] => WayError::Unavailable("no tracker is known".to_owned()),
        [(_, only)] => only.clone(),
        all => {
            let all: Vec<_> = all.iter().map(|(peer, error)| format!("{peer}: {error}")).collect();
            WayError::Unavailable(all.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use peerage_core::discovery::SignedPeerRecord;

    use super::*;

    fn finding(sequence: Option<u64>, address: &str) -> Finding {
        let key = libp2p::identity::Keypair::ed25519_from_bytes([1; 32]).unwrap();
        let addresses: Vec<Multiaddr> = vec![address.parse().unwrap()];
        let sign = |sequence| SignedPeerRecord::sign(&key, sequence, addresses.clone()).unwrap();
        let record = sequence.map(sign);
        Finding { peer: key.public().to_peer_id(), addresses, record }
    }

    #[test]
    fn only_what_is_new_passes() {
        let (mut merge, tracker) = (Merge::default(), PeerId::random());
        let mut passes = |sequence, address| {
            !merge.add(tracker, Ok(vec![finding(sequence, address)])).is_empty()
        };
        assert!(passes(None, "/ip4/192.0.2.1/tcp/1"));
        assert!(!passes(None, "/ip4/192.0.2.1/tcp/1"));
        assert!(passes(None, "/ip4/192.0.2.1/tcp/2"));
        assert!(passes(Some(2), "/ip4/192.0.2.1/tcp/1"));
        assert!(!passes(Some(1), "/ip4/192.0.2.1/tcp/3"), "stale");
        assert!(!passes(None, "/ip4/192.0.2.1/tcp/4"), "there is a record");
        assert!(passes(Some(3), "/ip4/192.0.2.1/tcp/1"));
        assert_eq!(merge.failure(), None);
    }

    #[test]
    fn it_fails_only_when_all_fail() {
        let error = || Err(WayError::Malformed("x".to_owned()));
        let mut merge = Merge::default();
        merge.add(PeerId::random(), error());
        merge.add(PeerId::random(), Ok(Vec::new()));
        assert_eq!(merge.failure(), None, "that nothing is known is an answer");

        let mut merge = Merge::default();
        merge.add(PeerId::random(), error());
        merge.add(PeerId::random(), error());
        assert!(matches!(merge.failure(), Some(WayError::Unavailable(_))));
    }
}
