//! The keys that records and providers are kept under.

use libp2p::PeerId;
use libp2p::kad::RecordKey;
use peerage_core::discovery::Key;
use peerage_core::topology::kademlia;

/// The key of a peer's record.
pub(super) fn record_key(peer: &PeerId) -> RecordKey {
    RecordKey::from(kademlia::record_key(peer))
}

/// The key that providers are kept under, as Kubo has it.
pub(super) fn provider_key(key: &Key) -> RecordKey {
    RecordKey::from(key.multihash().to_bytes())
}
