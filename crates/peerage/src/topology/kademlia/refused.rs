//! Counts what was refused.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often something of others was refused since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Records that are damaged, forged, under another's key, or of a kind that
    /// this network does not keep: offered to be kept, or as an answer.
    pub bad_records: u64,
    /// Records older than one that is known.
    pub stale_records: u64,
    /// Records for which there was no room, in all or for who sent them.
    pub crowded_records: u64,
    /// Provider records for which there was no room, in all, under their key or
    /// for their peer.
    pub crowded_providers: u64,
    /// Addresses from outside the network's scope, or too many.
    pub addresses: u64,
    /// Peers that have no address for the routing table.
    pub unreachable_peers: u64,
    /// Peers of a network that has its share of a bucket.
    pub crowding_peers: u64,
}

/// What [`Refused`] is read from.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) bad_records: AtomicU64,
    pub(super) stale_records: AtomicU64,
    pub(super) crowded_records: AtomicU64,
    pub(super) crowded_providers: AtomicU64,
    pub(super) addresses: AtomicU64,
    pub(super) unreachable_peers: AtomicU64,
    pub(super) crowding_peers: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Refused {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Refused {
            bad_records: of(&self.bad_records),
            stale_records: of(&self.stale_records),
            crowded_records: of(&self.crowded_records),
            crowded_providers: of(&self.crowded_providers),
            addresses: of(&self.addresses),
            unreachable_peers: of(&self.unreachable_peers),
            crowding_peers: of(&self.crowding_peers),
        }
    }
}

/// Counts one more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
