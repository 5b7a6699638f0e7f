//! Networks of many peers in one process, and how long one of them takes to
//! find another by its id alone.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt, TryStreamExt};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, MemoryTransport};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, Version};
use libp2p::core::{Transport, UpgradeInfo};
use libp2p::identity::Keypair;
use libp2p::swarm::{self, NetworkBehaviour, SwarmEvent};
use libp2p::{Swarm, identify, yamux};
use peerage::discovery::{Finding, Key, Presence, SignedPeerRecord, Way};
use peerage::node::{Node, NodeConfig, Part as _};
use peerage::topology::kademlia::{self, Behaviour, Kademlia, KademliaConfig, Mode};
use peerage::{Multiaddr, PeerId};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

/// How many peers join, or announce themselves, at the same time.
const TOGETHER: usize = 32;

/// How many peers are boot nodes.
const HUBS: usize = 20;

/// How often a peer tries to join, or to announce itself: a machine that runs
/// a thousand of them may keep some waiting for too long.
const TRIES: usize = 5;

/// How long connections are kept that nobody uses.
const IDLE: Duration = Duration::from_secs(30);

/// A peer, and its way of finding others.
pub(crate) struct Member {
    keypair: Keypair,
    addresses: Vec<Multiaddr>,
    kademlia: Kademlia,
    /// Keeps a real one alive.
    _node: Option<Node>,
}

impl Member {
    fn peer(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    async fn join(&self) -> Result<(), String> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = self.kademlia.bootstrap().await.map_err(|error| format!("joining: {error}"));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn announce(&self) -> Result<(), String> {
        let record = SignedPeerRecord::sign(&self.keypair, 1, self.addresses.clone());
        let record = record.map_err(|error| error.to_string())?;
        let presence = Presence { record, keys: Vec::new() };
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            let announced = self.kademlia.announce(&presence).await;
            outcome = announced.map(|_| ()).map_err(|error| format!("announcing: {error}"));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// Which network to make.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Peers over memory, with one-way delays in milliseconds from and below.
    Simulated { delay: (u64, u64) },
    /// Nodes as they are, over TCP on loopback.
    Real,
}

/// Peers that have joined and announced themselves. Every second one only
/// asks, as behind a router that lets nobody in: it is in no routing table, and
/// can be found by its record alone.
pub(crate) struct Network {
    pub(crate) members: Vec<Member>,
    _tasks: JoinSet<()>,
}

impl Network {
    /// Makes a network of so many.
    pub(crate) async fn new(kind: Kind, count: usize) -> Result<Self, String> {
        let mut tasks = JoinSet::new();
        let boot = member(kind, &mut tasks, settings()).await?;
        let mut members = vec![boot];
        while members.len() < count {
            let mut joining = Vec::new();
            for number in members.len()..count.min(members.len() + TOGETHER) {
                let mode = if number % 2 == 0 { Mode::Server } else { Mode::Client };
                let config = KademliaConfig {
                    mode: Some(mode),
                    boot_nodes: boot_nodes(&members),
                    ..settings()
                };
                joining.push(member(kind, &mut tasks, config).await?);
            }
            futures::future::try_join_all(joining.iter().map(Member::join)).await?;
            members.extend(joining);
        }
        let announcing = futures::stream::iter(&members).map(Member::announce);
        announcing.buffer_unordered(TOGETHER).try_for_each(|()| async { Ok(()) }).await?;
        Ok(Self { members, _tasks: tasks })
    }

    /// Looks peers up, one after another: how long each took until there was a
    /// signed address, or `None` where there never was one.
    pub(crate) async fn look_ups(&self, count: usize) -> Vec<Option<Duration>> {
        let mut times = Vec::new();
        for _ in 0..count {
            let (asking, wanted) = self.pair();
            times.push(time_to_find(asking, wanted).await);
        }
        times
    }

    /// Two different members.
    fn pair(&self) -> (&Member, &Member) {
        let count = self.members.len();
        let first = below(count);
        let second = (first + 1 + below(count - 1)) % count;
        (&self.members[first], &self.members[second])
    }
}

/// What all have in common: a thousand that refresh their routing tables every
/// few minutes are more than one machine should play.
fn settings() -> KademliaConfig {
    KademliaConfig {
        bootstrap_interval: Duration::from_secs(3600),
        random_walk_interval: None,
        ..KademliaConfig::machine()
    }
}

/// Some of the first members that answer, as hubs would.
fn boot_nodes(members: &[Member]) -> Vec<(PeerId, Multiaddr)> {
    let answering: Vec<&Member> = members.iter().step_by(2).take(HUBS).collect();
    let chosen = (0..2).map(|_| answering[below(answering.len())]);
    chosen.map(|member| (member.peer(), member.addresses[0].clone())).collect()
}

async fn time_to_find(asking: &Member, wanted: &Member) -> Option<Duration> {
    let start = Instant::now();
    let key = Key::Peer(wanted.peer());
    let mut findings = asking.kademlia.look_up(&key);
    while let Some(found) = findings.next().await {
        if matches!(&found, Ok(Finding { record: Some(_), addresses, .. }) if *addresses == wanted.addresses)
        {
            return Some(start.elapsed());
        }
    }
    None
}

async fn member(
    kind: Kind,
    tasks: &mut JoinSet<()>,
    config: KademliaConfig,
) -> Result<Member, String> {
    let keypair = Keypair::generate_ed25519();
    match kind {
        Kind::Simulated { delay } => simulated(keypair, tasks, config, delay).await,
        Kind::Real => real(keypair, config).await,
    }
}

async fn real(keypair: Keypair, kademlia: KademliaConfig) -> Result<Member, String> {
    let config = NodeConfig {
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().map_err(|_| "no address")?],
        idle_timeout: IDLE,
        ..NodeConfig::new(keypair.clone())
    };
    let (part, kademlia) = kademlia::part(config.peer_id(), kademlia);
    let node = Node::spawn_with(config, part).await.map_err(|error| error.to_string())?;
    Ok(Member { keypair, addresses: node.listen_addresses(), kademlia, _node: Some(node) })
}

#[derive(NetworkBehaviour)]
struct Simulated {
    identify: identify::Behaviour,
    kademlia: Behaviour,
}

async fn simulated(
    keypair: Keypair,
    tasks: &mut JoinSet<()>,
    config: KademliaConfig,
    delay: (u64, u64),
) -> Result<Member, String> {
    let own = keypair.public().to_peer_id();
    let identify = identify::Config::new("ipfs/0.1.0".to_owned(), keypair.public());
    let behaviour = Simulated {
        identify: identify::Behaviour::new(identify.with_cache_size(0)),
        kademlia: Behaviour::new(own, config),
    };
    let kademlia = behaviour.kademlia.handle();
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
    let mut swarm = Swarm::new(transport(own, delay), behaviour, own, settings);
    let anywhere = "/memory/0".parse().map_err(|_| "no address")?;
    swarm.listen_on(anywhere).map_err(|error| error.to_string())?;
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    tasks.spawn(run(swarm));
    Ok(Member { keypair, addresses: vec![address], kademlia, _node: None })
}

async fn run(mut swarm: Swarm<Simulated>) {
    loop {
        if let SwarmEvent::Behaviour(SimulatedEvent::Identify(identify::Event::Received {
            peer_id,
            info,
            ..
        })) = swarm.select_next_some().await
        {
            swarm.behaviour_mut().kademlia.on_identified(peer_id, &info);
        }
    }
}

/// Memory with delays: a round trip to connect as of TCP, one to prove who is
/// there as of TLS 1.3, and libp2p's own negotiations on top.
fn transport(own: PeerId, delay: (u64, u64)) -> Boxed<(PeerId, StreamMuxerBox)> {
    let connect = move |channel, end: libp2p::core::ConnectedPoint| async move {
        let one_way = between(delay);
        if end.is_dialer() {
            sleep(2 * one_way).await;
        }
        Ok::<_, io::Error>(Delayed::new(channel, one_way))
    };
    MemoryTransport::default()
        .and_then(connect)
        .upgrade(Version::V1Lazy)
        .authenticate(Claim(own))
        .multiplex(yamux::Config::default())
        .timeout(Duration::from_secs(10))
        .boxed()
}

/// Says who one is, and believes what the other says. The simulation is about
/// who asks whom when; proving it would only cost the machine.
#[derive(Clone)]
struct Claim(PeerId);

impl UpgradeInfo for Claim {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/claim/1")
    }
}

