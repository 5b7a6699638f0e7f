//! A store behind a policy.

use std::sync::Arc;

use bytes::Bytes;
use peerage_core::data::Cid;

use super::{Policy, Requester, policy::decide};
use crate::store::{Store, StoreError};

/// The multihash code of a "hash" that is the data itself.
const IDENTITY: u64 = 0;

/// A store whose blocks are given to whom a policy allows. Cloning gives
/// another handle to the same.
#[derive(Clone, Debug)]
pub struct GuardedStore {
    store: Store,
    policy: Arc<dyn Policy>,
}

impl GuardedStore {
    /// Puts a store behind a policy.
    #[must_use]
    pub fn new(store: Store, policy: Arc<dyn Policy>) -> Self {
        Self { store, policy }
    }

    /// The block that `cid` names; `None` when it is not here, or not for
    /// `requester`.
    ///
    /// # Errors
    ///
    /// As [`Store::get`]; never for a block that is refused.
    pub fn get(&self, requester: &Requester, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        if self.allows(requester, cid)? { self.store.get(cid) } else { Ok(None) }
    }

    /// The block's size in bytes; `None` when it is not here, or not for
    /// `requester`.
    ///
    /// # Errors
    ///
    /// As [`Store::size`].
    pub fn size(&self, requester: &Requester, cid: &Cid) -> Result<Option<u64>, StoreError> {
        if self.allows(requester, cid)? { self.store.size(cid) } else { Ok(None) }
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    fn allows(&self, requester: &Requester, cid: &Cid) -> Result<bool, StoreError> {
        if cid.hash().code() == IDENTITY {
            // Whoever names it holds it: there is nothing to protect, and to
            // refuse it would tell that there are rules here.
            return Ok(true);
        }
        let decision = decide(&*self.policy, requester, || self.store.owners_of(cid))?;
        Ok(decision.is_allowed())
    }
}
