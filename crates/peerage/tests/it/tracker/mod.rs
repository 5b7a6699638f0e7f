//! Trackers: who announces itself is found, whoever lies or floods gets
//! nothing of it.

mod hostile;
mod rendezvous;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::identity::Keypair;
use peerage::discovery::tracker::{Refusal, RegistryLimits, Tracker, TrackerConfig, TrackerServer};
use peerage::discovery::{Finding, Key, Presence, SignedPeerRecord, Way, WayError};
use peerage::node::{Node, Stream, StreamProtocol};
use peerage::routing::PeerAddresses;
use peerage::{Multiaddr, PeerId, presets};
use peerage_core::discovery::tracker::{self, Message};

use crate::support::soon;

const TRACKER: StreamProtocol = StreamProtocol::new(tracker::PROTOCOL);

/// A node with its key.
struct Peer {
    node: Node,
    key: Keypair,
}

impl Peer {
    async fn spawn() -> Self {
        Self::with(Keypair::generate_ed25519()).await
    }

    async fn with(key: Keypair) -> Self {
        let mut config = presets::loopback();
        config.keypair = key.clone();
        Self { node: Node::spawn(config).await.unwrap(), key }
    }

    fn id(&self) -> PeerId {
        self.node.peer_id()
    }

    fn record(&self, sequence: u64) -> SignedPeerRecord {
        SignedPeerRecord::sign(&self.key, sequence, self.node.listen_addresses()).unwrap()
    }

    fn presence(&self, keys: &[&str]) -> Presence {
        let keys = keys.iter().map(|text| text.parse().unwrap()).collect();
        Presence { record: self.record(1), keys }
    }

    fn tracker(&self, hubs: &[&Self]) -> Tracker {
        let place =
            |hub: &&Self| PeerAddresses { peer: hub.id(), addresses: hub.node.listen_addresses() };
        Tracker::new(&self.node, &self.key, hubs.iter().map(place).collect())
    }

    async fn stream(&self, hub: &Self) -> Stream {
        self.node.connect(hub.id(), &hub.node.listen_addresses()).await.unwrap();
        self.node.open_stream(hub.id(), TRACKER).await.unwrap()
    }

