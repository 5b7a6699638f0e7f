//! What peers send: who reads it, and where it goes.

use std::sync::Arc;

use futures::{AsyncWriteExt as _, StreamExt as _, io::BufReader};
use peerage_core::exchange::bitswap::{LossReason, Message};
use peerage_core::routing::pool::Origin;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{
    Core,
    frame::{self, ReadError, Room},
};
use crate::node::{IncomingStreams, NodeEvent, PeerId, Stream};
use crate::routing::Share;

/// Lengths and small messages are read from a buffer of this size; the bulk of
/// a large message goes past it.
const BUFFER_BYTES: usize = 16 * 1024;

/// Reads the streams that peers open, each in a task of its own.
pub(super) async fn accept(core: Arc<Core>, mut streams: IncomingStreams) {
    while let Some((peer, stream)) = streams.next().await {
        let origin = stream.origin().cloned().unwrap_or_else(|| Origin::peer(peer));
        let Ok(place) = core.streams.enter(&origin, 1) else {
            tracing::debug!(%peer, "refusing a bitswap stream: too many are read already");
            continue;
        };
        let reader = Arc::clone(&core);
        core.spawn(async move {
            tokio::select! {
                () = read(&reader, peer, stream, &origin, &place) => {}
                () = place.lost() => tracing::debug!(%peer, "ending a silent bitswap stream"),
            }
        });
    }
}

async fn read(core: &Arc<Core>, peer: PeerId, stream: Stream, origin: &Origin, place: &Share) {
    let room = Room { pool: &core.incoming, origin };
    let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
    let error = loop {
        match frame::read(&mut stream, room, frame::PATIENCE).await {
            Ok(Some((message, _room))) => {
                place.heard();
                handle(core, peer, origin, message);
            }
            Ok(None) => {
                let _ = stream.close().await;
                return;
            }
            Err(error) => break error,
        }
    };
    tracing::debug!(%peer, %error, "ending a bitswap stream");
    if matches!(error, ReadError::Decode(_) | ReadError::Length) {
        core.client.lose(&peer, &LossReason::Misbehaved(error.to_string()));
    }
}

fn handle(core: &Arc<Core>, peer: PeerId, origin: &Origin, message: Message) {
    core.client.receive(peer, message.blocks, &message.presences);
    core.receive_wants(peer, origin, &message.wantlist);
}

/// Forgets peers that are not connected any more.
pub(super) async fn watch(core: Arc<Core>, mut events: broadcast::Receiver<NodeEvent>) {
    loop {
        match events.recv().await {
            Ok(NodeEvent::Disconnected { peer, reason }) => {
                forget(&core, &peer, &reason.to_string());
            }
            Ok(_) => {}
            // Some may have gone unnoticed.
            Err(RecvError::Lagged(_)) => {
                for peer in core.server.peers() {
                    forget(&core, &peer, "the connection ended");
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Forgets a peer, unless it is connected (again).
fn forget(core: &Core, peer: &PeerId, reason: &str) {
    if core.node.connection(peer).is_none() {
        core.server.forget(peer);
        core.client.lose(peer, &LossReason::Disconnected(reason.to_owned()));
    }
}
