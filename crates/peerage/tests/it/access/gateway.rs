//! The gateway, over streams and by plain HTTP.

use peerage::{
    PeerId,
    access::Requester,
    exchange::{
        Serving,
        gateway::{CarBlocks, Gateway, GatewayClient, GatewayError},
        serving::{Exchange, ServingEvent},
    },
};
use peerage_core::{data::Cid, exchange::gateway::GatewayRequest};
use tokio::io::duplex;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use super::support::{House, all, over_a_stream, requests, without_the_time};
use crate::{
    gateway::support::{PlainFace, Shared, connect, share},
    support::soon,
};

async fn whole(client: &mut GatewayClient, root: Cid) -> Vec<Cid> {
    let body = client.get(&GatewayRequest::car(root)).await.unwrap();
    let (mut blocks, mut cids) = (CarBlocks::new(body), Vec::new());
    while let Some(block) = blocks.next_verified().await {
        cids.push(*block.unwrap().cid());
    }
    cids
}

/// Asserts that a peer is answered alike by both gateways, whatever it asks.
async fn assert_alike(one: &Gateway, other: &Gateway, peer: PeerId, shared: &Shared) {
    for request in requests(shared, "localhost") {
        let answers =
            tokio::join!(over_a_stream(one, peer, &request), over_a_stream(other, peer, &request));
        assert!(
            answers.0 == answers.1,
            "{request}{}\n---\n{}",
            String::from_utf8_lossy(&answers.0),
            String::from_utf8_lossy(&answers.1)
        );
    }
}

#[tokio::test]
async fn each_peer_reads_what_an_owner_lets_it() {
    let (house, shared, other) = (House::new(), share(1000, 100), share(2000, 100));
    let (ours, theirs) = (house.owner_of_all(&shared), house.owner_of_all(&other));
    let (alice, bob) = (PeerId::random(), PeerId::random());
    house.rights.allow(Requester::Peer(alice), ours);
    house.rights.allow(Requester::Peer(bob), theirs);
    let gateway = house.gateway();
    for (peer, allowed, refused) in [(alice, &shared, &other), (bob, &other, &shared)] {
        let mut client = connect(&gateway, peer).await;
        assert_eq!(whole(&mut client, allowed.folder).await, all(allowed));
        for request in [GatewayRequest::car(refused.folder), GatewayRequest::raw(refused.file)] {
            let error = client.get(&request).await.unwrap_err();
            assert!(matches!(error, GatewayError::NotFound { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_answered_as_what_is_not_there() {
    let (house, empty, shared) = (House::new(), House::new(), share(1000, 100));
    let owner = house.owner_of_all(&shared);
    house.rights.allow(Requester::Peer(PeerId::random()), owner);
    assert_alike(&house.gateway(), &empty.gateway(), PeerId::random(), &shared).await;
}

#[tokio::test]
async fn a_graph_ends_at_a_refused_block_as_at_a_missing_one() {
    let shared = share(1_000_000, 100_000);
    let alice = PeerId::random();
    let secret = [shared.leaves[1], shared.leaves[7]];
    let public: Vec<Cid> = all(&shared).into_iter().filter(|cid| !secret.contains(cid)).collect();
    let (house, lacking) = (House::new(), House::new());
    for house in [&house, &lacking] {
        let owner = house.owner(&shared, &public);
        house.rights.allow(Requester::Peer(alice), owner);
    }
    house.owner(&shared, &secret);
    assert_alike(&house.gateway(), &lacking.gateway(), alice, &shared).await;
    let mut client = connect(&house.gateway(), alice).await;
    assert!(client.block(shared.leaves[0]).await.is_ok(), "the rest is there");
}

#[tokio::test]
async fn one_owner_is_enough_and_what_it_allowed_ends_with_it() {
    let (house, empty, shared) = (House::new(), House::new(), share(1000, 100));
    let (strict, open) = (house.owner_of_all(&shared), house.owner_of_all(&shared));
    let alice = PeerId::random();
    house.rights.allow(Requester::Peer(alice), open);
    let gateway = house.gateway();
    let mut client = connect(&gateway, alice).await;
    assert_eq!(whole(&mut client, shared.folder).await, all(&shared));

    house.store.remove_owner(open).unwrap();
    assert_alike(&gateway, &empty.gateway(), alice, &shared).await;

    house.rights.allow(Requester::Peer(alice), strict);
    assert_eq!(whole(&mut client, shared.folder).await, all(&shared));
    house.rights.take_back(Requester::Peer(alice), strict);
    assert_alike(&gateway, &empty.gateway(), alice, &shared).await;
}

#[tokio::test]
async fn an_owner_that_goes_in_the_middle_ends_the_answer() {
    let (house, shared) = (House::new(), share(32 << 20, 1 << 20));
    let (_strict, open) = (house.owner_of_all(&shared), house.owner_of_all(&shared));
    let alice = PeerId::random();
    house.rights.allow(Requester::Peer(alice), open);
    // So little is under way that the answer cannot be far ahead.
    let (ours, theirs) = duplex(1024);
    let gateway = house.gateway();
    let serving = tokio::spawn(async move { gateway.serve_stream(alice, theirs.compat()).await });
    let mut client = GatewayClient::new(ours.compat()).await.unwrap();
    let body = client.get(&GatewayRequest::car(shared.file)).await.unwrap();
    let mut blocks = CarBlocks::new(body);
    for _ in 0..4 {
        soon("a block", blocks.next_verified()).await.unwrap().unwrap();
    }
    house.store.remove_owner(open).unwrap();
    let mut after = 0;
    let error = loop {
        match soon("the end", blocks.next_verified()).await {
            Some(Ok(_)) => after += 1,
            Some(Err(error)) => break error,
            None => panic!("the answer looks whole"),
        }
    };
    assert!(matches!(error, GatewayError::Lost(_)), "{error:?}");
    assert!(after <= 3, "{after} blocks more than were being sent and read ahead");
    serving.await.unwrap();
}

/// What is answered by plain HTTP, but for the time.
async fn plainly(face: &PlainFace, request: &str) -> Vec<u8> {
    without_the_time(face.answer_to(request.as_bytes()).await.into_bytes())
}

#[tokio::test]
async fn plain_http_from_here_is_this_machine_and_from_a_web_page_is_not() {
    let (house, empty, shared) = (House::new(), House::new(), share(1000, 100));
    let owner = house.owner_of_all(&shared);
    house.rights.allow(Requester::Machine, owner);
    let serving = Serving::from(house.guarded());
    let mut events = serving.events();
    let face = PlainFace::of(&Gateway::new(serving)).await;
    let nothing = PlainFace::of(&empty.gateway()).await;

    let leaf = shared.leaves[1];
    for host in ["localhost", "127.0.0.1:1234", "[::1]"] {
        let lines = "connection: close\r\n\r\n";
        let target = format!("/ipfs/{leaf}?format=raw");
        let answer =
            plainly(&face, &format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{lines}")).await;
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        match soon("word of it", events.recv()).await.unwrap() {
            ServingEvent::Served(served) => {
                assert_eq!(served.requester, Requester::Machine);
                assert_eq!((served.exchange, served.cid), (Exchange::Http, leaf));
                assert_eq!((served.bytes, served.complete), (100, true));
            }
            other => panic!("{other:?}"),
        }
    }
    for request in requests(&shared, "rebound.example") {
        assert_eq!(plainly(&face, &request).await, plainly(&nothing, &request).await, "{request}");
    }
}
