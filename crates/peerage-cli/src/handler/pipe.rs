//! `pipe`: standard input and output, or TCP ports, over streams.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use peerage::{
    node::{OpenStreamError, PeerId, Stream, StreamProtocol},
    pipe::{PROTOCOL, SECRET_PROTOCOL},
    routing::PeerAddresses,
    session::StreamError,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{
    compat::FuturesAsyncReadCompatExt as _, sync::CancellationToken, task::TaskTracker,
};

use super::{
    invited::{self, Guests, Invited, Secret},
    splice::{self, Counts, SpliceError},
};
use crate::{
    context::{Context, Input, Sink},
    event::Event,
    failure::{Code, Failure},
    host::{Host, unreachable},
    limits::MAX_FORWARDED_CONNECTIONS,
    target::{parse_peer, parse_target, reaching},
};

/// How long a local TCP service may take to accept a connection.
const TCP_PATIENCE: Duration = Duration::from_secs(5);

/// Whom to let in: the peers of `from`, or anybody; else whoever is told a new
/// secret, since anybody nearby sees that this peer is here.
///
/// # Errors
///
/// When a peer id cannot be read, or the system gives no random bytes.
pub(super) fn guests(from: &[String], anybody: bool) -> Result<Guests, Failure> {
    if !from.is_empty() {
        let peers = from.iter().map(|peer| parse_peer(peer)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Guests::Named(peers));
    }
    if anybody { Ok(Guests::Anybody) } else { Ok(Guests::Told(Secret::new()?)) }
}

/// Waits for streams.
///
/// # Errors
///
/// When the protocol is served already, or the one stream fails.
pub(super) async fn listen(
    host: &Host,
    tcp: Option<SocketAddr>,
    guests: Guests,
    terminal: bool,
    context: &Context,
) -> Result<(), Failure> {
    let streams = host
        .session()
        .accept(StreamProtocol::new(guests.protocol()))
        .map_err(|error| Failure::of(Code::HomeInUse, &error))?;
    let command = format!("peerage pipe connect {}{}", host.dialable(), guests.suffix());
    let mut streams = Invited::new(streams, guests);
    context.say(Event::PipeListening { peer: host.peer(), command }).await;
    if let Some(address) = tcp {
        return forward_streams(streams, address, context).await;
    }
    let (peer, stream) = context.unless_stopped(streams.next()).await?;
    // One stream is served: whoever comes later is told that nobody listens.
    drop(streams);
    standard(peer, stream, terminal, context).await
}

/// Opens streams to a peer.
///
/// # Errors
///
/// When the peer cannot be reached or does not listen, or the one stream fails.
pub(super) async fn connect(
    host: &Arc<Host>,
    peer: &str,
    addresses: &[String],
    tcp: Option<SocketAddr>,
    terminal: bool,
    context: &Context,
) -> Result<(), Failure> {
    let (peer, secret) = invited::split(peer)?;
    let target = Called { target: parse_target(peer, addresses)?, secret };
    if let Some(address) = tcp {
        return forward_connections(host, &target, address, context).await;
    }
    let stream = context.unless_stopped(open(host, &target)).await?;
    standard(target.target.peer, stream, terminal, context).await
}

/// Whom to connect with, and the secret that lets us in.
#[derive(Clone)]
struct Called {
    target: PeerAddresses,
    secret: Option<Secret>,
}

async fn open(host: &Host, called: &Called) -> Result<Stream, Failure> {
    let Called { target, secret } = called;
    let protocol = secret.map_or(PROTOCOL, |_| SECRET_PROTOCOL);
    let (peer, protocol) = (target.peer, StreamProtocol::new(protocol));
    let opened = host.session().open_stream_with(peer, protocol, &reaching(target)).await;
    let mut stream = opened.map_err(|error| not_opened(peer, error))?;
    if let Some(secret) = secret {
        let said = secret.say(&mut stream).await;
        said.map_err(|error| broken(peer, SpliceError::Peer(error)))?;
    }
    Ok(stream)
}

fn not_opened(peer: PeerId, error: StreamError) -> Failure {
    match error {
        StreamError::Reach(error) => unreachable(&error),
        StreamError::Open(OpenStreamError::Unsupported(_)) => Failure::new(
            Code::PeerLost,
            format!("{peer} does not listen for pipes that are opened in this way"),
            "run `peerage pipe listen` there, and copy the command that it prints whole",
        ),
        error => Failure::of(Code::PeerLost, &error),
    }
}

pub(super) fn node_gone() -> Failure {
    Failure::new(Code::Unexpected, "the node has stopped", "run the command again")
}

/// One stream with the command's raw bytes.
async fn standard(
    peer: PeerId,
    stream: Stream,
    terminal: bool,
    context: &Context,
) -> Result<(), Failure> {
    context.say(Event::PipeOpened { peer: peer.to_string() }).await;
    let bytes = context.raw_bytes().await?;
    let counts = Counts::default();
    let both = both_ways(stream, bytes, &counts, terminal);
    let outcome = context.unless_stopped(async { both.await.map_err(|error| broken(peer, error)) });
    let outcome = outcome.await;
    context.say(closed(peer, &counts)).await;
    outcome
}

fn closed(peer: PeerId, counts: &Counts) -> Event {
    Event::PipeClosed { peer: peer.to_string(), sent: counts.sent(), received: counts.received() }
}

fn broken(peer: PeerId, error: SpliceError) -> Failure {
    match error {
        SpliceError::Peer(error) => Failure::new(
            Code::PeerLost,
            format!("the stream to {peer} broke off: {error}"),
            "check that the other end still runs, and connect again",
        ),
        SpliceError::Malformed(error) => {
            let cause = format!("the stream to {peer} broke off: {error}");
            Failure { cause, ..Failure::of(Code::PeerLost, &error) }
        }
        SpliceError::Own(error) => Failure::writing(&"the other side's data", &error),
    }
}

