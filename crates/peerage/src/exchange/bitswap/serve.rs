//! The server's part: answers what peers want.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::limits::{
    BITSWAP_SMALL_BLOCK_BYTES, MAX_BITSWAP_SERVED_PEERS, MAX_BITSWAP_WANTS_PER_PEER,
};
use bytes::Bytes;
use peerage_core::routing::pool::{Origin, Pool, PoolLimits};
use peerage_core::{
    data::Cid,
    exchange::bitswap::{Asked, Found, Ledger, Reply, Version, Want, Wantlist},
};
use tokio::{sync::Notify, time::timeout};

use super::{
    Core, SILENCE,
    outgoing::{KEEP, Outgoing, SendError},
    tally::{Blocks, QUIET, Tally},
};
use crate::{
    access::Requester,
    exchange::{Serving, SourceError, serving::Reader},
    node::PeerId,
    routing::Share,
    sync::lock,
};

/// How long a peer that wants nothing is remembered.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// How long one waits for a place among the answers before it is looked whether
/// the peer is still there.
const REPLY_WAIT: Duration = Duration::from_secs(10);

/// Every peer's ledger, and where the blocks come from.
pub(super) struct Server {
    serving: Option<Serving>,
    served: Mutex<ServedPeers>,
    bytes_sent: AtomicU64,
}

/// The peers that are served, and their places.
struct ServedPeers {
    peers: HashMap<PeerId, Arc<Served>>,
    places: Pool<PeerId>,
    started: Instant,
}

/// What is known of one peer's wants. A task answers them.
struct Served {
    /// As whom the peer counts.
    origin: Origin,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// Wants over the limit that are still to be refused in words.
    refused: Vec<Cid>,
    /// Set when the peer is gone: its task ends, and a new one is for another
    /// entry.
    gone: bool,
}

/// A message ready to be written, and its place among all that wait.
struct Answer {
    frame: Bytes,
    block_bytes: usize,
    blocks: Blocks,
    _place: Share,
}

impl Server {
    pub(super) fn new(serving: Option<Serving>) -> Self {
        let places = PoolLimits::of(MAX_BITSWAP_SERVED_PEERS).with_silence(SILENCE);
        let served = Mutex::new(ServedPeers {
            peers: HashMap::new(),
            places: Pool::new(places),
            started: Instant::now(),
        });
        Self { serving, served, bytes_sent: AtomicU64::new(0) }
    }

    /// The blocks as a peer sees them.
    fn reader(&self, peer: PeerId) -> Option<Reader> {
        let serving = self.serving.as_ref()?;
        Some(serving.reader(Requester::Peer(peer)))
    }

    pub(super) fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    pub(super) fn arrived(&self, cids: &[Cid]) {
        let served: Vec<_> = lock(&self.served).peers.values().cloned().collect();
        for peer in served {
            let mut state = lock(&peer.state);
            let waited = cids.iter().filter(|cid| state.ledger.arrived(cid)).count();
            if waited > 0 {
                peer.changed.notify_one();
            }
        }
    }

    pub(super) fn forget(&self, peer: &PeerId) {
        lock(&self.served).remove(peer);
    }

    /// Ends an entry if its ledger is as it should be, and forgets the peer
    /// unless it has a newer one.
    fn end(&self, peer: &PeerId, entry: &Arc<Served>, condition: fn(&Ledger) -> bool) {
        let mut served = lock(&self.served);
        let mut state = lock(&entry.state);
        if !condition(&state.ledger) {
            return;
        }
        state.gone = true;
        if served.peers.get(peer).is_some_and(|current| Arc::ptr_eq(current, entry)) {
            served.peers.remove(peer);
            served.places.leave(peer);
        }
    }

    pub(super) fn peers(&self) -> Vec<PeerId> {
        lock(&self.served).peers.keys().copied().collect()
    }

