//! Serving: connections and their limits. What is answered is in `respond`.

use std::{
    any::Any,
    collections::HashMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use crate::limits::{
    GATEWAY_HEADER_SECONDS, GATEWAY_TURN_MILLISECONDS, GATEWAY_TURN_STALL_MILLISECONDS,
    GATEWAY_WRITE_STALL_BYTES, GATEWAY_WRITE_STALL_SECONDS, MAX_GATEWAY_CONNECTIONS,
    MAX_GATEWAY_CONNECTIONS_PER_PEER, MAX_GATEWAY_HEADER_BYTES, MAX_GATEWAY_HEADERS,
    MAX_GATEWAY_READ_AHEAD, MAX_GATEWAY_REQUESTS,
};
use futures::{AsyncRead, AsyncWrite, Stream, StreamExt as _};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use libp2p::PeerId;
use peerage_core::routing::pool::{Origin, PoolLimits};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    caller::Caller,
    io::{Guarded, StreamIo},
    reader::ReadError,
    respond::{misdirected, respond},
    turn::Turn,
};
use crate::exchange::{
    Hosts,
    serving::{self, Serving},
};
use crate::node;
use crate::routing::{Share, SharedPool};
use crate::sync::lock;

/// How long to rest, in milliseconds, when the system accepts no connection
/// (it is out of file descriptors, say).
const ACCEPT_REST_MILLISECONDS: u64 = 100;

/// How much a gateway does at once and how long it waits. The default is what
/// [`crate::limits`] says.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GatewayLimits {
    /// Requests that are answered at once, of everybody together.
    pub requests: usize,
    /// How many of them may have a next block read before it is needed.
    pub read_ahead: usize,
    /// How long a request waits for its turn before it is refused.
    pub turn: Duration,
    /// After how long an answer that is not read on gives its turn to others.
    pub stall: Duration,
    /// Streams and connections open at once.
    pub connections: usize,
    /// How many of them one peer may have.
    pub connections_per_peer: usize,
    /// How long to wait for a request's header.
    pub header: Duration,
    /// How long to wait for a client to take some of its answer.
    pub write_stall: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            requests: MAX_GATEWAY_REQUESTS,
            read_ahead: MAX_GATEWAY_READ_AHEAD,
            turn: Duration::from_millis(GATEWAY_TURN_MILLISECONDS),
            stall: Duration::from_millis(GATEWAY_TURN_STALL_MILLISECONDS),
            connections: MAX_GATEWAY_CONNECTIONS,
            connections_per_peer: MAX_GATEWAY_CONNECTIONS_PER_PEER,
            header: Duration::from_secs(GATEWAY_HEADER_SECONDS),
            write_stall: Duration::from_secs(GATEWAY_WRITE_STALL_SECONDS),
        }
    }
}

/// A trustless gateway that serves the blocks of a source. Cloning is cheap:
/// clones share limits and counters.
///
/// ```
/// use bytes::Bytes;
/// use peerage::{
///     access::Requester,
///     exchange::{BlockSource, SourceError, gateway::Gateway},
/// };
/// use peerage_core::data::{Block, Cid, HashKind, codec};
///
/// struct One(Block);
///
/// impl BlockSource for One {
///     fn get(&self, _: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
///         Ok((cid == self.0.cid()).then(|| self.0.data().clone()))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let block = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"dawn"));
/// let gateway = Gateway::new(One(block));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// println!("http://{}/ipfs/bafk...?format=raw", listener.local_addr()?);
/// let serving = tokio::spawn(async move { gateway.serve_tcp(listener).await });
/// serving.abort();
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Gateway {
    pub(super) shared: Arc<Shared>,
}

/// What all connections of a gateway share.
pub(super) struct Shared {
    pub(super) serving: Serving,
    pub(super) limits: GatewayLimits,
    pub(super) turns: SharedPool,
    pub(super) read_ahead: SharedPool,
    connections: SharedPool,
    by_peer: Mutex<HashMap<PeerId, usize>>,
    bytes_served: AtomicU64,
}

impl Gateway {
    /// A gateway to blocks, with the default limits. What happens is told by
    /// [`Serving::events`].
    pub fn new(blocks: impl Into<Serving>) -> Self {
        Self::with_limits(blocks, GatewayLimits::default())
    }

