//! Says where this peer is and what it shares, by every way, as that changes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libp2p::{Multiaddr, identity::Keypair};
use peerage_core::discovery::SignedPeerRecord;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep_until},
};

use super::publish::Published;
use crate::{
    discovery::{Finder, Presence},
    node::Node,
    routing::is_loopback,
};

/// How long what is published is left as it is once it was looked at: who adds
/// thousands of files, or gets them, is announced once a second and not for each.
const PUBLISHED_PAUSE: Duration = Duration::from_secs(1);

/// Announces the node's addresses and what is published whenever they change,
/// until the node or the session ends.
pub(super) async fn keep(node: Node, keypair: Keypair, finder: Finder, mut published: Published) {
    let mut events = node.events();
    let (mut keys, mut again_at) = (published.keys(), Instant::now());
    let mut announced = None;
    let mut sequence = 0;
    loop {
        let now = (worth_announcing(node.listen_addresses()), keys.clone());
        if announced.as_ref() != Some(&now) {
            sequence = next_after(sequence);
            let (addresses, keys) = now.clone();
            match SignedPeerRecord::sign(&keypair, sequence, addresses) {
                Ok(record) => finder.announce(Some(Presence { record, keys })),
                Err(error) => tracing::warn!(%error, "this peer cannot say where it is"),
            }
            announced = Some(now);
        }
        let changed = async {
            sleep_until(again_at).await;
            published.changed().await
        };
        tokio::select! {
            goes_on = changed => {
                if !goes_on {
                    return;
                }
                (keys, again_at) = (published.keys(), Instant::now() + PUBLISHED_PAUSE);
            }
            event = events.recv() => match event {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// The number of the next record: the time in milliseconds, and always more
/// than before.
fn next_after(sequence: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(sequence + 1)
}

/// Loopback addresses count only where there are no others.
fn worth_announcing(mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    if !addresses.iter().all(is_loopback) {
        addresses.retain(|address| !is_loopback(address));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_numbered_upwards_whatever_the_clock_does() {
        assert!(next_after(0) > 1_600_000_000_000);
        assert_eq!(next_after(u64::MAX - 1), u64::MAX);
    }

    #[test]
    fn loopback_is_announced_only_where_there_is_nothing_else() {
        let parse = |text: &str| text.parse::<Multiaddr>().unwrap();
        let (local, other) = (parse("/ip4/127.0.0.1/tcp/1"), parse("/ip4/10.0.0.1/tcp/1"));
        assert_eq!(worth_announcing(vec![local.clone(), other.clone()]), [other]);
        assert_eq!(worth_announcing(vec![local.clone()]), [local]);
    }
}
