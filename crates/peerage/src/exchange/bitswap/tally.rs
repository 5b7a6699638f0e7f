//! What one peer was sent, summed up before it is told.

use std::time::{Duration, Instant};

use peerage_core::data::Cid;

use crate::{
    access::Requester,
    exchange::serving::{Account, Exchange, Serving},
    limits::{BITSWAP_QUIET_MILLISECONDS, BITSWAP_TOLD_SECONDS},
    node::PeerId,
};

/// How long a peer must have wanted nothing before its tally is told.
pub(super) const QUIET: Duration = Duration::from_millis(BITSWAP_QUIET_MILLISECONDS);

/// After how long a tally is told though the peer wants more.
const LONGEST: Duration = Duration::from_secs(BITSWAP_TOLD_SECONDS);

/// What is told of the blocks in a message.
#[derive(Clone, Copy, Default)]
pub(super) struct Blocks {
    /// The first of them.
    first: Option<Cid>,
    /// The last at which something begins that is shared: a peer has begun to
    /// get it, so what it was sent before is told.
    root: Option<Cid>,
}

impl Blocks {
    /// One more, and whether something begins at it.
    pub(super) fn note(&mut self, cid: Cid, begins: bool) {
        self.first.get_or_insert(cid);
        if begins {
            self.root = Some(cid);
        }
    }
}

/// What one peer was sent since it was last told. Told when dropped, too.
pub(super) struct Tally {
    serving: Option<Serving>,
    peer: PeerId,
    open: Option<(Account, Instant)>,
}

impl Tally {
    pub(super) const fn new(serving: Option<Serving>, peer: PeerId) -> Self {
        Self { serving, peer, open: None }
    }

    /// A message with so many bytes of blocks was sent.
    pub(super) fn sent(&mut self, blocks: &Blocks, bytes: u64) {
        let Some(first) = blocks.root.or(blocks.first) else { return };
        let is_over = |(account, since): &(Account, Instant)| {
            since.elapsed() >= LONGEST || blocks.root.is_some_and(|root| root != *account.cid())
        };
        if self.open.as_ref().is_some_and(is_over) {
            self.told();
        }
        let Some(serving) = &self.serving else { return };
        let requester = Requester::Peer(self.peer);
        let open = || (serving.account(requester, Exchange::Bitswap, first), Instant::now());
        self.open.get_or_insert_with(open).0.sent(bytes);
    }

    /// All that the peer wants was sent, as far as it is here for it.
    pub(super) fn complete(&mut self) {
        if let Some((account, _)) = &mut self.open {
            account.complete();
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Tells what there is.
    pub(super) fn told(&mut self) {
        self.complete();
        self.open = None;
    }
}
