//! What allows to read.

use std::fmt;

use super::Requester;
use crate::store::OwnerId;

/// Who may read what: asked before every block that is given away, on threads
/// that may wait for a disk.
///
/// What it says may change at any time, and holds from the next block on.
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// The answer to a requester for every block alike, if there is one: then
    /// nobody looks up whose a block is.
    fn decide_for_all(&self, requester: &Requester) -> Option<Decision> {
        let _ = requester;
        None
    }

    /// Whether an owner lets a requester read what it owns. One that does is
    /// enough, whatever the block's other owners say.
    fn decide(&self, requester: &Requester, owner: OwnerId) -> Decision;
}

/// What a policy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Decision {
    /// The block may be read.
    Allow,
    /// It may not, and is absent for the requester.
    Refuse,
}

impl Decision {
    /// [`Allow`](Self::Allow), or else [`Refuse`](Self::Refuse).
    pub const fn allow_if(allowed: bool) -> Self {
        if allowed { Self::Allow } else { Self::Refuse }
    }

    /// Whether the block may be read.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// Everybody may read everything that they know the CID of, as from any peer of
/// IPFS. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everybody;

impl Policy for Everybody {
    fn decide_for_all(&self, _: &Requester) -> Option<Decision> {
        Some(Decision::Allow)
    }

    fn decide(&self, _: &Requester, _: OwnerId) -> Decision {
        Decision::Allow
    }
}

/// What a policy says of a block, whose owners are only looked up if it
/// matters. Without an owner nobody is there to allow.
pub(super) fn decide<E>(
    policy: &dyn Policy,
    requester: &Requester,
    owners: impl FnOnce() -> Result<Vec<OwnerId>, E>,
) -> Result<Decision, E> {
    if let Some(decision) = policy.decide_for_all(requester) {
        return Ok(decision);
    }
    let mut owners = owners()?.into_iter();
    Ok(Decision::allow_if(owners.any(|owner| policy.decide(requester, owner).is_allowed())))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, convert::Infallible};

    use proptest::prelude::*;

    use super::*;

    /// Owners that allow the machine; others allow nobody.
    #[derive(Debug)]
    struct Rights(BTreeSet<u32>);

    impl Policy for Rights {
        fn decide(&self, requester: &Requester, owner: OwnerId) -> Decision {
            let allowed = *requester == Requester::Machine && self.0.contains(&owner.number());
            Decision::allow_if(allowed)
        }
    }

    fn owners(numbers: &BTreeSet<u32>) -> Result<Vec<OwnerId>, Infallible> {
        Ok(numbers.iter().copied().map(OwnerId::from_number).collect())
    }

    #[test]
    fn nobody_is_looked_up_for_everybody() {
        let fails = || Err("owners were looked up");
        assert_eq!(decide(&Everybody, &Requester::Machine, fails), Ok(Decision::Allow));
    }

    #[test]
    fn a_failure_is_no_permission() {
        let rights = Rights(BTreeSet::from([1]));
        assert_eq!(decide(&rights, &Requester::Machine, || Err("disk")), Err("disk"));
    }

    proptest! {
        #[test]
        fn one_owner_that_allows_is_enough_and_none_is_not(
            owned_by in proptest::collection::btree_set(1..12_u32, 0..8),
            allowing in proptest::collection::btree_set(1..12_u32, 0..8),
        ) {
            let expected = Decision::allow_if(!owned_by.is_disjoint(&allowing));
            let rights = Rights(allowing);
            let found = decide(&rights, &Requester::Machine, || owners(&owned_by));
            prop_assert_eq!(found, Ok(expected));
            let stranger = Requester::at([192, 168, 1, 7].into());
            let found = decide(&rights, &stranger, || owners(&owned_by));
            prop_assert_eq!(found, Ok(Decision::Refuse));
        }
    }
}
