//! Two nodes over every path, limits from both sides, and ends of all kinds.

use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use peerage::limits::MAX_KEPT_PEERS;
use peerage::node::{
    AcceptError, ConnectError, Direction, DisconnectReason, IncomingStreams, Node, NodeConfig,
    NodeEvent, NodeLimits, OpenStreamError, Reason, SpawnError, Stream, TooManyKept,
};
use peerage::routing::{Multiplexer, Path, Security, TransportKind};
use peerage::{Multiaddr, PeerId, Protocol, StreamProtocol, presets};
use tokio::sync::broadcast::Receiver;

#[cfg(target_os = "linux")]
use crate::support::lan::Lan;

const ECHO: StreamProtocol = StreamProtocol::new("/peerage/echo/1");
const WAIT: Duration = Duration::from_secs(20);

/// How soon a dead peer is noticed: 5 s, and as much again for a busy machine.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// A node on loopback that offers one transport, or none.
fn settings(kind: Option<TransportKind>) -> NodeConfig {
    let mut config = presets::loopback();
    config.listen.retain(|address| Some(TransportKind::of(address)) == kind);
    config
}

async fn listener(kind: TransportKind) -> Node {
    Node::spawn(settings(Some(kind))).await.unwrap()
}

async fn dialler() -> Node {
    Node::spawn(settings(None)).await.unwrap()
}

/// Echoes every stream of the protocol until the node ends.
pub(crate) fn serve_echo(node: &Node, protocol: StreamProtocol) {
    let mut incoming = node.accept(protocol).unwrap();
    tokio::spawn(async move {
        while let Some((_, stream)) = incoming.next().await {
            tokio::spawn(async move {
                let (from, mut to) = stream.split();
                if futures::io::copy(from, &mut to).await.is_ok() {
                    let _ = to.close().await;
                }
            });
        }
    });
}

/// Sends some MiB while reading what comes back.
pub(crate) async fn echo(stream: Stream, size: usize) {
    let sent: Vec<u8> = (0..size).map(|n| (n * 31 + (n >> 8)).to_le_bytes()[0]).collect();
    let (mut from, mut to) = stream.split();
    let mut received = Vec::new();
    let (written, read) = futures::join!(
        async {
            to.write_all(&sent).await?;
            to.close().await
        },
        from.read_to_end(&mut received)
    );
    written.unwrap();
    read.unwrap();
    assert!(received == sent, "{} bytes came back of {}", received.len(), sent.len());
}

async fn next(incoming: &mut IncomingStreams) -> (PeerId, Stream) {
    tokio::time::timeout(WAIT, incoming.next()).await.unwrap().unwrap()
}

