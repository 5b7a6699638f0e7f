//! Says where this peer is and what it shares, by every way, as that changes.

use std::time::{SystemTime, UNIX_EPOCH};

use libp2p::{Multiaddr, identity::Keypair};
use peerage_core::discovery::{Key, SignedPeerRecord};
use tokio::sync::{broadcast::error::RecvError, watch};

use crate::{
    discovery::{Finder, Presence},
    node::Node,
    routing::is_loopback,
};

/// Announces the node's addresses and `keys` whenever they change, until the
/// node or the sender of the keys ends.
pub(super) async fn keep(
    node: Node,
    keypair: Keypair,
    finder: Finder,
    mut keys: watch::Receiver<Vec<Key>>,
) {
    let mut events = node.events();
    let mut announced = None;
    let mut sequence = 0;
    loop {
        let now = (worth_announcing(node.listen_addresses()), keys.borrow_and_update().clone());
        if announced.as_ref() != Some(&now) {
            sequence = next_after(sequence);
            let (addresses, keys) = now.clone();
            match SignedPeerRecord::sign(&keypair, sequence, addresses) {
                Ok(record) => finder.announce(Some(Presence { record, keys })),
                Err(error) => tracing::warn!(%error, "this peer cannot say where it is"),
            }
            announced = Some(now);
        }
        tokio::select! {
            changed = keys.changed() => if changed.is_err() { return },
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
