//! What a gateway gives, refuses and bears.

use std::time::Duration;

use futures::StreamExt as _;
use peerage::{
    PeerId,
    access::Requester,
    exchange::{
        Serving,
        gateway::{
            self, CarBlocks, Gateway, GatewayBody, GatewayClient, GatewayError, GatewayLimits,
        },
        serving::{Exchange, ServingEvent},
    },
    node::Node,
    presets,
};
use peerage_core::{
    data::{Cid, DagScope, EntityBytes},
    exchange::gateway::{GatewayRequest, PROBE_CID, PROTOCOLS_JSON},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::TcpStream,
};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::support::{PlainFace, Shared, changed_file, connect, share};

async fn cids(body: GatewayBody) -> Vec<Cid> {
    let (mut blocks, mut cids) = (CarBlocks::new(body), Vec::new());
    while let Some(block) = blocks.next_verified().await {
        cids.push(*block.unwrap().cid());
    }
    cids
}

async fn answer(shared: &Shared, request: &GatewayRequest) -> Vec<Cid> {
    let gateway = Gateway::new(shared.blocks.clone());
    let mut client = connect(&gateway, PeerId::random()).await;
    cids(client.get(request).await.unwrap()).await
}

#[tokio::test]
async fn gives_blocks_and_folders_over_one_stream() {
    let shared = share(3_000_000, 1 << 20);
    let gateway = Gateway::new(shared.blocks.clone());
    let mut client = connect(&gateway, PeerId::random()).await;
    let block = client.block(shared.leaves[0]).await.unwrap();
    assert_eq!(block.data()[..], shared.bytes[..1 << 20]);

    let body = client.get(&GatewayRequest::car(shared.folder)).await.unwrap();
    let expected = [&[shared.folder, shared.file][..], &shared.leaves].concat();
    assert_eq!(cids(body).await, expected);

    let probe = client.block(PROBE_CID.parse().unwrap()).await.unwrap();
    assert!(probe.data().is_empty());
}

#[tokio::test]
async fn gives_thousands_of_small_blocks() {
    let shared = share(10_000_000, 1 << 10);
    let sent = answer(&shared, &GatewayRequest::car(shared.file)).await;
    assert_eq!(sent.iter().filter(|cid| shared.leaves.contains(cid)).count(), shared.leaves.len());
}

#[tokio::test]
async fn follows_paths_scopes_and_ranges() {
    let shared = share(100_000, 10_000);
    let request = GatewayRequest::car(shared.folder).below([b"file name".as_slice()]);
    let above = [shared.folder, shared.file];
    assert_eq!(answer(&shared, &request.clone().scope(DagScope::Block)).await, above);

    let range = EntityBytes { from: 25_000, to: Some(30_000) };
    let expected = [&above[..], &shared.leaves[2..=3]].concat();
    assert_eq!(answer(&shared, &request.clone().bytes(range)).await, expected);

    let last = EntityBytes { from: -1, to: None };
    let expected = [&above[..], &shared.leaves[9..]].concat();
    assert_eq!(answer(&shared, &request.clone().bytes(last)).await, expected);

    let beyond = EntityBytes { from: 200_000, to: None };
    assert_eq!(answer(&shared, &request.bytes(beyond)).await, above);
}

#[tokio::test]
async fn says_what_is_not_here_and_goes_on() {
    let shared = share(1000, 100);
    let other = share(2000, 100);
    let gateway = Gateway::new(shared.blocks.clone());
    let mut client = connect(&gateway, PeerId::random()).await;
    for request in [
        GatewayRequest::raw(other.file),
        GatewayRequest::car(other.file),
        GatewayRequest::car(shared.folder).below([b"no such file".as_slice()]),
        GatewayRequest::car(shared.folder).below([b"file name".as_slice(), b"below a file"]),
    ] {
        let error = client.get(&request).await.unwrap_err();
        assert!(matches!(error, GatewayError::NotFound { .. }), "{error:?}");
    }
    assert!(client.block(shared.file).await.is_ok());
}