    /// The peer's entry, made if need be (then the second is true) and if
    /// there is room.
    fn entry(&self, peer: PeerId, origin: &Origin) -> Option<(Arc<Served>, bool)> {
        let mut served = lock(&self.served);
        let now = served.started.elapsed();
        if let Some(entry) = served.peers.get(&peer).cloned() {
            served.places.heard(&peer, now);
            return Some((entry, false));
        }
        if !served.enter(peer, origin, now) {
            served.end_idle();
            if !served.enter(peer, origin, now) {
                return None;
            }
        }
        let (state, changed) = Default::default();
        let entry = Arc::new(Served { origin: origin.clone(), state, changed });
        served.peers.insert(peer, Arc::clone(&entry));
        Some((entry, true))
    }
}

impl ServedPeers {
    /// Gives a peer a place, if need be that of one who has been silent.
    fn enter(&mut self, peer: PeerId, origin: &Origin, now: Duration) -> bool {
        match self.places.enter(peer, origin, 1, now) {
            Ok(lost) => {
                lost.iter().for_each(|peer| {
                    self.remove(peer);
                });
                true
            }
            Err(_) => false,
        }
    }

    /// Forgets a peer that wants nothing.
    fn end_idle(&mut self) {
        let idle = self.peers.iter().find(|(_, entry)| lock(&entry.state).ledger.is_empty());
        if let Some(peer) = idle.map(|(peer, _)| *peer) {
            self.remove(&peer);
        }
    }

    fn remove(&mut self, peer: &PeerId) -> bool {
        self.places.leave(peer);
        let entry = self.peers.remove(peer);
        entry.iter().for_each(|entry| entry.end());
        entry.is_some()
    }
}

impl Core {
    /// Takes in what a peer wants and sees to it that it is answered.
    pub(super) fn receive_wants(
        self: &Arc<Self>,
        peer: PeerId,
        origin: &Origin,
        wantlist: &Wantlist,
    ) {
        if wantlist.entries.is_empty() && !wantlist.full {
            return;
        }
        // An entry may end between being found and being used: once.
        for _ in 0..2 {
            let Some((served, new)) = self.server.entry(peer, origin) else {
                tracing::debug!(%peer, "not answering: too many peers are served already");
                return;
            };
            if new {
                self.spawn(answer(Arc::clone(self), peer, Arc::clone(&served)));
            }
            if served.receive(wantlist) {
                return;
            }
        }
    }
}

impl Served {
    /// Takes in a want-list; `false` when the entry has ended.
    fn receive(&self, wantlist: &Wantlist) -> bool {
        let mut state = lock(&self.state);
        if state.gone {
            return false;
        }
        let accepted = state.ledger.receive(wantlist);
        let room = MAX_BITSWAP_WANTS_PER_PEER.saturating_sub(state.refused.len());
        state.refused.extend(accepted.refused.into_iter().take(room));
        self.changed.notify_one();
        true
    }

    fn end(&self) {
        lock(&self.state).gone = true;
        self.changed.notify_one();
    }

    fn has_work(&self) -> bool {
        let state = lock(&self.state);
        state.ledger.has_queued() || !state.refused.is_empty()
    }

    fn is_gone(&self) -> bool {
        lock(&self.state).gone
    }

    /// Waits until there is something to answer; `false` when the peer is gone.
    async fn work(&self) -> bool {
        loop {
            if self.is_gone() {
                return false;
            }
            if self.has_work() {
                return true;
            }
            self.changed.notified().await;
        }
    }

    /// Looks wants up until a message is full, and notes the blocks in it. Reads
    /// from disk.
    fn reply(&self, blocks: Option<&Reader>) -> (Reply, Blocks) {
        let (mut reply, mut noted) = (Reply::default(), Blocks::default());
        reply.refuse(std::mem::take(&mut lock(&self.state).refused));
        while !reply.is_full() {
            let Some(asked) = lock(&self.state).ledger.next_asked() else { break };
            let found = look_up(blocks, &asked);
            if matches!(found, Found::Block(_)) {
                noted.note(asked.cid, blocks.is_some_and(|blocks| blocks.begins(&asked.cid)));
            }
            let outcome = reply.add(&asked, found);
            lock(&self.state).ledger.settle(&asked.cid, outcome);
        }
        (reply, noted)
    }
}

