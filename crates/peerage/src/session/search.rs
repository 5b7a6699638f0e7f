//! Finds providers for a get, and finds them again where they have gone.

use std::{convert::Infallible, time::Duration};

use futures::{StreamExt as _, future::join_all, stream::BoxStream};
use libp2p::PeerId;
use peerage_core::{data::Cid, discovery::Key};
use tokio::time::sleep;

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

/// The pauses between looking for a provider that is not connected, one after
/// the other; the last one from then on.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

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
pub(super) async fn keep_finding(node: &Node, finder: &Finder, peers: Vec<Provider>) -> Infallible {
    join_all(peers.into_iter().map(|wanted| {
        let begin = if wanted.addresses.is_empty() { Duration::ZERO } else { HEAD_START };
        keep_finding_one(node, finder, wanted.peer, begin)
    }))
    .await;
    std::future::pending().await
}

async fn keep_finding_one(
    node: &Node,
    finder: &Finder,
    peer: PeerId,
    begin: Duration,
) -> Infallible {
    let mut pauses = PAUSES.iter();
    sleep(begin).await;
    loop {
        if node.connection(&peer).is_some() {
            pauses = PAUSES.iter();
        } else if finder.find_peer(peer).await.is_some() {
            // Joins the attempt that is under way, if there is one. Whoever
            // wants the connection hears why it fails.
            drop(node.connect(peer, &[]).await);
        }
        sleep(*pauses.next().unwrap_or(&PAUSES[PAUSES.len() - 1])).await;
    }
}
