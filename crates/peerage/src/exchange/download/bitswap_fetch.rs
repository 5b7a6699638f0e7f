//! One session of bitswap: for peers that speak no gateway, such as Kubo and
//! Helia.

use std::{collections::HashMap, sync::Arc};

use peerage_core::{
    data::{Block, Cid},
    exchange::download::Item,
};
use tokio_util::sync::CancellationToken;

use super::{
    disk::OutputFile,
    provider::{SlotEnd, Worker},
    receive::{Fault, Received, Receiver},
    shared::Taken,
};
use crate::{
    exchange::bitswap::{Event, Session},
    sync::blocking,
};

/// How many blocks are asked for at once: enough to hide a round trip, few
/// enough that blocks of 1 MiB stay within memory's limit.
const WANTS_AT_ONCE: usize = 8;

/// One session's worth of wants.
pub(crate) struct BitswapSlot {
    worker: Worker,
    session: Option<Session>,
}

type Waiting = HashMap<Cid, Vec<Item<OutputFile>>>;

impl BitswapSlot {
    pub(crate) fn new(worker: Worker) -> Self {
        let session = worker.bitswap.session(&[worker.account.peer]).ok();
        Self { worker, session }
    }

    /// Fetches one unit.
    pub(crate) async fn fetch(
        &mut self,
        taken: Taken,
        stop: &CancellationToken,
    ) -> (Received, Option<SlotEnd>) {
        let worker = &self.worker;
        let (shared, account) = (Arc::clone(&worker.shared), Arc::clone(&worker.account));
        let mut receiver = Receiver::new(shared, account, worker.disk.clone(), taken.unit);
        let mut waiting = Waiting::new();
        let (mut fault, mut end) = (None, None);
        while let Some(session) = &self.session {
            if let Err(reason) = ask(session, &mut receiver, &mut waiting) {
                end = Some(SlotEnd::Lost(reason));
                break;
            }
            if waiting.is_empty() {
                break;
            }
            let event = tokio::select! {
                event = session.next() => event,
                () = taken.let_go.cancelled() => { end = Some(SlotEnd::LetGo); break }
                () = stop.cancelled() => { end = Some(SlotEnd::LetGo); break }
            };
            let Some(Event::Block { block, .. }) = event else {
                end = Some(slot_end(event));
                break;
            };
            let items = waiting.remove(block.cid()).unwrap_or_default();
            (receiver, fault) = place(receiver, items, block).await;
            if fault.is_some() {
                break;
            }
        }
        self.let_go(&mut receiver, waiting);
        if self.session.is_none() {
            end = Some(SlotEnd::Lost("too many bitswap sessions are open".to_owned()));
        }
        (receiver.finish(fault), end)
    }

    /// What was asked for and did not come waits again.
    fn let_go(&self, receiver: &mut Receiver, waiting: Waiting) {
        let cids: Vec<Cid> = waiting.keys().copied().collect();
        if let Some(session) = &self.session {
            session.cancel(&cids);
        }
        for item in waiting.into_values().flatten() {
            receiver.put_back(item);
        }
    }
}

/// Keeps as many wants open as may be.
fn ask(session: &Session, receiver: &mut Receiver, waiting: &mut Waiting) -> Result<(), String> {
    let mut wants = Vec::new();
    while waiting.len() < WANTS_AT_ONCE {
        let Some(item) = receiver.next_item() else { break };
        let places = waiting.entry(item.cid).or_default();
        if places.is_empty() {
            wants.push(item.cid);
        }
        places.push(item);
    }
    session.want(&wants).map_err(|error| error.to_string())
}

fn slot_end(event: Option<Event>) -> SlotEnd {
    match event {
        Some(Event::DontHave { cid, .. }) => SlotEnd::HasNot(format!("it has no block {cid}")),
        Some(Event::PeerLost { reason, .. }) => SlotEnd::Lost(reason.to_string()),
        _ => SlotEnd::Lost("the bitswap session ended".to_owned()),
    }
}

/// Writes a block to all its places, off the runtime's threads.
async fn place(
    mut receiver: Receiver,
    items: Vec<Item<OutputFile>>,
    block: Block,
) -> (Receiver, Option<Fault>) {
    blocking(move || {
        let fault = items.into_iter().find_map(|item| receiver.place(item, &block).err());
        (receiver, fault)
    })
    .await
}
