//! The node: a key in, a stream out.
//!
//! A [`Node`] is a cheap handle. Behind it a task owns the swarm of libp2p
//! and decides; streams go from the socket to whoever reads them, past it.
//!
//! # Protocols from above
//!
//! Most protocols need streams alone: [`Node::accept`], [`Node::open_stream`].
//! One that must hear of every connection, dial by itself or answer on each of
//! them joins the swarm as a [`Part`], as Kademlia does: it brings a behaviour
//! and a handle that talk to each other by a channel of their own, and
//! [`Node::spawn_with`] takes the behaviour. The node knows none of them.
//!
//! A behaviour of libp2p becomes a part by [`Driven`]; here its ping, whose
//! handle is just what it hears:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use libp2p::ping;
//! use peerage::node::{Both, Driven, Node};
//! use peerage::presets;
//! use peerage::topology::kademlia::{self, KademliaConfig};
//!
//! let (heard, mut round_trips) = tokio::sync::mpsc::channel(16);
//! let (pinging, _commands) = Driven::new(
//!     ping::Behaviour::default(),
//!     // Its handle would ask it for this.
//!     |_ping, _command: ()| {},
//!     move |_ping, event: ping::Event| {
//!         // Who reads too slowly misses some.
//!         let _ = heard.try_send(event);
//!     },
//! );
//!
//! let config = presets::loopback();
//! let (routing, kademlia) = kademlia::part(config.peer_id(), KademliaConfig::machine());
//! let node = Node::spawn_with(config, Both::new(pinging, routing)).await?;
//!
//! let other = Node::spawn(presets::loopback()).await?;
//! node.connect(other.peer_id(), &other.listen_addresses()).await?;
//! let first = round_trips.recv().await.unwrap();
//! assert_eq!(first.peer, other.peer_id());
//! assert!(kademlia.table().await?.is_empty(), "the other does not take part");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod actor;
mod admission;
mod attempt;
mod behaviour;
mod book;
mod command;
mod config;
mod connections;
mod dial_back;
mod dialling;
mod error;
mod event;
mod hubs;
mod keep;
mod line;
mod part;
mod ping;
mod reach;
mod reachability;
mod reasons;
mod report;
mod serving;
mod spawn;
mod state;
mod stream;
mod stream_behaviour;
mod stream_handler;
mod streams;
mod whereabouts;

use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use libp2p::swarm::dummy;
use tokio::sync::{broadcast, mpsc};

pub use admission::RefusedConnections;
pub use config::{NodeConfig, NodeLimits, RelayLimits, Services};
pub use error::{
    AcceptError, AddressFailure, ConnectError, OpenStreamError, PingError, SpawnError,
};
pub use event::{Connection, Direction, DisconnectReason, NodeEvent, PeerInfo};
pub use keep::Keep;
pub use libp2p::{Multiaddr, PeerId, StreamProtocol};
pub use part::{Both, Driven, Part};
pub use peerage_core::routing::keep::{Reason, TooManyKept};
pub use report::{HubReach, Reach, Verdict};
pub use stream::Stream;
pub use streams::IncomingStreams;

pub use crate::routing::Network;

use command::Command;
use keep::Kept;
use state::State;
use streams::Streams;

use crate::routing::{Gate, TransportKind, ip, without_peer};

/// How long a peer may take to be connected, over all of its addresses.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running node; a cheap handle that may be cloned and sent to other tasks.
///
/// The node ends with its last handle, or by [`shutdown`](Self::shutdown).
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
/// use peerage::node::{Node, StreamProtocol};
/// use peerage::presets;
///
/// let chat = StreamProtocol::new("/chat/1");
/// let bob = Node::spawn(presets::loopback()).await?;
/// let mut callers = bob.accept(chat.clone())?;
///
/// let alice = Node::spawn(presets::loopback()).await?;
/// alice.connect(bob.peer_id(), &bob.listen_addresses()).await?;
/// let mut stream = alice.open_stream(bob.peer_id(), chat).await?;
/// stream.write_all(b"hello").await?;
/// stream.close().await?;
///
/// let (caller, mut stream) = callers.next().await.unwrap();
/// assert_eq!(caller, alice.peer_id());
/// let mut text = String::new();
/// stream.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Node(Arc<Handle>);

struct Handle {
    peer: PeerId,
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<NodeEvent>,
    state: Arc<State>,
    kept: Kept,
    streams: Streams,
    gate: Gate,
    refused: Arc<admission::Counters>,
}

impl Node {
    /// Starts a node; it listens when this returns. Must be called within a
    /// tokio runtime, where the node's task then runs.
    ///
    /// # Errors
    ///
    /// When an address of `config.listen` cannot be listened on, or the
    /// settings make no sense.
    pub async fn spawn(config: NodeConfig) -> Result<Self, SpawnError> {
        Self::spawn_with(config, dummy::Behaviour).await
    }

