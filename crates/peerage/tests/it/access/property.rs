//! Whatever the owners and their rights are.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
};

use peerage::{
    PeerId,
    access::Requester,
    store::{Batch, FileRecord, Frame, OwnerId, OwnerKind, Purpose},
};
use peerage_core::data::{Block, Cid, HashKind, codec};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::support::{House, all, over_a_stream, requests};
use crate::{gateway::support::share, support::blocks::noise};

/// How many blocks there are in the first property.
const BLOCKS: usize = 8;

/// How many owners.
const OWNERS: usize = 4;

/// What each owner has and whom it lets read, and which owners go.
#[derive(Clone, Debug)]
struct Plan {
    has: Vec<BTreeSet<usize>>,
    lets: Vec<BTreeSet<usize>>,
    gone: BTreeSet<usize>,
}

fn plan(blocks: usize) -> impl Strategy<Value = Plan> {
    let sets = |of: usize| {
        proptest::collection::vec(proptest::collection::btree_set(0..of, 0..=of), OWNERS)
    };
    let gone = proptest::collection::btree_set(0..OWNERS, 0..=OWNERS / 2);
    (sets(blocks), sets(3), gone).prop_map(|(has, lets, gone)| Plan { has, lets, gone })
}

impl Plan {
    fn allows(&self, requester: usize, block: usize) -> bool {
        (0..OWNERS).any(|owner| {
            !self.gone.contains(&owner)
                && self.has[owner].contains(&block)
                && self.lets[owner].contains(&requester)
        })
    }

    fn grant(&self, house: &House, owners: &[OwnerId], requesters: &[Requester]) {
        for (owner, lets) in owners.iter().zip(&self.lets) {
            for requester in lets {
                house.rights.allow(requesters[*requester], *owner);
            }
        }
    }

    fn remove(&self, house: &House, owners: &[OwnerId]) {
        for owner in &self.gone {
            house.store.remove_owner(owners[*owner]).unwrap();
        }
    }
}

fn requesters() -> [Requester; 3] {
    let neighbour = Requester::at([192, 168, 1, 7].into());
    [Requester::Peer(PeerId::random()), Requester::Machine, neighbour]
}

/// An owner of some of these blocks: those with an even number are kept, the
/// others are in a file of its own.
fn owner(
    house: &House,
    folder: &tempfile::TempDir,
    blocks: &[Block],
    has: &BTreeSet<usize>,
) -> OwnerId {
    let owner = house.store.add_owner(OwnerKind::files(Purpose::Shared, folder.path())).unwrap();
    let mut batch = Batch::new(owner);
    for number in has {
        let block = &blocks[*number];
        if number % 2 == 0 {
            batch.block(block.clone());
            continue;
        }
        let path = folder.path().join(number.to_string());
        fs::write(&path, block.data()).unwrap();
        let path = number.to_string().into();
        let record = FileRecord { path, size: block.data().len() as u64, modified: None };
        batch.file(u32::try_from(*number).unwrap(), record).unwrap();
        let length = block.data().len() as u64;
        batch.reference(*block.cid(), u32::try_from(*number).unwrap(), 0, length, Frame::Raw);
    }
    house.store.write(batch).unwrap();
    owner
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_block_is_read_by_those_whom_an_owner_lets(plan in plan(BLOCKS)) {
        let (house, folders) = (House::new(), [0; OWNERS].map(|_| tempfile::tempdir().unwrap()));
        let blocks: Vec<Block> = (0..BLOCKS as u64)
            .map(|seed| Block::new(codec::RAW, HashKind::Sha2_256, noise(seed + 1, 300)))
            .collect();
        let owners: Vec<OwnerId> = folders
            .iter()
            .zip(&plan.has)
            .map(|(folder, has)| owner(&house, folder, &blocks, has))
            .collect();
        let requesters = requesters();
        plan.grant(&house, &owners, &requesters);
        plan.remove(&house, &owners);
        let guarded = house.guarded();
        for (number, block) in blocks.iter().enumerate() {
            for (who, requester) in requesters.iter().enumerate() {
                let expected = plan.allows(who, number).then(|| block.data().clone());
                let size = expected.as_ref().map(|data| data.len() as u64);
                prop_assert_eq!(guarded.get(requester, block.cid()).unwrap(), expected);
                prop_assert_eq!(guarded.size(requester, block.cid()).unwrap(), size);
            }
        }
    }

    #[test]
    fn a_peer_is_answered_as_if_there_were_nothing_else(plan in plan(12)) {
        let shared = share(1000, 100);
        let cids = all(&shared);
        prop_assert_eq!(cids.len(), 12);
        let (house, lacking, requesters) = (House::new(), House::new(), requesters());
        let owners: Vec<OwnerId> = plan
            .has
            .iter()
            .map(|has| house.owner(&shared, &has.iter().map(|n| cids[*n]).collect::<Vec<_>>()))
            .collect();
        plan.grant(&house, &owners, &requesters);
        plan.remove(&house, &owners);
        let allowed: Vec<Cid> =
            (0..12).filter(|number| plan.allows(0, *number)).map(|number| cids[number]).collect();
        lacking.rights.allow(requesters[0], lacking.owner(&shared, &allowed));
        let peer = requesters[0].peer().unwrap();
        let (ours, theirs) = (house.gateway(), lacking.gateway());
        Runtime::new().unwrap().block_on(async {
            let mut seen = HashSet::new();
            for request in requests(&shared, "localhost") {
                let answer = over_a_stream(&ours, peer, &request).await;
                assert_eq!(answer, over_a_stream(&theirs, peer, &request).await, "{request}");
                seen.insert(answer);
            }
            assert!(seen.len() > 3, "the requests are told apart");
        });
    }
}
