//! Serving: connections and their limits. What is answered is in `respond`.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::limits::{
    GATEWAY_HEADER_SECONDS, GATEWAY_TURN_MILLISECONDS, GATEWAY_WRITE_STALL_BYTES,
    GATEWAY_WRITE_STALL_SECONDS, MAX_GATEWAY_CONNECTIONS, MAX_GATEWAY_CONNECTIONS_PER_PEER,
    MAX_GATEWAY_HEADER_BYTES, MAX_GATEWAY_HEADERS, MAX_GATEWAY_READ_AHEAD, MAX_GATEWAY_REQUESTS,
};
use futures::{AsyncRead, AsyncWrite, Stream, StreamExt as _};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use libp2p::PeerId;
use peerage_core::{Advice as _, data::Cid};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
    task::JoinSet,
};

use super::{
    GatewayEvent,
    io::{Guarded, StreamIo},
    reader::ReadError,
    respond::respond,
};
use crate::exchange::BlockSource;

/// How many events wait for whoever listens before the oldest is dropped.
const EVENTS_KEPT: usize = 256;

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
            connections: MAX_GATEWAY_CONNECTIONS,
            connections_per_peer: MAX_GATEWAY_CONNECTIONS_PER_PEER,
            header: Duration::from_secs(GATEWAY_HEADER_SECONDS),
            write_stall: Duration::from_secs(GATEWAY_WRITE_STALL_SECONDS),
        }
    }
}

/// A trustless gateway that serves the blocks of a source. Cloning is cheap:
/// clones share limits and events.
///
/// ```
/// use bytes::Bytes;
/// use peerage::exchange::{BlockSource, SourceError, gateway::Gateway};
/// use peerage_core::data::{Block, Cid, HashKind, codec};
///
/// struct One(Block);
///
/// impl BlockSource for One {
///     fn get(&self, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
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
    pub(super) source: Arc<dyn BlockSource>,
    pub(super) limits: GatewayLimits,
    pub(super) turns: Arc<Semaphore>,
    pub(super) read_ahead: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    by_peer: Mutex<HashMap<PeerId, usize>>,
    events: broadcast::Sender<GatewayEvent>,
    bytes_served: AtomicU64,
}

impl Gateway {
    /// A gateway to the blocks of `source`, with the default limits.
    pub fn new(source: impl BlockSource) -> Self {
        Self::with_limits(source, GatewayLimits::default())
    }

    /// A gateway with limits of its own.
    pub fn with_limits(source: impl BlockSource, limits: GatewayLimits) -> Self {
        let shared = Shared {
            source: Arc::new(source),
            limits,
            turns: Arc::new(Semaphore::new(limits.requests)),
            read_ahead: Arc::new(Semaphore::new(limits.read_ahead)),
            connections: Arc::new(Semaphore::new(limits.connections)),
            by_peer: Mutex::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            bytes_served: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What happens from now on. At most 256 events wait; who is slower is told
    /// how many were missed.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<GatewayEvent> {
        self.shared.events.subscribe()
    }

    /// How many bytes of blocks were handed to the network so far, CAR framing
    /// included.
    #[must_use]
    pub fn bytes_served(&self) -> u64 {
        self.shared.bytes_served.load(Ordering::Relaxed)
    }

    /// Serves one stream of `peer` until it ends. A stream over the limits is
    /// closed at once.
    pub async fn serve_stream<S>(&self, peer: PeerId, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.serve_io(Some(peer), StreamIo::new(stream)).await;
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
    /// dropped, which closes all connections. Bind it to `127.0.0.1` unless
    /// everybody on the network may read by CID.
    pub async fn serve_tcp(&self, listener: TcpListener) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let gateway = self.clone();
                        connections.spawn(async move {
                            // Frames are large: waiting to fill a packet gains nothing.
                            let _ = stream.set_nodelay(true);
                            gateway.serve_io(None, stream).await;
                        });
                    }
                    Err(error) => rest_after(&error).await,
                },
            }
        }
    }

    async fn serve_io<T>(&self, peer: Option<PeerId>, io: T)
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let Some(_seat) = self.shared.seat(peer) else {
            tracing::debug!(?peer, "a gateway stream over the limits was closed");
            return;
        };
        let limits = self.shared.limits;
        let io = Guarded::new(io, limits.write_stall, GATEWAY_WRITE_STALL_BYTES);
        let service = service_fn(|request| {
            let shared = Arc::clone(&self.shared);
            async move { Ok::<_, Infallible>(respond(&shared, peer, &request).await) }
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
            tracing::debug!(?peer, %error, "a gateway stream ended");
        }
    }
}

async fn rest_after(error: &io::Error) {
    tracing::warn!(%error, "no HTTP connection can be accepted; trying again");
    tokio::time::sleep(Duration::from_millis(ACCEPT_REST_MILLISECONDS)).await;
}

impl Shared {
    /// A place among the open connections, if there is one left.
    fn seat(self: &Arc<Self>, peer: Option<PeerId>) -> Option<Seat> {
        let permit = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        if let Some(peer) = peer {
            let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_peer.entry(peer).or_default();
            if *count >= self.limits.connections_per_peer {
                return None;
            }
            *count += 1;
        }
        Some(Seat { shared: Arc::clone(self), peer, _permit: permit })
    }

    pub(super) fn tell(&self, event: GatewayEvent) {
        // Nobody listening is fine.
        let _ = self.events.send(event);
    }

    /// Tells when a block could not be read because of a user's file.
    pub(super) fn tell_of(&self, error: &ReadError) {
        tracing::warn!(%error, "a block could not be given");
        if let Some(path) = error.file() {
            self.tell(GatewayEvent::FileChanged { path: path.into(), reason: error.whole() });
        }
    }
}

/// A place among the open connections, given back when dropped.
struct Seat {
    shared: Arc<Shared>,
    peer: Option<PeerId>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut by_peer = self.shared.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                by_peer.remove(&peer);
            }
        }
    }
}

/// The account of one answer, settled when it is dropped. Holds the answer's
/// turn until then.
pub(super) struct Account {
    shared: Arc<Shared>,
    peer: Option<PeerId>,
    root: Cid,
    bytes: u64,
    complete: bool,
    _turn: OwnedSemaphorePermit,
}

impl Account {
    pub(super) fn open(
        shared: &Arc<Shared>,
        peer: Option<PeerId>,
        root: Cid,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        Self { shared: Arc::clone(shared), peer, root, bytes: 0, complete: false, _turn: turn }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.shared.bytes_served.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) const fn complete(&mut self) {
        self.complete = true;
    }

    pub(super) fn failed(&self, error: &ReadError) {
        self.shared.tell_of(error);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shared.tell(GatewayEvent::Served {
                peer: self.peer,
                root: self.root,
                bytes: self.bytes,
                complete: self.complete,
            });
        }
    }
}
