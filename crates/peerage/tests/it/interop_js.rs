//! js-libp2p as dialler and as listener, over every path it has: identify,
//! ping, and an echo of a MiB each way. (Its QUIC needs Node.js 22, and its
//! packages cannot be pinned for every platform in one lock file.)

use peerage::node::Node;
use peerage::routing::{Multiplexer, Security, TransportKind};
use peerage::{PeerId, StreamProtocol, presets};

use crate::node::{echo, serve_echo};
use crate::support::js::{self, Script};

const ECHO: StreamProtocol = StreamProtocol::new("/peerage/echo/1");
const ECHOED: usize = 1024 * 1024 + 17;

/// One path: what the script calls its parts, and what they are here.
struct Case(&'static str, &'static str, &'static str, TransportKind, Security, Multiplexer);

async fn both_ways(case: Case) {
    let Case(carrier, security, muxer, ..) = case;
    let what = format!("js-libp2p over {carrier}, {security}, {muxer}");
    let Some(home) = js::home(&what) else { return };
    they_dial(&case, home).await;
    we_dial(&case, home).await;
}

async fn they_dial(case: &Case, home: &std::path::Path) {
    let mut config = presets::loopback();
    config.listen.retain(|address| TransportKind::of(address) == case.3);
    config.multiplexers = vec![case.5];
    let node = Node::spawn(config).await.unwrap();
    serve_echo(&node, ECHO);
    let address = format!("{}/p2p/{}", node.listen_addresses()[0], node.peer_id());
    let size = ECHOED.to_string();
    let arguments = [case.0, case.1, case.2, "--dial", &address, "--echo", &size];
    let mut peer = Script::start(home, "peer.mjs", &arguments);
    let listening = peer.event("listening").await;
    let connected = peer.event("connected").await;
    assert_eq!(connected["peer"], node.peer_id().to_string());
    let echoed = peer.event("echoed").await;
    assert_eq!(
        (echoed["received"].as_u64(), echoed["wrong"].as_u64()),
        (Some(ECHOED as u64), Some(0))
    );
    let theirs: PeerId = listening["peer"].as_str().unwrap().parse().unwrap();
    let connection = node.connection(&theirs).unwrap();
    assert_eq!(connection.path.transport, case.3);
    assert_eq!(connection.path.security, Some(case.4));
    assert_eq!(connection.path.multiplexer, Some(case.5));
    peer.finish().await;
}

async fn we_dial(case: &Case, home: &std::path::Path) {
    let mut peer = Script::start(home, "peer.mjs", &[case.0, case.1, case.2]);
    let listening = peer.event("listening").await;
    let theirs: PeerId = listening["peer"].as_str().unwrap().parse().unwrap();
    let address = listening["addresses"][0].as_str().unwrap().parse().unwrap();
    let mut config = presets::loopback();
    config.listen.clear();
    config.multiplexers = vec![case.5];
    let node = Node::spawn(config).await.unwrap();
    let connection = node.connect(theirs, &[address]).await.unwrap();
    assert_eq!(connection.path.security, Some(case.4));
    assert_eq!(connection.path.multiplexer, Some(case.5));
    node.ping(theirs).await.unwrap();
    echo(node.open_stream(theirs, ECHO).await.unwrap(), ECHOED).await;
    let identified = peer.event("identified").await;
    assert_eq!(identified["peer"], node.peer_id().to_string());
    assert!(identified["agent"].as_str().unwrap().starts_with("peerage/"));
    let info = node.peers().into_iter().find(|info| info.peer == theirs).unwrap();
    assert!(info.agent.unwrap().contains("js-libp2p"));
    assert_eq!(node.supports(&theirs, &ECHO), Some(true));
    peer.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_noise_yamux() {
    let (noise, yamux) = (Security::Noise, Multiplexer::Yamux);
    both_ways(Case("tcp", "noise", "yamux", TransportKind::Tcp, noise, yamux)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_tls_yamux() {
    let (tls, yamux) = (Security::Tls, Multiplexer::Yamux);
    both_ways(Case("tcp", "tls", "yamux", TransportKind::Tcp, tls, yamux)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_noise_mplex() {
    let (noise, mplex) = (Security::Noise, Multiplexer::Mplex);
    both_ways(Case("tcp", "noise", "mplex", TransportKind::Tcp, noise, mplex)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_noise_yamux() {
    let (noise, yamux) = (Security::Noise, Multiplexer::Yamux);
    both_ways(Case("ws", "noise", "yamux", TransportKind::WebSocket, noise, yamux)).await;
}