/// Waits until the peer is gone, and says why and how long it took.
async fn gone(events: &mut Receiver<NodeEvent>, peer: PeerId) -> (DisconnectReason, Duration) {
    let begin = Instant::now();
    loop {
        match tokio::time::timeout(WAIT, events.recv()).await.unwrap().unwrap() {
            NodeEvent::Disconnected { peer: gone, reason } if gone == peer => {
                return (reason, begin.elapsed());
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_carries_a_stream() {
    let mut paths = vec![(TransportKind::Quic, Security::Tls, Multiplexer::Quic)];
    for transport in [TransportKind::Tcp, TransportKind::WebSocket] {
        for security in [Security::Tls, Security::Noise] {
            for multiplexer in [Multiplexer::Yamux, Multiplexer::Mplex] {
                paths.push((transport, security, multiplexer));
            }
        }
    }
    for (transport, security, multiplexer) in paths {
        let mut offered = settings(Some(transport));
        offered.multiplexers.push(Multiplexer::Mplex);
        let server = Node::spawn(offered).await.unwrap();
        serve_echo(&server, ECHO);
        let mut config = settings(None);
        config.security = vec![security];
        if multiplexer != Multiplexer::Quic {
            config.multiplexers = vec![multiplexer];
        }
        let client = Node::spawn(config).await.unwrap();
        let connection =
            client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
        let path = Path { transport, security: Some(security), multiplexer: Some(multiplexer) };
        assert_eq!(connection.path, path);
        assert_eq!(connection.direction, Direction::Outgoing);
        let stream = client.open_stream(server.peer_id(), ECHO).await.unwrap();
        assert_eq!(stream.protocol(), &ECHO);
        echo(stream, 3 * 1024 * 1024 + 17).await;
        assert!(client.ping(server.peer_id()).await.unwrap() < WAIT, "{path}");
        let seen = server.connection(&client.peer_id()).unwrap();
        assert_eq!((seen.path, seen.direction), (path, Direction::Incoming));
    }
}

#[tokio::test]
async fn tcp_is_taken_where_there_is_a_choice() {
    let server = Node::spawn(presets::loopback()).await.unwrap();
    assert_eq!(server.listen_addresses().len(), 3);
    let client = dialler().await;
    let mut addresses = server.listen_addresses();
    addresses.reverse();
    let connection = client.connect(server.peer_id(), &addresses).await.unwrap();
    assert_eq!(connection.path.transport, TransportKind::Tcp);
}

#[tokio::test]
async fn a_second_connection_that_comes_and_goes_is_no_other_path() {
    let all = NodeConfig { idle_timeout: Duration::from_millis(200), ..presets::loopback() };
    let alice = Node::spawn(all.clone()).await.unwrap();
    let bob =
        Node::spawn(NodeConfig { keypair: presets::loopback().keypair, ..all }).await.unwrap();
    serve_echo(&alice, ECHO);
    let at = |wanted| {
        let is_it = |address: &Multiaddr| TransportKind::of(address) == wanted;
        alice.listen_addresses().into_iter().find(is_it).unwrap()
    };
    let tcp = at(TransportKind::Tcp);
    let others = [TransportKind::Quic, TransportKind::WebSocket].map(at);
    let (mut alices, mut bobs) = (alice.events(), bob.events());
    bob.connect(alice.peer_id(), &[tcp]).await.unwrap();
    // What keeps the first one, while the second is idle and ends each time.
    let held = bob.open_stream(alice.peer_id(), ECHO).await.unwrap();
    let connections = || bob.peer(&alice.peer_id()).unwrap().connections.len();
    for other in others.iter().cycle().take(6) {
        assert_eq!(bob.who_is(other).await, Some(alice.peer_id()));
        crate::kademlia::until("one connection again", async || connections() == 1).await;
    }
    let paths = |events: &mut Receiver<NodeEvent>| {
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let NodeEvent::Connected(connection) | NodeEvent::PathChanged(connection) = event {
                told.push(connection.path.transport);
            }
        }
        told
    };
    assert_eq!(paths(&mut bobs), [TransportKind::Tcp]);
    assert_eq!(paths(&mut alices), [TransportKind::Tcp]);
    drop(held);
}

#[tokio::test]
async fn a_kept_peer_is_connected_again_whenever_it_is_back() {
    let first = listener(TransportKind::Tcp).await;
    let settings = NodeConfig {
        listen: first.listen_addresses(),
        ..NodeConfig::new(presets::loopback().keypair)
    };
    first.shutdown().await;
    let peer = settings.peer_id();
    let alice = dialler().await;
    let mut kept = alice.keep(peer, &settings.listen, Reason::Provider).unwrap();
    for _ in 0..2 {
        kept.tried().await;
        assert_eq!(alice.connection(&peer), None, "nobody is there yet");
        let bob = Node::spawn(settings.clone()).await.unwrap();
        let connected = async || alice.connection(&peer).is_some();
        crate::kademlia::until("the kept peer", connected).await;
        bob.shutdown().await;
        let lost = async || alice.connection(&peer).is_none();
        crate::kademlia::until("its end", lost).await;
    }
    assert_eq!(kept.peer(), peer);
}

#[tokio::test]
async fn a_node_keeps_no_more_peers_than_it_may_and_never_dials_itself() {
    let alice = dialler().await;
    let keep = |peer| alice.keep(peer, &[], Reason::Provider);
    let itself = keep(alice.peer_id()).unwrap();
    let others: Result<Vec<_>, _> = (1..MAX_KEPT_PEERS).map(|_| keep(PeerId::random())).collect();
    let others = others.unwrap();
    assert_eq!(keep(PeerId::random()).err(), Some(TooManyKept));
    drop(itself);
    drop((keep(PeerId::random()).unwrap(), others));
}

#[tokio::test]
async fn addresses_may_name_the_peer_and_the_host() {
    let server = listener(TransportKind::Tcp).await;
    let port = server.listen_addresses()[0].iter().last().unwrap().acquire();
    for text in ["/dns4/localhost", "/dns/localhost", "/ip4/127.0.0.1"] {
        let client = dialler().await;
        let address: Multiaddr = text.parse().unwrap();
        let address = address.with(port.clone()).with(Protocol::P2p(server.peer_id()));
        let connection = client.connect(server.peer_id(), &[address]).await.unwrap();
        assert_eq!(connection.peer, server.peer_id());
        assert_eq!(connection.path.security, Some(Security::preferred()[0]), "{text}");
    }
}

#[tokio::test]
async fn another_peer_than_the_dialled_one_is_refused() {
    for kind in [TransportKind::Tcp, TransportKind::Quic, TransportKind::WebSocket] {
        let server = listener(kind).await;
        let client = dialler().await;
        let expected = PeerId::random();
        let error = client.connect(expected, &server.listen_addresses()).await.unwrap_err();
        match error {
            ConnectError::WrongPeer { expected: asked, proven, address } => {
                assert_eq!((asked, proven), (expected, server.peer_id()));
                assert_eq!(address, server.listen_addresses()[0]);
            }
            other => panic!("{other}"),
        }
        assert!(client.peers().is_empty());
    }
}

#[tokio::test]
async fn an_address_that_became_anothers_does_not_hide_the_right_one() {
    let (other, server) = (listener(TransportKind::Tcp).await, listener(TransportKind::Tcp).await);
    let client = dialler().await;
    let addresses = [&other.listen_addresses()[0], &server.listen_addresses()[0]].map(Clone::clone);
    let connection = client.connect(server.peer_id(), &addresses).await.unwrap();
    assert_eq!(connection.address, server.listen_addresses()[0]);
}

#[tokio::test]
async fn failures_say_what_to_do() {
    let client = dialler().await;
    let peer = PeerId::random();
    assert!(
        matches!(client.connect(peer, &[]).await, Err(ConnectError::NoAddresses(p)) if p == peer)
    );
    let own = client.peer_id();
    assert!(matches!(client.connect(own, &[]).await, Err(ConnectError::OwnPeer(p)) if p == own));

    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let addresses: Vec<Multiaddr> =
        vec![format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(), "/memory/7".parse().unwrap()];
    match client.connect(peer, &addresses).await.unwrap_err() {
        ConnectError::Unreachable { failures, .. } => {
            assert_eq!(failures.len(), 2);
            let refused = failures.iter().find(|f| f.address == addresses[0]).unwrap();
            assert!(refused.reason.contains("refused"), "{refused}");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let first = listener(TransportKind::Tcp).await;
    let mut config = settings(None);
    config.listen = first.listen_addresses();
    let error = Node::spawn(config).await.unwrap_err();
    assert!(matches!(&error, SpawnError::Listen { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_protocol_is_refused_and_the_connection_stays() {
    let (server, client) = (listener(TransportKind::Tcp).await, dialler().await);
    client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
    let error = client.open_stream(server.peer_id(), ECHO).await.unwrap_err();
    assert!(matches!(error, OpenStreamError::Unsupported(ref names) if names == &[ECHO]));
    serve_echo(&server, ECHO);
    let newer = StreamProtocol::new("/peerage/echo/2");
    let stream = client.open_stream_any(server.peer_id(), &[newer, ECHO]).await.unwrap();
    assert_eq!(stream.protocol(), &ECHO);
    echo(stream, 1000).await;
}

#[tokio::test]
async fn a_protocol_is_accepted_once_until_it_is_dropped() {
    let node = dialler().await;
    let accepted = node.accept(ECHO).unwrap();
    assert_eq!(node.accept(ECHO).err(), Some(AcceptError::Taken(ECHO)));
    drop(accepted);
    assert!(node.accept(ECHO).is_ok());
}

#[tokio::test]
async fn peers_say_what_they_are() {
    let (server, client) = (listener(TransportKind::Tcp).await, dialler().await);
    serve_echo(&server, ECHO);
    let mut events = client.events();
    client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
    loop {
        let event = tokio::time::timeout(WAIT, events.recv()).await.unwrap().unwrap();
        if matches!(event, NodeEvent::Identified(peer) if peer == server.peer_id()) {
            break;
        }
    }
    let peers = client.peers();
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0].agent.as_deref(), Some(concat!("peerage/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(client.supports(&server.peer_id(), &ECHO), Some(true));
    let other = StreamProtocol::new("/other");
    assert_eq!(client.supports(&server.peer_id(), &other), Some(false));
    assert_eq!(client.supports(&PeerId::random(), &other), None);
}

#[tokio::test]
async fn a_burst_of_streams_is_not_lost() {
    let (server, client) = (listener(TransportKind::Tcp).await, dialler().await);
    let mut incoming = server.accept(ECHO).unwrap();
    client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
    let opened = futures::future::join_all(
        (0..NodeLimits::default().unaccepted_streams)
            .map(|_| client.open_stream(server.peer_id(), ECHO)),
    )
    .await;
    for stream in &opened {
        assert!(stream.is_ok());
        next(&mut incoming).await;
    }
}

#[tokio::test]
async fn streams_are_limited_on_both_sides() {
    let mut config = settings(Some(TransportKind::Tcp));
    config.limits.streams_per_connection = 2;
    let server = Node::spawn(config).await.unwrap();
    let mut incoming = server.accept(ECHO).unwrap();
    let client = dialler().await;
    let peer = server.peer_id();
    client.connect(peer, &server.listen_addresses()).await.unwrap();

    // The server serves two, and resets the third.
    let (_one, _two) = (
        client.open_stream(peer, ECHO).await.unwrap(),
        client.open_stream(peer, ECHO).await.unwrap(),
    );
    let (held, _also_held) = (next(&mut incoming).await, next(&mut incoming).await);
    let mut third = client.open_stream(peer, ECHO).await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0);

    // Once one has ended, there is room again.
    drop(held);
    let mut fourth = client.open_stream(peer, ECHO).await.unwrap();
    fourth.write_all(b"x").await.unwrap();
    let (_, mut served) = next(&mut incoming).await;
    served.read_exact(&mut [0]).await.unwrap();

    // It opens no more than two itself.
    let mut back = client.accept(ECHO).unwrap();
    let _first = server.open_stream(client.peer_id(), ECHO).await.unwrap();
    let _second = server.open_stream(client.peer_id(), ECHO).await.unwrap();
    let error = server.open_stream(client.peer_id(), ECHO).await.unwrap_err();
    assert!(matches!(error, OpenStreamError::TooManyStreams));
    next(&mut back).await;
}

#[tokio::test]
async fn connections_are_limited_on_both_sides() {
    let mut config = settings(Some(TransportKind::Tcp));
    config.limits.incoming_connections = 1;
    let server = Node::spawn(config).await.unwrap();
    let first = dialler().await;
    first.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
    first.ping(server.peer_id()).await.unwrap();
    // The second is closed as soon as the server knows who it is.
    let second = dialler().await;
    let _ = second.connect(server.peer_id(), &server.listen_addresses()).await;
    assert!(second.ping(server.peer_id()).await.is_err());
    assert_eq!(server.peers().len(), 1);
    first.ping(server.peer_id()).await.unwrap();

    let mut config = settings(None);
    config.limits.outgoing_connections = 0;
    let closed = Node::spawn(config).await.unwrap();
    let error = closed.connect(server.peer_id(), &server.listen_addresses()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_writer() {
    for kind in [TransportKind::Tcp, TransportKind::Quic] {
        let (server, client) = (listener(kind).await, dialler().await);
        let mut incoming = server.accept(ECHO).unwrap();
        client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
        let mut stream = client.open_stream(server.peer_id(), ECHO).await.unwrap();
        let chunk = vec![0; 1024 * 1024];
        let mut written = 0;
        let pause = Duration::from_secs(1);
        while tokio::time::timeout(pause, stream.write_all(&chunk)).await.is_ok() {
            written += chunk.len();
            assert!(written < 64 * chunk.len(), "the writer is never stopped");
        }
        // Others are served meanwhile.
        client.ping(server.peer_id()).await.unwrap();
        drop(next(&mut incoming).await);
    }
}

#[tokio::test]
async fn an_idle_connection_ends_and_one_in_use_stays() {
    let mut config = settings(None);
    config.idle_timeout = Duration::from_millis(200);
    let client = Node::spawn(config).await.unwrap();
    let server = listener(TransportKind::Tcp).await;
    serve_echo(&server, ECHO);
    client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
    let stream = client.open_stream(server.peer_id(), ECHO).await.unwrap();
    let mut events = client.events();
    assert!(
        tokio::time::timeout(Duration::from_secs(1), gone(&mut events, server.peer_id()))
            .await
            .is_err()
    );
    drop(stream);
    let (reason, _) = gone(&mut events, server.peer_id()).await;
    assert_eq!(reason, DisconnectReason::Idle);
}

#[tokio::test]
async fn a_shut_down_node_says_goodbye() {
    for kind in [TransportKind::Tcp, TransportKind::Quic, TransportKind::WebSocket] {
        let (server, client) = (listener(kind).await, dialler().await);
        client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
        client.ping(server.peer_id()).await.unwrap();
        let mut events = client.events();
        server.shutdown().await;
        let (reason, took) = gone(&mut events, server.peer_id()).await;
        assert_eq!(reason, DisconnectReason::Closed, "{kind}");
        assert!(took < Duration::from_secs(2));
        assert!(server.listen_addresses().is_empty());
        let error = server.connect(client.peer_id(), &[]).await.unwrap_err();
        assert!(matches!(error, ConnectError::Stopped));
    }
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_node() {
    let (server, client) = (listener(TransportKind::Tcp).await, dialler().await);
    client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
    client.ping(server.peer_id()).await.unwrap();
    let (mut events, peer) = (client.events(), server.peer_id());
    drop(server);
    assert_eq!(gone(&mut events, peer).await.0, DisconnectReason::Closed);
}

/// A wire that is cut by the sender: bytes stop, and nothing tells either end.
async fn wire(to: std::net::SocketAddr) -> (Multiaddr, tokio::sync::oneshot::Sender<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (cut, is_cut) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(to).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = is_cut => std::future::pending().await,
        }
    });
    (format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(), cut)
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_noticed_within_five_seconds() {
    let (server, client) = (listener(TransportKind::Tcp).await, dialler().await);
    let port = match server.listen_addresses()[0].iter().last().unwrap() {
        Protocol::Tcp(port) => port,
        other => panic!("{other}"),
    };
    let (address, cut) = wire(([127, 0, 0, 1], port).into()).await;
    client.connect(server.peer_id(), &[address]).await.unwrap();
    client.ping(server.peer_id()).await.unwrap();
    let (mut here, mut there) = (client.events(), server.events());
    cut.send(()).unwrap();
    let (one, other) =
        futures::join!(gone(&mut here, server.peer_id()), gone(&mut there, client.peer_id()));
    for (_, took) in [one, other] {
        assert!(took < NOTICED_WITHIN, "{took:?}");
    }
}

/// Two hosts on a network of their own; the cable of one is pulled.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_cable_is_pulled_is_noticed_within_five_seconds() {
    for kind in [TransportKind::Tcp, TransportKind::Quic, TransportKind::WebSocket] {
        let Some(lan) = Lan::new("a pulled cable", 2) else { return };
        let mut config = presets::local();
        config.listen_if_possible.clear();
        config.listen.retain(|address| TransportKind::of(address) == kind);
        let ip = Protocol::Ip4(lan.hosts[0].ipv4());
        let server = lan.hosts[0].run(Node::spawn(config)).await.unwrap();
        let address =
            server.listen_addresses().into_iter().find(|a| a.iter().next() == Some(ip.clone()));
        let address = address.expect("the node knows its address on the network");
        let (client, peer) =
            (lan.hosts[1].run(Node::spawn(settings(None))).await.unwrap(), server.peer_id());
        let dialling = client.clone();
        let connection = lan.hosts[1]
            .run(async move { dialling.connect(peer, &[address]).await })
            .await
            .unwrap();
        assert_eq!(connection.path.transport, kind);
        client.ping(peer).await.unwrap();
        let (mut here, mut there) = (client.events(), server.events());
        lan.hosts[0].set_up(false);
        let (one, other) =
            futures::join!(gone(&mut here, peer), gone(&mut there, client.peer_id()));
        for (reason, took) in [one, other] {
            assert!(took < NOTICED_WITHIN, "{kind}: {reason} after {took:?}");
        }
    }
}

#[tokio::test]
async fn both_families_listen_on_the_same_ports() {
    let node = Node::spawn(presets::local()).await.unwrap();
    let ports = |family: &str| -> std::collections::BTreeSet<String> {
        let all = node.listen_addresses();
        let of_family =
            all.iter().filter(|address| address.protocol_stack().next() == Some(family));
        of_family.map(|address| address.iter().skip(1).collect::<Multiaddr>().to_string()).collect()
    };
    let (four, six) = (ports("ip4"), ports("ip6"));
    assert_eq!(four.len(), 3, "{four:?}");
    // A machine without IPv6 has none.
    assert!(six.is_empty() || six == four, "{four:?} {six:?}");
}