    /// As [`spawn`](Self::spawn), with protocols from above in its swarm: see
    /// [Protocols from above](self#protocols-from-above).
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn).
    pub async fn spawn_with<P: Part>(config: NodeConfig, parts: P) -> Result<Self, SpawnError> {
        spawn::spawn(config, parts).await
    }

    /// Who this node is.
    pub fn peer_id(&self) -> PeerId {
        self.0.peer
    }

    /// Where this node listens: an address for each interface, without the
    /// peer at its end.
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.0.state.listening()
    }

    /// Tells the node where a peer may be. It remembers a bounded number of
    /// peers and addresses, the newest; addresses that cannot be dialled or
    /// name another peer are left out.
    pub fn add_addresses(&self, peer: PeerId, addresses: &[Multiaddr]) {
        self.0.gate.vouch_for(addresses);
        self.0.state.book().add(peer, addresses);
    }

    /// Where a peer may be, as far as the node remembers: the newest first.
    pub fn known_addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.0.state.book().of(peer)
    }

    /// As [`add_addresses`](Self::add_addresses), on a stranger's word: what
    /// leads into private networks that this host is not in is left out. An
    /// attempt to connect to the peer that is under way takes them up.
    pub fn add_hints(&self, peer: PeerId, addresses: &[Multiaddr]) {
        let command = Command::Hint { peer, addresses: addresses.to_vec() };
        // When the node is that busy, what was found is found again.
        let _ = self.0.commands.try_send(command);
    }

    /// Those of a stranger's addresses that can be dialled on the stranger's word
    /// alone: IP addresses that can be meant for this host.
    pub(crate) fn worth_dialling(&self, told: &[Multiaddr]) -> Vec<Multiaddr> {
        let worth = self.0.gate.here().worth_dialling(told);
        worth.into_iter().filter(|address| ip(address).is_some()).collect()
    }

    /// Connects to a peer, at these addresses or others that are known; the
    /// addresses may have the peer at their end. Returns at once when it is
    /// connected already.
    ///
    /// # Errors
    ///
    /// When the peer cannot be reached within [`CONNECT_TIMEOUT`], or another
    /// peer proves to be where it was said to be.
    pub async fn connect(
        &self,
        peer: PeerId,
        addresses: &[Multiaddr],
    ) -> Result<Connection, ConnectError> {
        if peer == self.0.peer {
            return Err(ConnectError::OwnPeer(peer));
        }
        let (waiter, answer) = oneshot::channel();
        self.0.gate.vouch_for(addresses);
        let addresses = addresses.to_vec();
        let outcome = async {
            let command = Command::Connect { peer, addresses, waiter };
            self.0.commands.send(command).await.map_err(|_| ConnectError::Stopped)?;
            answer.await.map_err(|_| ConnectError::Stopped)?
        };
        tokio::time::timeout(CONNECT_TIMEOUT, outcome)
            .await
            .unwrap_or(Err(ConnectError::TimedOut { peer, after: CONNECT_TIMEOUT }))
    }

    /// Stays connected with a peer for as long as the result is held: whenever
    /// it is not connected it is dialled, at these addresses and others that are
    /// known, at once and then after ever longer pauses; and at once again when
    /// the network changes, or a hub that was lost is back.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use peerage::node::{Node, Reason};
    /// use peerage::presets;
    ///
    /// let bob = Node::spawn(presets::loopback()).await?;
    /// let alice = Node::spawn(presets::loopback()).await?;
    /// let mut kept = alice.keep(bob.peer_id(), &bob.listen_addresses(), Reason::Provider)?;
    /// while alice.connection(&bob.peer_id()).is_none() {
    ///     kept.tried().await;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// When the node stays connected with as many peers as it may.
    pub fn keep(
        &self,
        peer: PeerId,
        addresses: &[Multiaddr],
        reason: Reason,
    ) -> Result<Keep, TooManyKept> {
        self.0.gate.vouch_for(addresses);
        // It need not be dialled to be reached if it is this node.
        let is_there = || peer == self.0.peer || self.connection(&peer).is_some();
        self.0.kept.keep(peer, addresses, reason, is_there)
    }

    /// Opens a stream to a peer for one protocol, and connects to it before
    /// if need be. The best connection is taken: TCP before QUIC before
    /// WebSocket, and among equals the newest.
    ///
    /// # Errors
    ///
    /// When the peer cannot be connected, does not speak the protocol, or has
    /// too many streams open.
    pub async fn open_stream(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> Result<Stream, OpenStreamError> {
        self.open_stream_any(peer, &[protocol]).await
    }

    /// As [`open_stream`](Self::open_stream), for the first of several
    /// protocols that the peer speaks; [`Stream::protocol`] says which.
    ///
    /// # Errors
    ///
    /// As for [`open_stream`](Self::open_stream).
    pub async fn open_stream_any(
        &self,
        peer: PeerId,
        protocols: &[StreamProtocol],
    ) -> Result<Stream, OpenStreamError> {
        self.connect(peer, &[]).await?;
        self.0.streams.open(peer, protocols.into()).await
    }

    /// Accepts streams that peers open for a protocol, from now on until the
    /// result is dropped.
    ///
    /// # Errors
    ///
    /// When someone else accepts the protocol already.
    pub fn accept(&self, protocol: StreamProtocol) -> Result<IncomingStreams, AcceptError> {
        self.accept_any(&[protocol])
    }

    /// As [`accept`](Self::accept), for several protocols in one;
    /// [`Stream::protocol`] says which it is.
    ///
    /// # Errors
    ///
    /// When someone else accepts one of them already.
    pub fn accept_any(&self, protocols: &[StreamProtocol]) -> Result<IncomingStreams, AcceptError> {
        self.0.streams.accept(protocols)
    }

    /// The protocols whose streams this node accepts now, for whoever they are,
    /// in the order of their names.
    pub fn accepted_protocols(&self) -> Vec<StreamProtocol> {
        let mut protocols = self.0.streams.protocols().to_vec();
        protocols.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        protocols
    }

    /// Measures one round trip to a peer, and connects to it before if need
    /// be.
    ///
    /// # Errors
    ///
    /// When the peer cannot be connected, does not speak ping, or does not
    /// answer within 10 s.
    pub async fn ping(&self, peer: PeerId) -> Result<Duration, PingError> {
        let mut stream = self.open_stream(peer, ping::PROTOCOL).await?;
        tokio::time::timeout(ping::TIMEOUT, ping::round_trip(&mut stream))
            .await
            .unwrap_or(Err(PingError::TimedOut(ping::TIMEOUT)))
    }

    /// All connected peers.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.0.state.connections.infos()
    }

    /// A connected peer.
    pub fn peer(&self, peer: &PeerId) -> Option<PeerInfo> {
        self.0.state.connections.info(peer)
    }

    /// The connection to a peer that new streams take, if there is one.
    pub fn connection(&self, peer: &PeerId) -> Option<Connection> {
        self.0.state.connections.best(peer)
    }

    /// Waits until this node is reached over a relay of its hubs, or `patience`
    /// is over; not at all without hubs. Whether it is reached.
    ///
    /// With a circuit alone it waits a second more for a relay of connections
    /// that roam: whoever is given both addresses has the better one.
    pub async fn until_reached(&self, patience: Duration) -> bool {
        if self.reach().await.hubs.is_empty() {
            return false;
        }
        let relayed = |kind: TransportKind| kind.is_relayed();
        if tokio::time::timeout(patience, self.until_listening(relayed)).await.is_err() {
            return false;
        }
        let roaming = self.until_listening(|kind| kind == TransportKind::Relay);
        let _ = tokio::time::timeout(Duration::from_secs(1), roaming).await;
        true
    }

    /// Waits until an address of some kind is one of this node's.
    async fn until_listening(&self, wanted: impl Fn(TransportKind) -> bool) {
        let mut events = self.events();
        let there = || self.listen_addresses().iter().any(|one| wanted(TransportKind::of(one)));
        while !there() {
            if matches!(events.recv().await, Err(broadcast::error::RecvError::Closed)) {
                return;
            }
        }
    }

    /// Connects to whoever is at an address without a peer at its end, and says
    /// who that is; `None` when nobody answers within [`CONNECT_TIMEOUT`].
    pub async fn who_is(&self, address: &Multiaddr) -> Option<PeerId> {
        let (reply, answer) = oneshot::channel();
        let command = Command::WhoIs { address: without_peer(address), reply };
        let asked = async {
            self.0.commands.send(command).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(CONNECT_TIMEOUT, asked).await.ok().flatten()
    }

    /// How this node can be reached, as far as it knows now; nothing once it
    /// has stopped.
    pub async fn reach(&self) -> Reach {
        let (reply, answer) = oneshot::channel();
        match self.0.commands.send(Command::Report { reply }).await {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(_) => Reach::default(),
        }
    }

    /// Whether a peer speaks a protocol; `None` while it is not connected or
    /// has not said yet.
    pub fn supports(&self, peer: &PeerId, protocol: &StreamProtocol) -> Option<bool> {
        self.0.state.connections.supports(peer, protocol)
    }

    /// How many connections of others were refused, and why.
    pub fn refused_connections(&self) -> RefusedConnections {
        self.0.refused.read()
    }

    /// What happens from now on. One who reads too slowly misses the oldest
    /// events, and is told so by the receiver.
    pub fn events(&self) -> broadcast::Receiver<NodeEvent> {
        self.0.events.subscribe()
    }

    /// Ends all connections to a peer; its streams break.
    pub async fn disconnect(&self, peer: PeerId) {
        let (done, finished) = oneshot::channel();
        if self.0.commands.send(Command::Disconnect { peer, done }).await.is_ok() {
            let _ = finished.await;
        }
    }

    /// Ends the node: connections are closed in order, within half a second.
    /// Other handles find it stopped.
    pub async fn shutdown(&self) {
        let (done, finished) = oneshot::channel();
        if self.0.commands.send(Command::Shutdown { done }).await.is_ok() {
            let _ = finished.await;
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Node").field(&self.0.peer).finish()
    }
}