/// What is not for the peer is not here, and what cannot be read neither.
fn look_up(blocks: Option<&Reader>, asked: &Asked) -> Found {
    let found = blocks.map_or(Ok(Found::Nothing), |blocks| try_look_up(blocks, asked));
    found.unwrap_or(Found::Nothing)
}

fn try_look_up(blocks: &Reader, asked: &Asked) -> Result<Found, SourceError> {
    if asked.want == Want::Have {
        match blocks.size(&asked.cid)? {
            None => return Ok(Found::Nothing),
            Some(bytes) if bytes > BITSWAP_SMALL_BLOCK_BYTES => return Ok(Found::Here),
            Some(_) => {}
        }
    }
    Ok(blocks.get(&asked.cid)?.map_or(Found::Nothing, Found::Block))
}

/// Answers one peer until it is gone, or has wanted nothing for a while.
async fn answer(core: Arc<Core>, peer: PeerId, served: Arc<Served>) {
    let mut outgoing = Outgoing::new(core.node.clone(), peer);
    let mut tally = Tally::new(core.server.serving.clone(), peer);
    loop {
        let patience = match (tally.is_open(), outgoing.is_open()) {
            (true, _) => QUIET,
            (false, true) => KEEP,
            (false, false) => FORGET_AFTER,
        };
        match timeout(patience, served.work()).await {
            Ok(true) => {
                if let Err(error) =
                    answer_all(&core, peer, &served, &mut outgoing, &mut tally).await
                {
                    tracing::debug!(%peer, %error, "a peer's wants are not answered any more");
                    return core.server.end(&peer, &served, |_| true);
                }
            }
            Ok(false) => return,
            Err(_) if tally.is_open() => tally.told(),
            Err(_) if outgoing.is_open() => outgoing.close().await,
            Err(_) => core.server.end(&peer, &served, Ledger::is_empty),
        }
    }
}

/// Answers what there is now. The next message is read from disk while one is
/// written.
async fn answer_all(
    core: &Arc<Core>,
    peer: PeerId,
    served: &Arc<Served>,
    outgoing: &mut Outgoing,
    tally: &mut Tally,
) -> Result<(), SendError> {
    let version = outgoing.version().await?;
    let blocks = core.server.reader(peer);
    let mut next = prepare(core, &blocks, served, version).await;
    while let Some(answer) = next {
        let sent = answer.blocks;
        let (written, following) =
            tokio::join!(write(outgoing, answer), prepare(core, &blocks, served, version));
        let written = written?;
        core.server.bytes_sent.fetch_add(written, Ordering::Relaxed);
        tally.sent(&sent, written);
        next = following;
    }
    tally.complete();
    Ok(())
}

/// Writes an answer and drops it at once: its place may be the one that the
/// next needs. Returns the bytes of its blocks.
async fn write(outgoing: &mut Outgoing, answer: Answer) -> Result<u64, SendError> {
    outgoing.write(&answer.frame).await?;
    Ok(answer.block_bytes as u64)
}

/// Makes a message of the next answers on a thread that may wait for a disk.
/// `None` when nothing is left to say.
async fn prepare(
    core: &Core,
    blocks: &Option<Reader>,
    served: &Arc<Served>,
    version: Version,
) -> Option<Answer> {
    loop {
        if served.is_gone() || !served.has_work() {
            return None;
        }
        let waiting = core.replies.wait(&served.origin, 1, REPLY_WAIT);
        let Ok(place) = waiting.await else { continue };
        let (blocks, served) = (blocks.clone(), Arc::clone(served));
        let reading = tokio::task::spawn_blocking(move || {
            let (reply, noted) = served.reply(blocks.as_ref());
            let block_bytes = reply.block_bytes();
            let frame = reply.into_message()?.encode_framed(version);
            Some(Answer { frame, block_bytes, blocks: noted, _place: place })
        });
        match reading.await {
            Ok(Some(answer)) => return Some(answer),
            // Wants that nobody wanted word of: look at the next.
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "looking blocks up failed");
                return None;
            }
        }
    }
}
