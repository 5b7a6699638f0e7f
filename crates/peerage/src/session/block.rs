//! A block by its CID, for graphs that are not files.

use std::time::Duration;

use futures::StreamExt as _;
use peerage_core::{
    Advice,
    data::{Block, Cid},
};

use super::{Session, search};
use crate::{
    exchange::bitswap,
    store::{OwnerId, StoreError},
    sync::blocking,
};

/// Why a block could not be got.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Nobody who was asked has it, and nobody else was found.
    #[error("none of the {asked} peers that were asked has {cid}")]
    NotFound {
        /// The block.
        cid: Cid,
        /// How many peers were asked.
        asked: usize,
    },
    /// It did not come in time.
    #[error("{cid} did not come within {} seconds", within.as_secs_f32())]
    TooLate {
        /// The block.
        cid: Cid,
        /// The time that there was.
        within: Duration,
    },
    /// The store failed, or has no such owner.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for BlockError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } => Some("check the CID, and that a peer that has it is running"),
            Self::TooLate { .. } => Some("try again, with more time"),
            Self::Store(error) => error.hint(),
        }
    }
}

impl Session {
    /// The block that `cid` names: from the store, else by bitswap from the
    /// peers that are connected and those who are found to have it, for as long
    /// as `within`. Its bytes hash to its CID.
    ///
    /// It is kept in the store for `owner`, if one is named, and else handed
    /// over and no more: what nobody owns would be there for ever.
    ///
    /// # Errors
    ///
    /// See [`BlockError`]. The owner is looked at first: without it nobody is
    /// asked.
    pub async fn block(
        &self,
        cid: &Cid,
        owner: Option<OwnerId>,
        within: Duration,
    ) -> Result<Block, BlockError> {
        if let Some(block) = Block::inline(cid) {
            return Ok(block);
        }
        if let Some(owner) = owner.filter(|owner| self.inner.store.owner(*owner).is_none()) {
            return Err(StoreError::NoSuchOwner { owner }.into());
        }
        let block = match self.block_here(*cid).await? {
            Some(block) => block,
            None => tokio::time::timeout(within, self.fetch_block(*cid))
                .await
                .map_err(|_| BlockError::TooLate { cid: *cid, within })??,
        };
        if let Some(owner) = owner {
            self.keep_block(owner, block.clone()).await?;
        }
        Ok(block)
    }

    /// A block of the store's. One whose file has changed is not here.
    async fn block_here(&self, cid: Cid) -> Result<Option<Block>, StoreError> {
        let store = self.inner.store.clone();
        let found = blocking(move || store.get(&cid)).await;
        match found {
            Ok(data) => Ok(data.and_then(|data| Block::verified(cid, data).ok())),
            Err(error) if error.file().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn keep_block(&self, owner: OwnerId, block: Block) -> Result<(), StoreError> {
        let (store, cid) = (self.inner.store.clone(), *block.cid());
        blocking(move || store.put(owner, &[block.detached()])).await?;
        self.inner.bitswap.arrived(&[cid]);
        Ok(())
    }

    async fn fetch_block(&self, cid: Cid) -> Result<Block, BlockError> {
        let (session, mut asked) = self.ask_connected(cid)?;
        let mut providers = search::providers(&self.inner.finder, cid);
        let (mut is_asking, mut is_searching) = (true, true);
        loop {
            tokio::select! {
                event = session.next(), if is_asking => match event {
                    Some(bitswap::Event::Block { block, .. }) => return Ok(block),
                    // Whoever is found yet may have it.
                    Some(bitswap::Event::DontHave { .. }) | None => is_asking = false,
                    // A peer is lost; others are asked.
                    Some(_) => {}
                },
                provider = providers.next(), if is_searching => match provider {
                    Some(provider) if session.add_peer(provider.peer).is_ok() => {
                        asked += 1;
                        is_asking = session.want(&[cid]).is_ok();
                    }
                    Some(_) => {}
                    None => is_searching = false,
                },
                else => return Err(BlockError::NotFound { cid, asked }),
            }
        }
    }

    /// Asks the peers that are connected, as many as may be; how many they are.
    fn ask_connected(&self, cid: Cid) -> Result<(bitswap::Session, usize), BlockError> {
        let nobody = |_| BlockError::NotFound { cid, asked: 0 };
        let session = self.inner.bitswap.session(&[]).map_err(nobody)?;
        let connected = self.inner.node.peers();
        let peers = connected.iter().map_while(|peer| session.add_peer(peer.peer).ok());
        let asked = peers.count();
        // One want is always within the limit.
        let _ = session.want(&[cid]);
        Ok((session, asked))
    }
}
