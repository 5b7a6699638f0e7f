//! The tracker's peers as those of the zone.

use std::sync::Arc;

use crate::limits::MAX_ZONE_LIVE_PEERS;
use libp2p::PeerId;
use peerage_core::discovery::SignedPeerRecord;

use crate::discovery::LivePeers;
use crate::discovery::tracker::TrackerServer;

/// Who is in a tracker's registry, as far as all of their word is vouched for.
pub(super) struct Live(pub(super) Arc<TrackerServer>);

impl LivePeers for Live {
    fn live(&self) -> Vec<SignedPeerRecord> {
        self.0.records(MAX_ZONE_LIVE_PEERS)
    }

    fn record(&self, peer: &PeerId) -> Option<SignedPeerRecord> {
        self.0.peer(peer)?.record
    }
}
