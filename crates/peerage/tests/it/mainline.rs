//! The Mainline DHT, with bittorrent-dht and among ourselves, on loopback.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use peerage::discovery::{
    Finding, Identify, Key, Mainline, MainlineConfig, Presence, Scope, SignedPeerRecord, Way,
    WayError,
};
use peerage::{Multiaddr, PeerId};
use peerage_core::discovery::mainline::{SALT, info_hash};
use peerage_core::identity::{KeyKind, generate};
use serde_json::{Value, json};

use crate::support::{
    js::{self, Script},
    soon,
};

const SEQUENCE: u64 = 1_700_000_000_000;

fn keypair(seed: u8) -> libp2p::identity::Keypair {
    generate(KeyKind::Ed25519, [seed; 32].into())
}

fn record(seed: u8, sequence: u64, port: u16) -> SignedPeerRecord {
    let address = format!("/ip4/127.0.0.1/udp/{port}/quic-v1").parse().unwrap();
    SignedPeerRecord::sign(&keypair(seed), sequence, vec![address]).unwrap()
}

fn presence(seed: u8, port: u16, keys: &[Key]) -> Presence {
    Presence { record: record(seed, SEQUENCE, port), keys: keys.to_vec() }
}

fn topic() -> Key {
    "topic:lisbon street art".parse().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn salt() -> &'static str {
    std::str::from_utf8(SALT).unwrap()
}

/// Says of every place on QUIC that the peer of this seed is there.
fn everywhere_is(seed: u8) -> Identify {
    let peer = keypair(seed).public().to_peer_id();
    Arc::new(move |address: Multiaddr| {
        let found = Finding { peer, addresses: vec![address], record: None };
        async move { found.addresses[0].to_string().contains("quic").then_some(found) }.boxed()
    })
}

async fn start(bootstrap: Vec<String>, seed: u8, identify: Identify) -> Mainline {
    let config = MainlineConfig {
        bootstrap: Some(bootstrap),
        address: Ipv4Addr::LOCALHOST,
        server: true,
        scope: Scope::Local,
        ..MainlineConfig::default()
    };
    Mainline::start(config, keypair(seed), identify).await.unwrap()
}

async fn look_up(way: &Mainline, key: &Key) -> Vec<Result<Finding, WayError>> {
    soon("the end of a look-up", way.look_up(key).collect()).await
}

async fn found(way: &Mainline, key: &Key) -> Vec<Finding> {
    look_up(way, key).await.into_iter().map(Result::unwrap).collect()
}

fn records(findings: &[Finding]) -> Vec<SignedPeerRecord> {
    findings.iter().filter_map(|finding| finding.record.clone()).collect()
}

struct Judge {
    script: Script,
    place: String,
}

impl Judge {
    async fn start(test: &str) -> Option<Self> {
        let mut script = Script::start(js::home(test)?, "mainline.mjs", &[]);
        let place = script.event("listening").await["place"].as_str().unwrap().to_owned();
        Some(Self { script, place })
    }

