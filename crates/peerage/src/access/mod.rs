//! Who may read a block.
//!
//! Blocks are shared between the things that a store holds: two shares with the
//! same picture in them have its blocks once. So no block has rights of its
//! own. It is its *owners* that allow a [`Requester`] to read, and any one of
//! them suffices: a [`Policy`] is asked about each until one allows. What an
//! owner that was removed allowed has ended with it.
//!
//! [`GuardedStore`] is a store behind a policy. Whoever gives blocks away reads
//! through one, and asks anew for every block.
//!
//! # Refused is absent
//!
//! A refused block is told from one that is not here by nobody: both are
//! `None`, and no file is touched for either. A refusal takes longer by the
//! policy's own time, some microseconds beside those of a network.
//!
//! # What this does not promise
//!
//! What was read while it was allowed may be on its way when the right ends:
//! up to a piece of a CAR or one message of bitswap that was prepared, and what
//! the connection holds. And that somebody has a root can be found out
//! elsewhere, for instance from what is announced.
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use peerage::{
//!     PeerId,
//!     access::{Decision, GuardedStore, Policy, Requester},
//!     store::{Batch, OwnerId, OwnerKind, Store},
//! };
//! use peerage_core::data::{Block, HashKind, codec};
//!
//! /// One friend reads one share; nobody else reads anything.
//! #[derive(Debug)]
//! struct ForAFriend(PeerId, OwnerId);
//!
//! impl Policy for ForAFriend {
//!     fn decide(&self, requester: &Requester, owner: OwnerId) -> Decision {
//!         Decision::allow_if(*requester == Requester::Peer(self.0) && owner == self.1)
//!     }
//! }
//!
//! let store = Store::memory()?;
//! let share = store.add_owner(OwnerKind::database("pictures"))?;
//! let block = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"dawn"));
//! let mut batch = Batch::new(share);
//! batch.block(block.clone());
//! store.write(batch)?;
//!
//! let (friend, stranger) = (PeerId::random(), PeerId::random());
//! let guarded = GuardedStore::new(store, Arc::new(ForAFriend(friend, share)));
//! assert!(guarded.get(&Requester::Peer(friend), block.cid())?.is_some());
//! assert!(guarded.get(&Requester::Peer(stranger), block.cid())?.is_none());
//! # Ok::<(), peerage::store::StoreError>(())
//! ```

mod guarded_store;
mod policy;
mod requester;

pub use self::{
    guarded_store::GuardedStore,
    policy::{Decision, Everybody, Policy},
    requester::Requester,
};