type Claiming<S> = Pin<Box<dyn Future<Output = io::Result<(PeerId, S)>> + Send>>;

impl Claim {
    fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        mut stream: S,
    ) -> Claiming<S> {
        Box::pin(async move {
            let own = self.0.to_bytes();
            stream.write_all(&own).await?;
            stream.flush().await?;
            // All have keys of one kind, so all ids are of one length.
            let mut other = vec![0; own.len()];
            stream.read_exact(&mut other).await?;
            let other = PeerId::from_bytes(&other).map_err(io::Error::other)?;
            Ok((other, stream))
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> InboundConnectionUpgrade<S> for Claim {
    type Output = (PeerId, S);
    type Error = io::Error;
    type Future = Claiming<S>;

    fn upgrade_inbound(self, stream: S, _: Self::Info) -> Self::Future {
        self.exchange(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> OutboundConnectionUpgrade<S> for Claim {
    type Output = (PeerId, S);
    type Error = io::Error;
    type Future = Claiming<S>;

    fn upgrade_outbound(self, stream: S, _: Self::Info) -> Self::Future {
        self.exchange(stream)
    }
}

/// A stream whose bytes arrive late.
struct Delayed<S> {
    inner: S,
    delay: Duration,
    /// What is under way, and when it arrives.
    arriving: VecDeque<(Instant, Vec<u8>)>,
    ended: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> Delayed<S> {
    fn new(inner: S, delay: Duration) -> Self {
        Self { inner, delay, arriving: VecDeque::new(), ended: false, timer: None }
    }

    /// Takes in what was sent.
    fn take_in(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while !self.ended {
            match Pin::new(&mut self.inner).poll_read(context, &mut buffer)? {
                Poll::Ready(0) => self.ended = true,
                Poll::Ready(count) => {
                    let at = Instant::now() + self.delay;
                    self.arriving.push_back((at, buffer[..count].to_vec()));
                }
                Poll::Pending => break,
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Delayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.take_in(context)?;
        loop {
            let Some((at, bytes)) = self.arriving.front_mut() else {
                return if self.ended { Poll::Ready(Ok(0)) } else { Poll::Pending };
            };
            let now = Instant::now();
            if *at <= now {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    self.arriving.pop_front();
                }
                return Poll::Ready(Ok(count));
            }
            let rest = *at - now;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(rest)));
            ready!(timer.as_mut().poll(context));
            self.timer = None;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Delayed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

fn between((from, to): (u64, u64)) -> Duration {
    Duration::from_millis(from + random() % (to - from).max(1))
}

fn below(count: usize) -> usize {
    usize::try_from(random() % u64::try_from(count).unwrap_or(1)).unwrap_or(0)
}

/// The next of a fixed sequence (SplitMix64).
fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut value = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
