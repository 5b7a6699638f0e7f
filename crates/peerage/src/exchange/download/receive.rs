//! Takes the blocks of one unit, in the order in which they arrive, to where
//! they belong. Runs on a thread of its own, since it hashes and writes.

use std::sync::Arc;

use bytes::Bytes;
use peerage_core::{
    data::{Block, Cid, VerifyError},
    exchange::download::{Fetch, Item, Unit, UnitId, expand},
};
use tokio::sync::mpsc;

use super::{
    disk::{Disk, OutputFile},
    error::GetError,
    shared::{Account, Shared},
};

/// Blocks on their way from the network to the disk.
pub(crate) type Batch = Vec<(Cid, Bytes)>;

/// How a unit ended on the receiving side.
pub(crate) struct Received {
    pub(crate) unit: UnitId,
    /// What has not arrived, as a stack.
    pub(crate) rest: Vec<Item<OutputFile>>,
    /// What was found and is not part of this unit.
    pub(crate) children: Vec<Item<OutputFile>>,
    pub(crate) fault: Option<Fault>,
}

/// What ended a unit before it was whole.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The peer sent something that it should not have.
    Peer(String),
    /// Our side, or the content itself; no other peer would do better.
    Own(GetError),
}

/// The state of one unit while its blocks arrive.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    account: Arc<Account>,
    disk: Disk,
    unit: UnitId,
    fetch: Fetch,
    stack: Vec<Item<OutputFile>>,
    children: Vec<Item<OutputFile>>,
    parent_seen: bool,
}

impl Receiver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        account: Arc<Account>,
        disk: Disk,
        unit: Unit<OutputFile>,
    ) -> Self {
        let Unit { id, fetch, items, .. } = unit;
        let parent_seen = !matches!(fetch, Fetch::Range { .. });
        let children = Vec::new();
        Self { shared, account, disk, unit: id, fetch, stack: items, children, parent_seen }
    }

    /// Receives until the unit is whole, the peer errs, or the sender is gone.
    pub(crate) fn run(mut self, mut blocks: mpsc::Receiver<Batch>) -> Received {
        let mut fault = None;
        while let Some(batch) = blocks.blocking_recv() {
            let result = batch.into_iter().try_for_each(|(cid, data)| self.accept(cid, data));
            if let Err(found) = result {
                fault = Some(found);
                break;
            }
        }
        self.finish(fault)
    }

    /// The end of the unit, whole or not.
    pub(crate) fn finish(self, fault: Option<Fault>) -> Received {
        Received { unit: self.unit, rest: self.stack, children: self.children, fault }
    }

    /// One block in the order of a CAR: depth first.
    fn accept(&mut self, cid: Cid, data: Bytes) -> Result<(), Fault> {
        if !self.parent_seen {
            // The node above a range comes first; its block is known already.
            self.parent_seen = true;
            if matches!(self.fetch, Fetch::Range { parent, .. } if parent == cid) {
                return Ok(());
            }
        }
        self.unpack_inline()?;
        match self.stack.last() {
            Some(item) if item.cid == cid => {}
            Some(item) => {
                return Err(Fault::Peer(format!("sent {cid} where {} was due", item.cid)));
            }
            None => return Err(Fault::Peer(format!("sent {cid}, which nobody asked for"))),
        }
        let block =
            Block::verified(cid, data).map_err(|e: VerifyError| Fault::Peer(e.to_string()))?;
        let Some(item) = self.stack.pop() else { return Ok(()) };
        self.place(item, &block)?;
        self.unpack_inline()
    }

    /// Takes the blocks that lie inside their own CIDs: nobody sends those.
    fn unpack_inline(&mut self) -> Result<(), Fault> {
        while let Some(block) = self.stack.last().and_then(|item| Block::inline(&item.cid)) {
            let Some(item) = self.stack.pop() else { return Ok(()) };
            self.place(item, &block)?;
        }
        Ok(())
    }

    /// A verified block goes to its place; what lies below it waits.
    pub(crate) fn place(&mut self, item: Item<OutputFile>, block: &Block) -> Result<(), Fault> {
        let below = match expand(&item, block, &mut self.disk) {
            Ok(below) => below,
            Err(error) => {
                self.stack.push(item);
                return Err(Fault::Own(error.into()));
            }
        };
        self.shared.received(self.unit, &self.account, block.data().len() as u64);
        if matches!(self.fetch, Fetch::Block(_)) {
            self.children.extend(below);
        } else {
            self.stack.extend(below);
        }
        Ok(())
    }

    /// The item that is due next, taken off the stack.
    pub(crate) fn next_item(&mut self) -> Option<Item<OutputFile>> {
        self.stack.pop()
    }

    /// An item that was taken and did not arrive.
    pub(crate) fn put_back(&mut self, item: Item<OutputFile>) {
        self.stack.push(item);
    }
}