    /// Asks the tracker of `hub` one thing; `None` when it ends the stream.
    async fn ask(&self, hub: &Self, request: &Message) -> Option<Message> {
        let mut stream = self.stream(hub).await;
        send(&mut stream, &request.encode()).await;
        let answer = soon("an answer", receive(&mut stream)).await?;
        Some(Message::decode(&answer).unwrap())
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    [unsigned_varint::encode::usize(message.len(), &mut buffer), message].concat()
}

async fn send(stream: &mut Stream, message: &[u8]) {
    stream.write_all(&framed(message)).await.unwrap();
    stream.flush().await.unwrap();
}

async fn receive(stream: &mut Stream) -> Option<Vec<u8>> {
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

async fn look_up(tracker: &Tracker, key: &str) -> Vec<Result<Finding, WayError>> {
    let key: Key = key.parse().unwrap();
    soon("the end of a look-up", tracker.look_up(&key).collect()).await
}

/// The peers found, when nothing failed.
async fn found(tracker: &Tracker, key: &str) -> Vec<PeerId> {
    let all = look_up(tracker, key).await;
    all.into_iter().map(|one| one.unwrap().peer).collect()
}

const CID: &str = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";

#[tokio::test]
async fn who_announces_itself_is_found_by_id_topic_and_content() {
    let (hub, alice, bob) = (Peer::spawn().await, Peer::spawn().await, Peer::spawn().await);
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    let (ours, theirs) = (alice.tracker(&[&hub]), bob.tracker(&[&hub]));

    let presence = alice.presence(&["topic:lisbon", CID]);
    let ttl = soon("an announcement", ours.announce(&presence)).await.unwrap();
    assert_eq!(ttl.as_secs(), 3600);
    for key in [&alice.id().to_string(), "topic:lisbon", CID] {
        let all = look_up(&theirs, key).await;
        let finding = all[0].as_ref().unwrap();
        assert_eq!((all.len(), finding.peer), (1, alice.id()), "{key}");
        assert_eq!(finding.record, Some(presence.record.clone()));
        assert_eq!(finding.addresses, alice.node.listen_addresses());
    }
    assert!(found(&theirs, "topic:porto").await.is_empty());
    assert!(found(&ours, "topic:lisbon").await.is_empty(), "oneself is not found");
    assert_eq!(server.records(9), std::slice::from_ref(&presence.record));
    assert_eq!(server.peer(&alice.id()).unwrap().record, Some(presence.record));
    assert!(theirs.standings()[0].latency.is_some());

    soon("the withdrawal", ours.withdraw()).await;
    assert!(found(&theirs, "topic:lisbon").await.is_empty());
    assert_eq!(server.status().peers, 0);
}

#[tokio::test]
async fn only_a_failure_of_all_trackers_is_one() {
    let (hub, silent) = (Peer::spawn().await, Peer::spawn().await);
    let _server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    let gone = Peer::spawn().await;
    gone.node.shutdown().await;
    let (alice, bob) = (Peer::spawn().await, Peer::spawn().await);

    // One is gone, one is no tracker, one works.
    let ours = alice.tracker(&[&gone, &silent, &hub]);
    soon("an announcement", ours.announce(&alice.presence(&["topic:a"]))).await.unwrap();
    let theirs = bob.tracker(&[&silent, &hub, &gone]);
    assert_eq!(found(&theirs, "topic:a").await, [alice.id()]);
    let failed = |tracker: &Tracker| {
        let standings = tracker.standings();
        standings.iter().map(|standing| standing.failure.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(failed(&theirs), [true, false, true]);

    let none = bob.tracker(&[&gone, &silent]);
    let outcome = look_up(&none, "topic:a").await;
    assert!(matches!(outcome.as_slice(), [Err(WayError::Unavailable(_))]), "{outcome:?}");
    let outcome = soon("a failure", none.announce(&bob.presence(&[]))).await;
    assert!(matches!(outcome, Err(WayError::Unavailable(_))));
    let outcome = look_up(&bob.tracker(&[]), "topic:a").await;
    assert!(matches!(outcome.as_slice(), [Err(WayError::Unavailable(_))]));
}

#[tokio::test]
async fn what_two_trackers_know_is_found_once() {
    let (one, two) = (Peer::spawn().await, Peer::spawn().await);
    let _one = TrackerServer::start(&one.node, TrackerConfig::default()).unwrap();
    let _two = TrackerServer::start(&two.node, TrackerConfig::default()).unwrap();
    let (alice, bob, carol) = (Peer::spawn().await, Peer::spawn().await, Peer::spawn().await);
    alice.tracker(&[&one, &two]).announce(&alice.presence(&["topic:a"])).await.unwrap();
    bob.tracker(&[&two]).announce(&bob.presence(&["topic:a"])).await.unwrap();
    let mut all = found(&carol.tracker(&[&one, &two]), "topic:a").await;
    let mut both = [alice.id(), bob.id()];
    all.sort();
    both.sort();
    assert_eq!(all, both);
}

#[tokio::test]
async fn a_tracker_that_restarts_goes_on_with_its_registry() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        TrackerConfig { snapshot: Some(folder.path().join("registry")), ..Default::default() };
    let (key, alice, bob) = (Keypair::generate_ed25519(), Peer::spawn().await, Peer::spawn().await);
    let before = Peer::with(key.clone()).await;
    let server = TrackerServer::start(&before.node, config.clone()).unwrap();
    alice.tracker(&[&before]).announce(&alice.presence(&["topic:a"])).await.unwrap();
    soon("the end", server.shutdown()).await.unwrap();
    before.node.shutdown().await;

    let after = Peer::with(key).await;
    let server = TrackerServer::start(&after.node, config.clone()).unwrap();
    assert_eq!(server.records(9), [alice.record(1)]);
    assert_eq!(found(&bob.tracker(&[&after]), "topic:a").await, [alice.id()]);
    soon("the end", server.shutdown()).await.unwrap();

    // A file that is damaged is left out, and then replaced.
    std::fs::write(folder.path().join("registry"), b"damaged").unwrap();
    let server = TrackerServer::start(&after.node, config).unwrap();
    assert_eq!(server.status().peers, 0);
    soon("the end", server.shutdown()).await.unwrap();
    assert_ne!(std::fs::read(folder.path().join("registry")).unwrap(), b"damaged");
}

#[tokio::test]
async fn a_server_that_ends_gives_its_protocols_back() {
    let hub = Peer::spawn().await;
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    assert!(TrackerServer::start(&hub.node, TrackerConfig::default()).is_err());
    soon("the end", server.shutdown()).await.unwrap();
    TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
}