    async fn ask(&mut self, command: Value, event: &str) -> Value {
        self.script.tell(&command).await;
        self.script.event(event).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bittorrent_dht_finds_what_we_announce() {
    let Some(mut judge) = Judge::start("bittorrent-dht finds us").await else { return };
    let way = start(vec![judge.place.clone()], 1, everywhere_is(9)).await;
    let presence = presence(1, 4001, &[topic()]);
    let holds = soon("the announcement", way.announce(&presence)).await.unwrap();
    assert!((600..1800).contains(&holds.as_secs()), "{holds:?}");

    for key in [Key::Peer(presence.record.peer()), topic()] {
        let found = judge.ask(json!(["lookup", hex(&info_hash(&key))]), "looked up").await;
        assert_eq!(found["peers"], json!(["127.0.0.1:4001"]), "{key}");
    }
    let public = keypair(1).public().try_into_ed25519().unwrap().to_bytes();
    let got = judge.ask(json!(["get", hex(&public), salt()]), "got").await;
    assert_eq!(got["value"], hex(&presence.record.encode()));
    assert_eq!(got["sequence"], SEQUENCE);

    soon("the same again", way.announce(&presence)).await.unwrap();
    soon("taking it back", way.withdraw()).await;
    let got = judge.ask(json!(["get", hex(&public), salt()]), "got").await;
    assert_eq!(got["sequence"], SEQUENCE + 1, "a record without addresses is there");
    judge.script.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_find_what_bittorrent_dht_announces_and_puts() {
    let Some(mut judge) = Judge::start("we find what bittorrent-dht has").await else { return };
    let (there, forger) = (record(2, SEQUENCE, 4002), record(3, SEQUENCE, 4003));
    judge.ask(json!(["announce", hex(&info_hash(&topic())), 4002]), "announced").await;
    for (seed, value) in [(2, &there), (4, &forger)] {
        let put = json!(["put", hex(&[seed; 32]), salt(), SEQUENCE, hex(&value.encode())]);
        judge.ask(put, "put").await;
    }
    let way = start(vec![judge.place.clone()], 1, everywhere_is(2)).await;

    let topic = found(&way, &topic()).await;
    assert_eq!(topic.iter().map(|finding| finding.peer).collect::<Vec<_>>(), [there.peer()]);
    let address: Multiaddr = "/ip4/127.0.0.1/udp/4002/quic-v1".parse().unwrap();
    assert_eq!(topic[0].addresses, [address]);

    let records_there = records(&found(&way, &Key::Peer(there.peer())).await);
    assert!(!records_there.is_empty() && records_there.iter().all(|record| *record == there));
    let other = keypair(4).public().to_peer_id();
    assert_eq!(found(&way, &Key::Peer(other)).await, [], "another's record is refused");
    judge.script.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_found_by_its_id_alone_and_whoever_cares_for_a_topic() {
    let first = start(Vec::new(), 1, everywhere_is(9)).await;
    let bootstrap = vec![first.local_address().await.to_string()];
    let there = start(bootstrap.clone(), 2, everywhere_is(9)).await;
    let presence = presence(2, 4002, &[topic()]);
    soon("the announcement", there.announce(&presence)).await.unwrap();

    let seeker = start(bootstrap.clone(), 3, everywhere_is(2)).await;
    let findings = found(&seeker, &Key::Peer(presence.record.peer())).await;
    assert_eq!(records(&findings), std::slice::from_ref(&presence.record));
    let hints = findings.iter().filter(|finding| finding.record.is_none());
    let hints: BTreeSet<&Multiaddr> = hints.flat_map(|finding| &finding.addresses).collect();
    assert!(hints.contains(&presence.record.addresses()[0]), "{hints:?}");

    let peers: Vec<PeerId> =
        found(&seeker, &topic()).await.iter().map(|finding| finding.peer).collect();
    assert_eq!(peers, [presence.record.peer()]);
    let itself = start(bootstrap, 2, everywhere_is(2)).await;
    assert_eq!(found(&itself, &topic()).await, [], "oneself does not count");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_found_while_one_announces_the_same() {
    let first = start(Vec::new(), 1, everywhere_is(9)).await;
    let bootstrap = vec![first.local_address().await.to_string()];
    let there = start(bootstrap.clone(), 2, everywhere_is(9)).await;
    soon("the announcement", there.announce(&presence(2, 4002, &[topic()]))).await.unwrap();

    let both = start(bootstrap, 3, everywhere_is(2)).await;
    let (own, key) = (presence(3, 4003, &[topic()]), topic());
    let (announced, findings) =
        soon("both", futures::future::join(both.announce(&own), found(&both, &key))).await;
    announced.unwrap();
    assert!(findings.iter().any(|finding| finding.peer == keypair(2).public().to_peer_id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_ed25519_is_announced_by_its_place_only() {
    let first = start(Vec::new(), 1, everywhere_is(9)).await;
    let bootstrap = vec![first.local_address().await.to_string()];
    let keypair = generate(KeyKind::Secp256k1, [5; 32].into());
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/4005".parse().unwrap();
    let record = SignedPeerRecord::sign(&keypair, SEQUENCE, vec![address.clone()]).unwrap();
    let config = MainlineConfig {
        bootstrap: Some(bootstrap.clone()),
        address: Ipv4Addr::LOCALHOST,
        ..MainlineConfig::default()
    };
    let there = Mainline::start(config, keypair, everywhere_is(9)).await.unwrap();
    let presence = Presence { record: record.clone(), keys: Vec::new() };
    soon("the announcement", there.announce(&presence)).await.unwrap();

    let seeker = start(bootstrap, 3, everywhere_is(9)).await;
    let findings = found(&seeker, &Key::Peer(record.peer())).await;
    assert!(findings.iter().any(|finding| finding.addresses.contains(&address)), "{findings:?}");
    assert!(findings.iter().all(|finding| finding.record.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_answers_garbage_is_nobody_to_ask() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let place = socket.local_addr().unwrap().to_string();
    let liar = tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            for answer in [&b"d1:rd2:id20:"[..], &buffer[..length - 1], &[b'l'; 1400], b"i-0e"] {
                let _ = socket.send_to(answer, from).await;
            }
        }
    });
    let way = start(vec![place], 1, everywhere_is(9)).await;
    let peer = Key::Peer(keypair(2).public().to_peer_id());
    assert!(matches!(look_up(&way, &peer).await[..], [Err(WayError::Unavailable(_))]));
    let refused = soon("the refusal", way.announce(&presence(1, 4001, &[]))).await;
    assert!(
        matches!(refused, Err(WayError::Unavailable(_) | WayError::TimedOut(_))),
        "{refused:?}"
    );
    liar.abort();
    let _ = liar.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_nearer_than_wanted_are_not_asked() {
    let first = start(Vec::new(), 1, everywhere_is(9)).await;
    let place: SocketAddrV4 = first.local_address().await;
    let there = start(vec![place.to_string()], 2, everywhere_is(9)).await;
    soon("the announcement", there.announce(&presence(2, 4002, &[topic()]))).await.unwrap();
    let config = MainlineConfig {
        bootstrap: Some(vec![place.to_string()]),
        address: Ipv4Addr::LOCALHOST,
        ..MainlineConfig::default()
    };
    let careful = Mainline::start(config, keypair(3), everywhere_is(2)).await.unwrap();
    assert_eq!(found(&careful, &topic()).await, []);
}
