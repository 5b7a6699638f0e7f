//! Finds providers for a get, and finds them again where they have gone.

use std::{convert::Infallible, time::Duration};

use futures::{StreamExt as _, future::join_all, stream::BoxStream};
use libp2p::PeerId;
use peerage_core::{data::Cid, discovery::Key, routing::keep::Backoff};
use tokio::{sync::broadcast::error::RecvError, time::sleep};

use super::reach::{Reacher, Reaching};
use crate::{
    discovery::{Answer, Finder},
    exchange::download::Provider,
    node::Node,
};

/// How long those who have a bare CID may take to show up.
const SEARCH_TIME: Duration = Duration::from_secs(10);

/// How long a provider's known addresses are tried before it is looked for:
/// what they take on most paths.
const HEAD_START: Duration = Duration::from_millis(300);

/// Whoever has content, or may have it, as they are found. Where they are is
/// in the node's address book by then, as far as it is worth dialling.
pub(super) fn providers(finder: &Finder, root: Cid) -> BoxStream<'static, Provider> {
    let found = |answer| match answer {
        Answer::Found(found) => Some(Provider { peer: found.peer, addresses: Vec::new() }),
        _ => None,
    };
    finder
        .watch(&Key::Content(root))
        .filter_map(move |answer| std::future::ready(found(answer)))
        .take_until(sleep(SEARCH_TIME))
        .boxed()
}

/// Looks for peers whenever they are not connected, and connects to them where
/// they are found. Never ends.
pub(super) async fn keep_finding(
    node: &Node,
    reacher: &Reacher,
    peers: Vec<Provider>,
) -> Infallible {
    join_all(peers.into_iter().map(|wanted| {
        let begin = if wanted.addresses.is_empty() { Duration::ZERO } else { HEAD_START };
        keep_finding_one(node, reacher, wanted.peer, begin)
    }))
    .await;
    std::future::pending().await
}

async fn keep_finding_one(
    node: &Node,
    reacher: &Reacher,
    peer: PeerId,
    mut pause: Duration,
) -> Infallible {
    let mut pauses = Backoff::default();
    loop {
        sleep(pause).await;
        if node.connection(&peer).is_some() {
            until_lost(node, &peer).await;
            pauses.reset();
            pause = HEAD_START;
            continue;
        }
        // Joins the attempt that is under way, if there is one. Whoever
        // wants the connection hears why it fails.
        drop(reacher.reach(peer, &Reaching::default()).await);
        pause = pauses.next_pause();
    }
}

/// Waits until a peer is not connected; for ever once the node has ended.
async fn until_lost(node: &Node, peer: &PeerId) {
    let mut events = node.events();
    while node.connection(peer).is_some() {
        if matches!(events.recv().await, Err(RecvError::Closed)) {
            return std::future::pending().await;
        }
    }
}
