//! One stream to a gateway: a request for each unit, its answer taken apart
//! into blocks and handed to the receiving thread.

use std::sync::Arc;

use peerage_core::exchange::{
    download::{Fetch, Unit},
    gateway::{DagScope, EntityBytes, GatewayRequest},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    disk::OutputFile,
    provider::{SlotEnd, Worker},
    receive::{Batch, Received, Receiver},
    shared::Taken,
};
use crate::{
    exchange::gateway::{self, CarBlocks, GatewayClient, GatewayError},
    sync::blocking,
};

/// How many bytes of blocks go to the receiving thread at once: enough that
/// small blocks share the cost of waking it.
const BATCH_BYTES: usize = 256 * 1024;

/// How many batches may wait for the receiving thread. With blocks of 1 MiB a
/// slot then holds at most some 2 MiB.
const BATCHES_WAITING: usize = 1;

/// One stream's worth of requests.
pub(crate) struct GatewaySlot {
    worker: Worker,
    client: Option<GatewayClient>,
}

impl GatewaySlot {
    pub(crate) fn new(worker: Worker) -> Self {
        Self { worker, client: None }
    }

    /// Fetches one unit.
    pub(crate) async fn fetch(
        &mut self,
        taken: Taken,
        session: &CancellationToken,
    ) -> (Received, Option<SlotEnd>) {
        let Taken { unit, let_go } = taken;
        let request = request_for(&unit);
        let worker = &self.worker;
        let receiver = Receiver::new(
            Arc::clone(&worker.shared),
            Arc::clone(&worker.account),
            worker.disk.clone(),
            unit,
        );
        let (sender, batches) = mpsc::channel(BATCHES_WAITING);
        let receiving = blocking(move || receiver.run(batches));
        let end = tokio::select! {
            result = self.transfer(&request, sender) => result.err(),
            () = let_go.cancelled() => Some(SlotEnd::LetGo),
            () = session.cancelled() => Some(SlotEnd::LetGo),
        };
        if end.is_some() {
            // The stream is somewhere in an answer: the next request needs a new one.
            self.client = None;
        }
        (receiving.await, end)
    }

    /// Sends the request and moves blocks until the answer ends. The receiving
    /// thread hanging up ends it too: that side knows why.
    async fn transfer(
        &mut self,
        request: &GatewayRequest,
        sender: mpsc::Sender<Batch>,
    ) -> Result<(), SlotEnd> {
        let answer = self.client().await?.get(request).await.map_err(slot_end)?;
        let mut blocks = CarBlocks::new(answer);
        loop {
            let (batch, more) = next_batch(&mut blocks).await;
            if !batch.is_empty() && sender.send(batch).await.is_err() {
                self.client = None;
                return Ok(());
            }
            if !more.map_err(slot_end)? {
                return Ok(());
            }
        }
    }

    async fn client(&mut self) -> Result<&mut GatewayClient, SlotEnd> {
        if self.client.as_ref().is_none_or(|client| !client.is_open()) {
            let peer = self.worker.account.peer;
            let stream = self.worker.node.open_stream(peer, gateway::PROTOCOL).await;
            let stream = stream.map_err(|error| SlotEnd::Lost(error.to_string()))?;
            self.client = Some(GatewayClient::new(stream).await.map_err(slot_end)?);
        }
        self.client.as_mut().ok_or_else(|| slot_end(GatewayError::Closed))
    }
}

/// Blocks up to a batch's size, and whether more may follow.
async fn next_batch(blocks: &mut CarBlocks) -> (Batch, Result<bool, GatewayError>) {
    let (mut batch, mut bytes) = (Batch::new(), 0);
    while bytes < BATCH_BYTES {
        match blocks.next().await {
            Some(Ok((cid, data))) => {
                bytes += data.len();
                batch.push((cid, data));
            }
            Some(Err(error)) => return (batch, Err(error)),
            None => return (batch, Ok(false)),
        }
    }
    (batch, Ok(true))
}

/// Duplicates are asked for, so that the order of the answer is known in
/// advance and a block out of turn is seen at once.
fn request_for(unit: &Unit<OutputFile>) -> GatewayRequest {
    match &unit.fetch {
        Fetch::Block(cid) => GatewayRequest::car(*cid).scope(DagScope::Block),
        Fetch::Graph(cid) => GatewayRequest::car(*cid).scope(DagScope::All),
        Fetch::Range { parent, from, to } => {
            let request = GatewayRequest::car(*parent).scope(DagScope::Entity);
            // A range that a request cannot say lies behind 2^63 bytes; asking for
            // all then is right, and academic.
            request.bytes(EntityBytes::of(*from..*to + 1).unwrap_or(EntityBytes::ALL))
        }
    }
    .duplicates(true)
}

fn slot_end(error: GatewayError) -> SlotEnd {
    match error {
        GatewayError::NotFound { .. } => SlotEnd::HasNot(error.to_string()),
        // What it will never answer need not be asked again.
        GatewayError::Refused { status: 400..500, .. } => SlotEnd::HasNot(error.to_string()),
        other => SlotEnd::Lost(other.to_string()),
    }
}
