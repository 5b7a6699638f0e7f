//! The requests to a tracker: whose streams are served, and what is answered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits::{
    MAX_TRACKER_REQUEST_BYTES, MAX_TRACKER_REQUESTS_PER_STREAM, MAX_TRACKER_STREAMS,
    MAX_TRACKER_STREAMS_PER_PEER, TRACKER_NETWORK_BURST, TRACKER_PEER_BURST,
    TRACKER_SILENCE_SECONDS, TRACKER_STREAM_SECONDS,
};
use futures::{AsyncWriteExt as _, StreamExt as _};
use libp2p::PeerId;
use peerage_core::discovery::registry::{Caller, Network, RecordForm};
use peerage_core::discovery::{rendezvous, tracker};
use peerage_core::routing::pool::{Origin, PoolLimits};
use tokio::task::{Id, JoinSet};

use super::frame::{self, FrameError};
use super::rate::Rates;
use super::server::{Core, TrackerStatus, now};
use super::{RENDEZVOUS, TRACKER};
use crate::node::{Connection, Direction, IncomingStreams, PeerInfo, Stream};
use crate::routing::{Share, SharedPool, direct_ip};
use crate::sync::lock;

const STREAM_TIME: Duration = Duration::from_secs(TRACKER_STREAM_SECONDS);
/// After how long a stream that says nothing makes room for another's: requests
/// come at once.
const SILENCE: Duration = Duration::from_secs(TRACKER_SILENCE_SECONDS);
const PEER_PER_SECOND: u32 = 1;
const NETWORK_PER_SECOND: u32 = 16;

/// How the software begins to name itself that reads only its own form of
/// signed records.
const RUST_LIBP2P: &str = "rust-libp2p/";

/// Counts requests, and what was not served.
#[derive(Debug)]
pub(super) struct Desk {
    peers: Rates<PeerId>,
    networks: Rates<Network>,
    status: TrackerStatus,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            peers: Rates::new(TRACKER_PEER_BURST, PEER_PER_SECOND),
            networks: Rates::new(TRACKER_NETWORK_BURST, NETWORK_PER_SECOND),
            status: TrackerStatus::default(),
        }
    }
}

impl Desk {
    pub(super) fn status(&self) -> TrackerStatus {
        self.status.clone()
    }

    /// Whether one more request of a caller is answered.
    fn admit(&mut self, caller: &Caller, now: Instant) -> bool {
        // Those who come through a relay only count as the peers that they are.
        let network = caller.seen.first().map(|address| Network::of(*address));
        let admitted = network.is_none_or(|network| self.networks.allow(network, now))
            && self.peers.allow(caller.peer, now);
        self.status.too_many_requests += u64::from(!admitted);
        admitted
    }

    fn count_end(&mut self, end: &Result<(), End>) {
        match end {
            Err(End::Malformed(_)) => self.status.malformed += 1,
            Err(End::TooSlow) => self.status.too_slow += 1,
            _ => {}
        }
    }
}

/// Why a stream is ended before its time.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("what came is no request: {0}")]
    Malformed(String),
    #[error("too many requests")]
    TooMany,
    #[error("it took too long")]
    TooSlow,
    #[error("the stream broke: {0}")]
    Io(#[from] std::io::Error),
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => Self::Io(error),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// Serves the streams that peers open, each in a task that ends with this.
pub(super) async fn accept(core: Arc<Core>, mut streams: IncomingStreams) {
    let mut serving = JoinSet::new();
    let mut whose: HashMap<Id, PeerId> = HashMap::new();
    let places = SharedPool::new(PoolLimits::of(MAX_TRACKER_STREAMS).with_silence(SILENCE));
    loop {
        tokio::select! {
            Some(ended) = serving.join_next_with_id() => {
                whose.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
            arrived = streams.next() => {
                let Some((peer, stream)) = arrived else { return };
                let of_peer = whose.values().filter(|other| **other == peer).count();
                let origin = stream.origin().cloned().unwrap_or_else(|| Origin::peer(peer));
                let place = places.enter(&origin, 1).ok();
                let place = place.filter(|_| of_peer < MAX_TRACKER_STREAMS_PER_PEER);
                let Some(place) = place else {
                    lock(&core.desk).status.streams_refused += 1;
                    continue;
                };
                let task = serving.spawn(serve(Arc::clone(&core), peer, stream, place));
                whose.insert(task.id(), peer);
            }
        }
    }
}

async fn serve(core: Arc<Core>, peer: PeerId, mut stream: Stream, place: Share) {
    let talk = tokio::time::timeout(STREAM_TIME, converse(&core, peer, &mut stream, &place));
    let end = tokio::select! {
        end = talk => end.unwrap_or(Err(End::TooSlow)),
        () = place.lost() => Err(End::TooSlow),
    };
    lock(&core.desk).count_end(&end);
    if let Err(reason) = end {
        tracing::debug!(%peer, %reason, "ending a stream to the tracker");
    }
}

/// Answers one request after another.
async fn converse(
    core: &Core,
    peer: PeerId,
    stream: &mut Stream,
    place: &Share,
) -> Result<(), End> {
    for _ in 0..MAX_TRACKER_REQUESTS_PER_STREAM {
        let Some(request) = frame::read(stream, MAX_TRACKER_REQUEST_BYTES).await? else { break };
        place.heard();
        let info = core.node.peer(&peer);
        let caller = Caller { peer, seen: info.as_ref().map_or_else(Vec::new, seen) };
        if !lock(&core.desk).admit(&caller, Instant::now()) {
            return Err(End::TooMany);
        }
        let answer = match stream.protocol() {
            protocol if *protocol == TRACKER => announcements(core, &caller, &request)?,
            protocol if *protocol == RENDEZVOUS => {
                registrations(core, &caller, info.as_ref(), &request)?
            }
            _ => None,
        };
        if let Some(answer) = answer {
            frame::write(stream, &answer).await?;
        }
    }
    Ok(stream.close().await?)
}

fn announcements(core: &Core, caller: &Caller, request: &[u8]) -> Result<Option<Vec<u8>>, End> {
    let request = tracker::Message::decode(request);
    let request = request.map_err(|error| End::Malformed(error.to_string()))?;
    let answer = tracker::answer(&mut core.registry(), caller, request, now());
    Ok(Some(answer.encode()))
}

fn registrations(
    core: &Core,
    caller: &Caller,
    info: Option<&PeerInfo>,
    request: &[u8],
) -> Result<Option<Vec<u8>>, End> {
    let request = rendezvous::Message::decode(request);
    let request = request.map_err(|error| End::Malformed(error.to_string()))?;
    let agent = info.and_then(|info| info.agent.as_deref()).unwrap_or_default();
    let reads =
        if agent.starts_with(RUST_LIBP2P) { RecordForm::Legacy } else { RecordForm::Standard };
    let answer = rendezvous::answer(&mut core.registry(), caller, reads, request, now());
    Ok(answer.map(|answer| answer.encode()))
}

/// Where a peer's direct connections come from; where one leads to proves nothing
/// of who else is there.
fn seen(info: &PeerInfo) -> Vec<IpAddr> {
    let incoming = |one: &&Connection| one.direction == Direction::Incoming;
    let connections = info.connections.iter().filter(incoming);
    connections.filter_map(|connection| direct_ip(&connection.address)).collect()
}