#[tokio::test]
async fn a_file_that_changes_breaks_the_answer_off_and_is_told() {
    let shared = share(8 << 20, 1 << 20);
    let serving = Serving::from(shared.blocks.clone());
    let gateway = Gateway::new(serving.clone());
    let (mut events, peer) = (serving.events(), PeerId::random());
    shared.blocks.change(shared.leaves[4]);
    let mut client = connect(&gateway, peer).await;
    let body = client.get(&GatewayRequest::car(shared.file)).await.unwrap();
    let (mut blocks, mut count) = (CarBlocks::new(body), 0);
    let error = loop {
        match blocks.next().await {
            Some(Ok(_)) => count += 1,
            Some(Err(error)) => break error,
            None => panic!("the answer looks whole"),
        }
    };
    assert!(matches!(error, GatewayError::Lost(_)) && count <= 5, "{count}: {error:?}");
    match events.recv().await.unwrap() {
        ServingEvent::FileChanged { path, .. } => assert_eq!(path, changed_file()),
        other => panic!("{other:?}"),
    }
    match events.recv().await.unwrap() {
        ServingEvent::Served(served) => {
            assert_eq!(served.requester, Requester::Peer(peer));
            assert_eq!((served.exchange, served.cid), (Exchange::Gateway, shared.file));
            assert!(!served.complete && served.bytes > 0, "{served:?}");
        }
        other => panic!("{other:?}"),
    }
    // Before an answer has begun it is a plain refusal, which names no file.
    let mut client = connect(&gateway, peer).await;
    match client.block(shared.leaves[4]).await.unwrap_err() {
        GatewayError::NotFound { sentence } => assert!(!sentence.contains("secret")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn heads_are_as_the_specification_has_them() {
    let shared = share(1000, 100);
    let face = PlainFace::of(&Gateway::new(shared.blocks.clone())).await;
    let (leaf, root) = (shared.leaves[0], shared.file);
    let raw = face.ask("HEAD", &format!("/ipfs/{leaf}?format=raw"), "").await;
    for line in [
        "HTTP/1.1 200 OK",
        "content-type: application/vnd.ipld.raw",
        "content-length: 100",
        "cache-control: public, max-age=29030400, immutable",
        "x-content-type-options: nosniff",
        &format!("etag: \"{leaf}.raw\""),
        &format!("content-disposition: attachment; filename=\"{leaf}.bin\""),
        &format!("x-ipfs-path: /ipfs/{leaf}"),
    ] {
        assert!(raw.contains(line), "{line}:\n{raw}");
    }
    assert!(raw.ends_with("\r\n\r\n") && !raw.contains("content-location"));

    let accept = "accept: application/vnd.ipld.car; dups=y\r\n";
    let car = face.ask("HEAD", &format!("/ipfs/{root}"), accept).await;
    assert!(car.contains("application/vnd.ipld.car; version=1; order=dfs; dups=y"), "{car}");
    assert!(car.contains(&format!("content-location: /ipfs/{root}?format=car")), "{car}");

    let fresh = format!("if-none-match: \"x\", W/\"{leaf}.raw\"\r\n");
    let fresh = face.ask("GET", &format!("/ipfs/{leaf}?format=raw"), &fresh).await;
    assert!(fresh.starts_with("HTTP/1.1 304") && fresh.ends_with("\r\n\r\n"), "{fresh}");

    let protocols = face.ask("GET", "/.well-known/libp2p/protocols", "").await;
    assert!(protocols.ends_with(PROTOCOLS_JSON), "{protocols}");
}

#[tokio::test]
async fn refuses_bad_requests_with_a_sentence() {
    let shared = share(1000, 100);
    let face = PlainFace::of(&Gateway::new(shared.blocks.clone())).await;
    let root = shared.folder;
    let deep = format!("/ipfs/{root}{}?format=car", "/a".repeat(200));
    for (method, target, status) in [
        ("POST", format!("/ipfs/{root}?format=raw"), 405),
        ("GET", "/".to_owned(), 404),
        ("GET", "/ipns/example.org".to_owned(), 501),
        ("GET", format!("/ipfs/{root}"), 400),
        ("GET", "/ipfs/..%2f..%2fetc?format=raw".to_owned(), 400),
        ("GET", format!("/ipfs/{root}/../x?format=car"), 400),
        ("GET", format!("/ipfs/{root}?format=tar"), 406),
        ("GET", format!("/ipfs/{root}?format=car&entity-bytes=9"), 400),
        ("GET", deep, 400),
    ] {
        let answer = face.ask(method, &target, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
        assert!(answer.contains("text/plain") && answer.ends_with('\n'), "{answer}");
    }
    let missing = share(5000, 100).file;
    let cached = "cache-control: only-if-cached\r\n";
    let answer = face.ask("GET", &format!("/ipfs/{missing}?format=raw"), cached).await;
    assert!(answer.starts_with("HTTP/1.1 412 "), "{answer}");
}

#[tokio::test]
async fn refuses_headers_without_end() {
    let shared = share(1000, 100);
    let face = PlainFace::of(&Gateway::new(shared.blocks.clone())).await;
    let long = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(1_000_000));
    let answer = face.answer_to(long.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(500));
    let answer = face.answer_to(many.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = face.answer_to(b"\x16\x03\x01 this is TLS\r\n\r\n").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

fn limits(change: impl FnOnce(&mut GatewayLimits)) -> GatewayLimits {
    let mut limits = GatewayLimits::default();
    change(&mut limits);
    limits
}

#[tokio::test]
async fn drops_who_dribbles_a_header_or_says_nothing() {
    let shared = share(1000, 100);
    let limits = limits(|limits| limits.header = Duration::from_millis(100));
    let face = PlainFace::of(&Gateway::with_limits(shared.blocks.clone(), limits)).await;
    for beginning in ["", "GET /ipfs/"] {
        let mut stream = TcpStream::connect(face.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

#[tokio::test]
async fn who_does_not_read_loses_the_answer_and_its_turn() {
    let shared = share(8 << 20, 1 << 20);
    let limits = limits(|limits| {
        limits.requests = 1;
        limits.write_stall = Duration::from_millis(200);
        limits.turn = Duration::from_secs(20);
    });
    let gateway = Gateway::with_limits(shared.blocks.clone(), limits);
    let mut idler = connect(&gateway, PeerId::random()).await;
    let _unread = idler.get(&GatewayRequest::car(shared.file)).await.unwrap();
    let mut other = connect(&gateway, PeerId::random()).await.stall_after(Duration::from_secs(20));
    let body = other.get(&GatewayRequest::car(shared.file)).await.unwrap();
    assert_eq!(cids(body).await.len(), 9);
}

#[tokio::test]
async fn more_than_it_can_do_is_refused_in_time() {
    let shared = share(8 << 20, 1 << 20);
    let limits = limits(|limits| {
        limits.requests = 1;
        limits.turn = Duration::from_millis(50);
    });
    let gateway = Gateway::with_limits(shared.blocks.clone(), limits);
    let mut first = connect(&gateway, PeerId::random()).await;
    let body = first.get(&GatewayRequest::car(shared.file)).await.unwrap();
    let mut second = connect(&gateway, PeerId::random()).await;
    let error = second.get(&GatewayRequest::car(shared.file)).await.unwrap_err();
    assert!(matches!(error, GatewayError::Busy { .. }), "{error:?}");
    assert_eq!(cids(body).await.len(), 9);
    let body = second.get(&GatewayRequest::car(shared.file)).await.unwrap();
    assert_eq!(cids(body).await.len(), 9);
}

#[tokio::test]
async fn one_peer_cannot_take_all_streams() {
    let shared = share(1000, 100);
    let limits = limits(|limits| limits.connections_per_peer = 2);
    let gateway = Gateway::with_limits(shared.blocks.clone(), limits);
    let peer = PeerId::random();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = connect(&gateway, peer).await;
        client.block(shared.file).await.unwrap();
        clients.push(client);
    }
    assert!(connect(&gateway, peer).await.block(shared.file).await.is_err());
    assert!(connect(&gateway, PeerId::random()).await.block(shared.file).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_all_get_theirs() {
    let shared = share(4 << 20, 1 << 18);
    let gateway = Gateway::new(shared.blocks.clone());
    let gets = (0..40).map(|_| {
        let (gateway, request) = (gateway.clone(), GatewayRequest::car(shared.file));
        tokio::spawn(async move {
            let client = connect(&gateway, PeerId::random()).await;
            let mut client = client.stall_after(Duration::from_secs(60));
            loop {
                match client.get(&request).await {
                    Ok(body) => return cids(body).await.len(),
                    Err(GatewayError::Busy { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for get in gets.collect::<Vec<_>>() {
        assert_eq!(get.await.unwrap(), 17);
    }
    assert!(gateway.bytes_served() > 40 * (4 << 20));
}

#[tokio::test]
async fn an_answer_left_early_ends_the_stream_only() {
    let shared = share(8 << 20, 1 << 20);
    let serving = Serving::from(shared.blocks.clone());
    let (gateway, mut events) = (Gateway::new(serving.clone()), serving.events());
    let (ours, theirs) = duplex(1024);
    let serving = gateway.clone();
    let served = tokio::spawn(async move {
        serving.serve_stream(PeerId::random(), theirs.compat()).await;
    });
    let mut client = GatewayClient::new(ours.compat()).await.unwrap();
    drop(client.get(&GatewayRequest::car(shared.file)).await.unwrap());
    drop(client);
    served.await.unwrap();
    let event = events.recv().await.unwrap();
    assert!(matches!(&event, ServingEvent::Served(served) if !served.complete), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn works_between_two_nodes() {
    let shared = share(3_000_000, 1 << 20);
    let gateway = Gateway::new(shared.blocks.clone());
    let (server, client) =
        tokio::join!(Node::spawn(presets::loopback()), Node::spawn(presets::loopback()));
    let (server, client) = (server.unwrap(), client.unwrap());
    let incoming = server.accept(gateway::PROTOCOL).unwrap();
    let serving = tokio::spawn(async move { gateway.serve_streams(incoming.boxed()).await });
    client.connect(server.peer_id(), &server.listen_addresses()).await.unwrap();
    let stream = client.open_stream(server.peer_id(), gateway::PROTOCOL).await.unwrap();
    let mut http = GatewayClient::new(stream).await.unwrap();
    for _ in 0..2 {
        let body = http.get(&GatewayRequest::car(shared.folder)).await.unwrap();
        assert_eq!(cids(body).await.len(), 2 + shared.leaves.len());
    }
    serving.abort();
}

#[tokio::test]
async fn plain_http_answers_only_under_its_own_names() {
    let shared = share(1000, 100);
    let face = PlainFace::of(&Gateway::new(shared.blocks.clone())).await;
    let target = format!("/ipfs/{}?format=raw", shared.leaves[0]);
    for (host, status) in [("localhost", "200"), ("127.0.0.1:80", "200"), ("evil.example", "421")] {
        let head = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = face.answer_to(head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}
