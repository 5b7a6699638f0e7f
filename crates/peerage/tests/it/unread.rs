//! Streams that nobody reads, over each multiplexer: what waits is bounded, and
//! so is the memory that it takes.
//!
//! The peer that holds the streams is a process of its own, this binary again,
//! so that its memory is its alone.

use std::process::Stdio;
use std::time::Duration;

use futures::{AsyncWriteExt as _, StreamExt as _};
use peerage::limits::{MAX_MPLEX_UNREAD_BYTES, MAX_YAMUX_UNREAD_BYTES, MAX_YAMUX_UNREAD_FRAMES};
use peerage::node::{ConnectError, Node, NodeLimits};
use peerage::routing::{Multiplexer, TransportKind, peer_suffix};
use peerage::{Multiaddr, PeerId, StreamProtocol, presets};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::soon;

const SINK: StreamProtocol = StreamProtocol::new("/test/sink/1");

/// Says to the binary that it is to hold streams, and over which multiplexer.
const HOLDS: &str = "PEERAGE_TEST_HOLDS";

/// How long nothing more is taken until the sender gives up.
const STALLED: Duration = Duration::from_secs(1);

const MIB: usize = 1024 * 1024;

/// What a process takes beside what waits, as it gets to work: code, stacks,
/// buffers of sockets, and what its allocator keeps.
const BESIDES: usize = 48 * MIB;

/// The peer that holds streams and reads none; run by the others here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "holds streams for other tests, in a process of its own"]
async fn holds_streams() {
    let Ok(muxer) = std::env::var(HOLDS) else { return };
    let mut config = presets::loopback();
    config
        .listen
        .retain(|address| (TransportKind::of(address) == TransportKind::Quic) == (muxer == "quic"));
    config.multiplexers.push(Multiplexer::Mplex);
    let node = Node::spawn(config).await.unwrap();
    let mut streams = node.accept(SINK).unwrap();
    println!("\nHOLDS {}/p2p/{}", node.listen_addresses()[0], node.peer_id());
    let mut held = Vec::new();
    while let Some(stream) = streams.next().await {
        held.push(stream);
    }
}

struct Holder {
    child: Child,
    address: Multiaddr,
}

impl Holder {
    async fn start(muxer: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "unread::holds_streams", "--ignored", "--nocapture"])
            .env(HOLDS, muxer)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = soon("an address", async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it listens");
                if let Some(address) = line.strip_prefix("HOLDS ") {
                    return address.parse().unwrap();
                }
            }
        })
        .await;
        Self { child, address }
    }

    fn peer(&self) -> PeerId {
        peer_suffix(&self.address).unwrap()
    }

    /// How many bytes of memory it has, as the system counts them.
    fn memory(&self) -> usize {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}

/// A node that dials with one multiplexer.
async fn sender(muxer: Multiplexer) -> Node {
    let mut config = presets::loopback();
    config.listen.clear();
    config.limits = NodeLimits::default();
    if muxer != Multiplexer::Quic {
        config.multiplexers = vec![muxer];
    }
    Node::spawn(config).await.unwrap()
}

/// Writes pieces on a stream until no more is taken; how many were.
async fn fill(node: Node, peer: PeerId, piece: usize, most: usize) -> usize {
    let opening = tokio::time::timeout(STALLED, node.open_stream(peer, SINK)).await;
    let Ok(Ok(mut stream)) = opening else { return 0 };
    let (bytes, mut sent) = (vec![7; piece], 0);
    while sent < most
        && let Ok(Ok(())) = tokio::time::timeout(STALLED, stream.write_all(&bytes)).await
    {
        sent += 1;
        if sent % 256 == 0 {
            let _ = tokio::time::timeout(STALLED, stream.flush()).await;
        }
    }
    // Held until all are full.
    tokio::time::sleep(3 * STALLED).await;
    sent
}

/// Fills so many streams of a peer; how much its memory grew.
async fn grown(name: &str, muxer: Multiplexer, streams: usize, piece: usize, most: usize) -> usize {
    let holder = Holder::start(name).await;
    let node = sender(muxer).await;
    let address = [holder.address.clone()];
    let connection = soon("a connection", node.connect(holder.peer(), &address)).await.unwrap();
    assert_eq!(connection.path.multiplexer, Some(muxer));
    let before = holder.memory();
    let filling =
        (0..streams).map(|_| tokio::spawn(fill(node.clone(), holder.peer(), piece, most)));
    let all = futures::future::join_all(filling);
    let mut peak = before;
    let watch = async {
        loop {
            peak = peak.max(holder.memory());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let sent: usize = tokio::select! {
        sent = all => sent.into_iter().map(|one| one.unwrap_or(0)).sum(),
        () = watch => unreachable!("it watches for ever"),
    };
    assert!(sent > 0);
    eprintln!("{name}: {sent} pieces of {piece}, grown by {} KiB", (peak - before) / 1024);
    peak - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_yamux_windows_are_full() {
    let bytes = grown("yamux", Multiplexer::Yamux, 100, 64 * 1024, 1_000).await;
    assert!(bytes < MAX_YAMUX_UNREAD_BYTES + BESIDES, "{bytes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_yamux_windows_are_full_of_frames_of_a_byte() {
    let bytes = grown("yamux", Multiplexer::Yamux, 16, 1, 150_000).await;
    assert!(bytes < MAX_YAMUX_UNREAD_FRAMES * 128 + BESIDES, "{bytes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_quic_the_window_is_full() {
    let bytes = grown("quic", Multiplexer::Quic, 100, 64 * 1024, 1_000).await;
    assert!(bytes < 2 * peerage::limits::MAX_QUIC_UNREAD_BYTES + BESIDES, "{bytes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_mplex_frames_wait_where_it_is_asked_for() {
    let bytes = grown("mplex", Multiplexer::Mplex, 60, 64 * 1024, 1_000).await;
    assert!(bytes < MAX_MPLEX_UNREAD_BYTES + BESIDES, "{bytes}");
}

#[tokio::test]
async fn mplex_is_not_offered_unless_it_is_asked_for() {
    let plain = Node::spawn(presets::loopback()).await.unwrap();
    let is_tcp = |one: &Multiaddr| TransportKind::of(one) == TransportKind::Tcp;
    let tcp: Vec<Multiaddr> = plain.listen_addresses().into_iter().filter(is_tcp).collect();
    let node = sender(Multiplexer::Mplex).await;
    let refused = soon("a refusal", node.connect(plain.peer_id(), &tcp)).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused}");
}