    /// A gateway with limits of its own.
    pub fn with_limits(blocks: impl Into<Serving>, limits: GatewayLimits) -> Self {
        let shared = Shared {
            serving: blocks.into(),
            limits,
            turns: SharedPool::new(PoolLimits::of(limits.requests).with_silence(limits.stall)),
            read_ahead: SharedPool::new(PoolLimits::of(limits.read_ahead)),
            connections: SharedPool::new(PoolLimits::of(limits.connections)),
            by_peer: Mutex::default(),
            bytes_served: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many bytes of blocks were handed to the network so far, CAR framing
    /// included.
    #[must_use]
    pub fn bytes_served(&self) -> u64 {
        self.shared.bytes_served.load(Ordering::Relaxed)
    }

    /// Serves one stream of `peer` until it ends. A stream over the limits is
    /// closed at once. One of a node counts as its connection does, others by
    /// the id of the peer.
    pub async fn serve_stream<S>(&self, peer: PeerId, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let of_node = (&stream as &dyn Any).downcast_ref::<node::Stream>();
        let origin = of_node.and_then(|stream| stream.origin().cloned());
        let origin = origin.unwrap_or_else(|| Origin::peer(peer));
        self.serve_io(Caller::Peer(peer), origin, None, StreamIo::new(stream)).await;
    }

    /// Serves all the streams that come, as from [`Node::accept`] of
    /// [`PROTOCOL`](super::PROTOCOL), until there are no more and the last has
    /// ended. Dropping the future closes them.
    ///
    /// [`Node::accept`]: crate::node::Node::accept
    pub async fn serve_streams<S>(&self, incoming: impl Stream<Item = (PeerId, S)>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut connections = JoinSet::new();
        let mut incoming = std::pin::pin!(incoming);
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                next = incoming.next() => match next {
                    Some((peer, stream)) => {
                        let gateway = self.clone();
                        connections.spawn(async move { gateway.serve_stream(peer, stream).await });
                    }
                    None => break,
                },
            }
        }
        while connections.join_next().await.is_some() {}
    }

    /// Serves plain HTTP to whoever connects to `listener`, until the future is
    /// dropped, which closes all connections. Who connects from this machine
    /// reads what this machine may, others what anybody may. Requests for another
    /// host than the address that was connected to and `localhost` are refused;
    /// see [`Gateway::serve_tcp_as`].
    pub async fn serve_tcp(&self, listener: TcpListener) -> Infallible {
        self.serve_tcp_as(listener, Hosts::default()).await
    }

    /// The same, under the names of `hosts` too.
    pub async fn serve_tcp_as(&self, listener: TcpListener, hosts: Hosts) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        let (gateway, hosts) = (self.clone(), hosts.clone());
                        connections.spawn(async move {
                            let Ok(at) = stream.local_addr() else { return };
                            // Frames are large: waiting to fill a packet gains nothing.
                            let _ = stream.set_nodelay(true);
                            let (caller, origin) = (Caller::Address(from.ip()), Origin::address(from.ip()));
                            gateway.serve_io(caller, origin, Some((hosts, at)), stream).await;
                        });
                    }
                    Err(error) => rest_after(&error).await,
                },
            }
        }
    }

    async fn serve_io<T>(
        &self,
        caller: Caller,
        origin: Origin,
        face: Option<(Hosts, SocketAddr)>,
        io: T,
    ) where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let Some(_seat) = self.shared.seat(caller, &origin) else {
            tracing::debug!(?caller, "a gateway stream over the limits was closed");
            return;
        };
        let limits = self.shared.limits;
        let io = Guarded::new(io, limits.write_stall, GATEWAY_WRITE_STALL_BYTES);
        let service = service_fn(|request| {
            let (shared, origin) = (Arc::clone(&self.shared), origin.clone());
            let ours = face.as_ref().is_none_or(|(hosts, at)| hosts.allow(*at, &request));
            async move {
                Ok::<_, Infallible>(match ours {
                    true => respond(&shared, caller, &origin, &request).await,
                    false => misdirected(),
                })
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_headers(MAX_GATEWAY_HEADERS)
            .max_header_size(MAX_GATEWAY_HEADER_BYTES)
            .max_buf_size(2 * MAX_GATEWAY_HEADER_BYTES)
            .serve_connection(TokioIo::new(io), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(?caller, %error, "a gateway stream ended");
        }
    }
}

async fn rest_after(error: &io::Error) {
    tracing::warn!(%error, "no HTTP connection can be accepted; trying again");
    tokio::time::sleep(Duration::from_millis(ACCEPT_REST_MILLISECONDS)).await;
}

impl Shared {
    /// A place among the open connections, if there is one left.
    fn seat(self: &Arc<Self>, caller: Caller, origin: &Origin) -> Option<Seat> {
        let place = self.connections.enter(origin, 1).ok()?;
        if let Caller::Peer(peer) = caller {
            let mut by_peer = lock(&self.by_peer);
            let count = by_peer.entry(peer).or_default();
            if *count >= self.limits.connections_per_peer {
                return None;
            }
            *count += 1;
        }
        Some(Seat { shared: Arc::clone(self), caller, _place: place })
    }
}

/// A place among the open connections, given back when dropped.
struct Seat {
    shared: Arc<Shared>,
    caller: Caller,
    _place: Share,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Caller::Peer(peer) = self.caller else { return };
        let mut by_peer = lock(&self.shared.by_peer);
        if let Some(count) = by_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                by_peer.remove(&peer);
            }
        }
    }
}

/// The account of one answer. Holds the answer's turn until it is dropped.
pub(super) struct Account {
    shared: Arc<Shared>,
    given: serving::Account,
    turn: Turn,
}

impl Account {
    pub(super) fn new(shared: &Arc<Shared>, given: serving::Account, turn: Turn) -> Self {
        Self { shared: Arc::clone(shared), given, turn }
    }

    /// Sees to it that the answer still has its turn.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        self.turn.poll_held(cx).map_err(|_| ReadError::Busy)
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.given.sent(bytes as u64);
        self.shared.bytes_served.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) const fn complete(&mut self) {
        self.given.complete();
    }
}