/// Copies both ways. Each direction ends by itself, except that with
/// `hang_up` the end of what comes in is the end of all.
async fn both_ways(
    stream: Stream,
    (input, output): (Input, Sink),
    counts: &Counts,
    hang_up: bool,
) -> Result<(), SpliceError> {
    let (reader, writer) = tokio::io::split(stream.compat());
    let sending = splice::send(input, writer, counts);
    let receiving = splice::receive(reader, output, counts);
    if hang_up {
        tokio::pin!(sending, receiving);
        return tokio::select! {
            received = &mut receiving => received,
            sent = &mut sending => match sent {
                Ok(()) => receiving.await,
                failed => failed,
            },
        };
    }
    tokio::try_join!(sending, receiving).map(|_| ())
}

/// What all forwarded connections share.
struct Forwarding<'a> {
    context: &'a Context,
    tasks: TaskTracker,
    cancel: CancellationToken,
    slots: Arc<Semaphore>,
    closed: tokio::sync::mpsc::Sender<Event>,
}

/// Connects each stream to `address`, until stopped.
async fn forward_streams(
    mut streams: Invited,
    address: SocketAddr,
    context: &Context,
) -> Result<(), Failure> {
    let (closed, mut reports) = tokio::sync::mpsc::channel(MAX_FORWARDED_CONNECTIONS);
    let forwarding = Forwarding::new(context, closed);
    loop {
        tokio::select! {
            () = context.cancelled() => break,
            Some(report) = reports.recv() => context.say(report).await,
            (slot, stream) = async { (forwarding.slot().await, streams.next().await) } => {
                let (peer, stream) = stream?;
                forwarding.context.say(Event::PipeOpened { peer: peer.to_string() }).await;
                forwarding.spawn(slot, peer, async move {
                    let socket = timeout(TCP_PATIENCE, TcpStream::connect(address)).await;
                    let socket = socket.map_err(|_| std::io::ErrorKind::TimedOut)??;
                    Ok((stream, socket))
                });
            }
        }
    }
    forwarding.end().await;
    Ok(())
}

/// Gives each TCP connection at `address` a stream, until stopped.
async fn forward_connections(
    host: &Arc<Host>,
    called: &Called,
    address: SocketAddr,
    context: &Context,
) -> Result<(), Failure> {
    let peer = called.target.peer;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::writing(&format!("the port {address}"), &error))?;
    let address = listener.local_addr().map_err(|_| node_gone())?;
    context.unless_stopped(host.reach(&called.target)).await?;
    let text = address.to_string();
    context.say(Event::PipeForwarding { address: text, peer: peer.to_string() }).await;
    let (closed, mut reports) = tokio::sync::mpsc::channel(MAX_FORWARDED_CONNECTIONS);
    let forwarding = Forwarding::new(context, closed);
    loop {
        tokio::select! {
            () = context.cancelled() => break,
            Some(report) = reports.recv() => context.say(report).await,
            (slot, accepted) = async { (forwarding.slot().await, listener.accept().await) } => {
                let Ok((socket, _)) = accepted else { continue };
                let (host, called) = (Arc::clone(host), called.clone());
                forwarding.spawn(slot, peer, async move {
                    Ok((open(&host, &called).await.map_err(other)?, socket))
                });
            }
        }
    }
    forwarding.end().await;
    Ok(())
}

fn other(failure: Failure) -> std::io::Error {
    std::io::Error::other(failure.cause)
}

impl<'a> Forwarding<'a> {
    fn new(context: &'a Context, closed: tokio::sync::mpsc::Sender<Event>) -> Self {
        let slots = Arc::new(Semaphore::new(MAX_FORWARDED_CONNECTIONS));
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        Self { context, tasks, cancel, slots, closed }
    }

    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Forwards one connection in a task of its own.
    fn spawn(
        &self,
        slot: Option<OwnedSemaphorePermit>,
        peer: PeerId,
        opening: impl Future<Output = std::io::Result<(Stream, TcpStream)>> + Send + 'static,
    ) {
        let (cancel, closed) = (self.cancel.clone(), self.closed.clone());
        self.tasks.spawn(async move {
            let report = tokio::select! {
                report = forward_one(peer, opening) => report,
                () = cancel.cancelled() => return,
            };
            drop(slot);
            drop(closed.send(report).await);
        });
    }

    async fn end(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn forward_one(
    peer: PeerId,
    opening: impl Future<Output = std::io::Result<(Stream, TcpStream)>>,
) -> Event {
    let counts = Counts::default();
    let outcome = match opening.await {
        Ok((stream, socket)) => {
            // Small messages should not wait for more; a failure costs only time.
            drop(socket.set_nodelay(true));
            let (reader, writer) = socket.into_split();
            both_ways(stream, (Box::new(reader), Box::new(writer)), &counts, false).await
        }
        Err(error) => Err(SpliceError::Own(error)),
    };
    match outcome {
        Ok(()) => closed(peer, &counts),
        Err(SpliceError::Peer(error)) => {
            Event::Warning { message: format!("the stream to {peer} broke off: {error}") }
        }
        Err(SpliceError::Malformed(error)) => {
            Event::Warning { message: format!("the stream to {peer} broke off: {error}") }
        }
        Err(SpliceError::Own(error)) => {
            Event::Warning { message: format!("a connection for {peer} failed: {error}") }
        }
    }
}
