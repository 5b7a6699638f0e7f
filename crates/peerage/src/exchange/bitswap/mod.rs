//! Bitswap over the node's streams: blocks for, and from, every IPFS peer.
//!
//! Streams of bitswap go one way: each side opens its own to speak. So there
//! is one [`Bitswap`] for a node, which reads what peers send and gives
//! want-lists to the server's part and blocks to the client's [`Session`]s.
//! What is said, and the rules, are in
//! [`peerage_core::exchange::bitswap`].

mod client;
mod frame;
mod incoming;
mod link;
mod outgoing;
mod serve;
mod session;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{
    BITSWAP_INCOMING_BYTES, BITSWAP_SILENCE_SECONDS, MAX_BITSWAP_REPLIES, MAX_BITSWAP_STREAMS,
};
use peerage_core::data::Cid;
pub use peerage_core::exchange::bitswap::{
    Event, LossReason, SessionConfig, TooManyPeers, TooManyWants, Version,
};
use peerage_core::routing::pool::PoolLimits;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::session::Session;
use self::{client::Client, serve::Server};
use crate::{
    exchange::Serving,
    node::{AcceptError, Node, PeerId, StreamProtocol},
    routing::SharedPool,
};

/// Bitswap on one node: a cheap handle; clone it freely.
///
/// It ends with its last handle and the last of its sessions, or with the
/// node.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use bytes::Bytes;
/// use peerage::{
///     access::Requester,
///     exchange::{BlockSource, SourceError, bitswap::{Bitswap, Event}},
///     node::Node,
///     presets,
/// };
/// use peerage_core::data::{Block, Cid, HashKind, codec};
///
/// struct Shelf(Block);
/// impl BlockSource for Shelf {
///     fn get(&self, _: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
///         Ok((cid == self.0.cid()).then(|| self.0.data().clone()))
///     }
/// }
///
/// let block = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"dawn"));
/// let bob = Node::spawn(presets::loopback()).await?;
/// let _serving = Bitswap::start(&bob, Some(Shelf(block.clone()).into()))?;
///
/// let alice = Node::spawn(presets::loopback()).await?;
/// alice.add_addresses(bob.peer_id(), &bob.listen_addresses());
/// let session = Bitswap::start(&alice, None)?.session(&[bob.peer_id()])?;
/// session.want(&[*block.cid()])?;
/// assert_eq!(session.next().await, Some(Event::Block { block, from: bob.peer_id() }));
/// assert_eq!(session.next().await, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Bitswap {
    core: Arc<Core>,
    _running: Arc<DropGuard>,
}

/// After how long a stream, or a peer's wants, of which nothing is heard make
/// room for another's.
const SILENCE: Duration = Duration::from_secs(BITSWAP_SILENCE_SECONDS);

/// What the handles and the tasks share.
struct Core {
    node: Node,
    server: Server,
    client: Client,
    /// The streams of others that are read.
    streams: SharedPool,
    /// The KiB of large messages that are being read.
    incoming: SharedPool,
    /// The answers that are held in memory.
    replies: SharedPool,
    stop: CancellationToken,
}

impl Bitswap {
    /// Starts bitswap on a node, of versions 1.2, 1.1 and 1.0. With blocks to
    /// serve, whoever asks gets those that are for it; without, is told that
    /// nothing is here. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When bitswap runs on the node already.
    pub fn start(node: &Node, blocks: Option<Serving>) -> Result<Self, AcceptError> {
        let streams = node.accept_any(&protocols())?;
        let stop = CancellationToken::new();
        let core = Arc::new(Core {
            node: node.clone(),
            server: Server::new(blocks),
            client: Client::default(),
            streams: SharedPool::new(PoolLimits::of(MAX_BITSWAP_STREAMS).with_silence(SILENCE)),
            incoming: SharedPool::new(PoolLimits::of(BITSWAP_INCOMING_BYTES / 1024)),
            replies: SharedPool::new(PoolLimits::of(MAX_BITSWAP_REPLIES)),
            stop: stop.clone(),
        });
        core.spawn(incoming::accept(Arc::clone(&core), streams));
        core.spawn(incoming::watch(Arc::clone(&core), node.events()));
        Ok(Self { core, _running: Arc::new(stop.drop_guard()) })
    }

    /// Begins to ask these peers for blocks; they are connected when they are
    /// first asked, at addresses that the node knows.
    ///
    /// # Errors
    ///
    /// When there are more peers than one session may ask.
    pub fn session(&self, peers: &[PeerId]) -> Result<Session, TooManyPeers> {
        self.session_with(peers, SessionConfig::default())
    }

    /// As [`session`](Self::session), with another patience.
    ///
    /// # Errors
    ///
    /// As for [`session`](Self::session).
    pub fn session_with(
        &self,
        peers: &[PeerId],
        config: SessionConfig,
    ) -> Result<Session, TooManyPeers> {
        Session::start(self.clone(), peers, config)
    }

    /// Tells the server that these blocks are there now: peers that asked for
    /// them before are sent them.
    pub fn arrived(&self, cids: &[Cid]) {
        self.core.server.arrived(cids);
    }

    /// How many bytes of blocks were sent to peers since the start.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.core.server.bytes_sent()
    }
}

impl Core {
    /// Runs a task until it is done or bitswap ends.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(task));
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bitswap").field("node", &self.node).finish_non_exhaustive()
    }
}

/// The names of bitswap's versions, the preferred one first.
fn protocols() -> [StreamProtocol; 3] {
    Version::ALL.map(|version| StreamProtocol::new(version.protocol()))
}

fn version_of(protocol: &StreamProtocol) -> Version {
    let named = Version::ALL.into_iter().find(|version| version.protocol() == protocol.as_ref());
    named.unwrap_or(Version::V1_2)
}
