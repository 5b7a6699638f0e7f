//! Bitswap between our own nodes, and with peers that break the rules.

use std::sync::Arc;

use bytes::Bytes;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use peerage::limits::MAX_BITSWAP_UNWANTED_BLOCKS;
use peerage::{
    PeerId, StreamProtocol,
    access::Requester,
    exchange::{
        Serving,
        bitswap::{Bitswap, Event, LossReason, Session, Version},
        serving::{Exchange, ServingEvent},
    },
    node::{IncomingStreams, Node, Stream},
    presets,
};
use peerage_core::{
    data::{Block, Cid, HashKind, Profile, codec},
    exchange::bitswap::{Entry, Message, Payload, Prefix, Presence},
};

use crate::support::{
    blocks::{Shelf, assert_same, fetch, noise, sample},
    soon,
};

struct Host {
    node: Node,
    shelf: Arc<Shelf>,
    serving: Serving,
    bitswap: Bitswap,
}

impl Host {
    async fn start() -> Self {
        let node = Node::spawn(presets::loopback()).await.unwrap();
        let shelf = Arc::new(Shelf::default());
        let serving = Serving::from(shelf.clone());
        let bitswap = Bitswap::start(&node, Some(serving.clone())).unwrap();
        Self { node, shelf, serving, bitswap }
    }

    fn session(&self, peers: &[&Node]) -> Session {
        for peer in peers {
            self.node.add_addresses(peer.peer_id(), &peer.listen_addresses());
        }
        let peers: Vec<_> = peers.iter().map(|peer| peer.peer_id()).collect();
        self.bitswap.session(&peers).unwrap()
    }
}

/// A node that says on bitswap's streams what the test wants.
pub(crate) struct Stranger {
    pub(crate) node: Node,
    incoming: IncomingStreams,
    /// The stream that is being listened to, and what was read of it.
    current: Option<(Stream, Vec<u8>)>,
}

impl Stranger {
    pub(crate) async fn start() -> Self {
        let node = Node::spawn(presets::loopback()).await.unwrap();
        let incoming = node.accept(protocol()).unwrap();
        Self { node, incoming, current: None }
    }

    /// The next message, on the same stream until that ends.
    pub(crate) async fn hear(&mut self) -> Message {
        loop {
            let (mut stream, mut frame) = match self.current.take() {
                Some(current) => current,
                None => (soon("a stream", self.incoming.next()).await.unwrap().1, Vec::new()),
            };
            while let Ok(1..) = read_more(&mut stream, &mut frame).await {
                if let Some(message) = take_message(&mut frame) {
                    self.current = Some((stream, frame));
                    return message;
                }
            }
        }
    }

    async fn say(&self, to: &Node, bytes: &[u8]) {
        self.node.add_addresses(to.peer_id(), &to.listen_addresses());
        let mut stream = self.node.open_stream(to.peer_id(), protocol()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.close().await.unwrap();
    }

    pub(crate) async fn tell(&self, to: &Node, message: &Message) {
        self.say(to, &message.encode_framed(Version::V1_2)).await;
    }
}

async fn read_more(stream: &mut Stream, frame: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut buffer = [0; 4096];
    let count = soon("a message", stream.read(&mut buffer)).await?;
    frame.extend_from_slice(&buffer[..count]);
    Ok(count)
}

fn take_message(frame: &mut Vec<u8>) -> Option<Message> {
    let (length, rest) = unsigned_varint::decode::usize(frame).ok()?;
    let body = Bytes::copy_from_slice(rest.get(..length)?);
    let begin = frame.len() - rest.len();
    frame.drain(..begin + length);
    Some(Message::decode(body).unwrap())
}

fn protocol() -> StreamProtocol {
    StreamProtocol::new(Version::V1_2.protocol())
}

fn block(seed: u64) -> Block {
    Block::new(codec::RAW, HashKind::Sha2_256, noise(seed, 2000))
}

fn payload(block: &Block) -> Payload {
    Payload { prefix: Prefix::of(block.cid()), data: block.data().clone() }
}

fn blocks(message: &Message) -> Vec<Cid> {
    let blocks = message.blocks.iter().cloned();
    blocks.map(|payload| *payload.into_block().unwrap().cid()).collect()
}

async fn next(session: &Session) -> Event {
    soon("an event", session.next()).await.expect("something is wanted")
}

fn lost(peer: PeerId, reason: LossReason) -> Event {
    Event::PeerLost { peer, reason }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_comes_over_byte_for_byte() {
    let (bob, alice) = (Host::start().await, Host::start().await);
    let files = sample(4000);
    let root = bob.shelf.add_folder(&files, &Profile::default()).cid;
    let mut events = bob.serving.events();
    let got = fetch(&alice.session(&[&bob.node]), root).await;
    assert_same(&got.read(&root), &files);
    let sent: usize = bob.shelf.blocks().values().map(Bytes::len).sum();
    assert_eq!(bob.bitswap.bytes_sent(), sent as u64, "every block was sent once");
    let mut told = 0;
    while told < sent as u64 {
        match soon("word of what was sent", events.recv()).await.unwrap() {
            ServingEvent::Served(served) => {
                assert_eq!(served.requester, Requester::Peer(alice.node.peer_id()));
                assert_eq!(served.exchange, Exchange::Bitswap);
                assert!(told > 0 || served.cid == root, "{served:?}");
                assert!(served.complete, "{served:?}");
                told += served.bytes;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, sent as u64, "told once");
}

#[tokio::test]
async fn a_peer_that_goes_is_told_of_at_once() {
    let (bob, mut stranger) = (Host::start().await, Stranger::start().await);
    let (here, missing) = (block(1), block(2));
    bob.shelf.put(here.clone());
    let mut events = bob.serving.events();
    let wants = [*here.cid(), *missing.cid()].map(|cid| Entry::block(cid, 1));
    stranger.tell(&bob.node, &Message::wants(wants.to_vec())).await;
    assert_eq!(blocks(&stranger.hear().await), [*here.cid()]);
    stranger.node.shutdown().await;
    match soon("word of what was sent", events.recv()).await.unwrap() {
        ServingEvent::Served(served) => {
            assert_eq!((served.cid, served.bytes), (*here.cid(), here.data().len() as u64));
            assert_eq!(served.requester, Requester::Peer(stranger.node.peer_id()));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_one_peer_lacks_comes_from_another() {
    let (bob, carol, alice) = (Host::start().await, Host::start().await, Host::start().await);
    let file = noise(1, 20 * 256 * 1024);
    let root = bob.shelf.add_file(&file, &Profile::LEGACY_CIDV1).cid;
    let mut leaves: Vec<_> = bob.shelf.blocks().keys().copied().filter(|c| *c != root).collect();
    leaves.sort_unstable();
    for cid in &leaves[..leaves.len() / 2] {
        let data = bob.shelf.blocks().remove(cid).unwrap();
        carol.shelf.blocks().insert(*cid, data);
    }
    let got = fetch(&alice.session(&[&bob.node, &carol.node]), root).await;
    assert_eq!(got.read(&root)[""], file);
    assert!(bob.bitswap.bytes_sent() > 0 && carol.bitswap.bytes_sent() > 0);
}

#[tokio::test]
async fn what_nobody_has_is_said_and_can_be_asked_for_again() {
    let (bob, alice) = (Host::start().await, Host::start().await);
    let session = alice.session(&[&bob.node]);
    let (wanted, from) = (block(1), bob.node.peer_id());
    session.want(&[*wanted.cid()]).unwrap();
    assert_eq!(next(&session).await, Event::DontHave { cid: *wanted.cid(), from });
    assert_eq!(session.next().await, None);
    bob.shelf.put(wanted.clone());
    session.want(&[*wanted.cid()]).unwrap();
    assert_eq!(next(&session).await, Event::Block { block: wanted, from });
}

#[tokio::test]
async fn a_peer_is_answered_by_the_rules() {
    let (bob, mut stranger) = (Host::start().await, Stranger::start().await);
    let (large, small, missing) = (block(1), block(2), block(3));
    let tiny = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"tiny"));
    for block in [&large, &small, &tiny] {
        bob.shelf.put(block.clone());
    }
    let word = |block: &Block| Entry {
        want: peerage_core::exchange::bitswap::Want::Have,
        ..Entry::block(*block.cid(), 1)
    };
    let entries = vec![
        word(&large),
        word(&tiny),
        Entry::block(*small.cid(), 9),
        Entry::block(*missing.cid(), 1),
    ];
    stranger.tell(&bob.node, &Message::wants(entries)).await;
    let answer = stranger.hear().await;
    assert_eq!(blocks(&answer), [*small.cid(), *tiny.cid()]);
    let presences =
        [Presence { cid: *large.cid(), have: true }, Presence { cid: *missing.cid(), have: false }];
    assert_eq!(answer.presences, presences);
}

#[tokio::test]
async fn a_block_that_arrives_is_sent_to_who_waits_for_it() {
    let (bob, mut stranger) = (Host::start().await, Stranger::start().await);
    let (first, later) = (block(1), block(2));
    bob.shelf.put(first.clone());
    let quiet = Entry { send_dont_have: false, ..Entry::block(*later.cid(), 2) };
    let entries = vec![quiet, Entry::block(*first.cid(), 1)];
    stranger.tell(&bob.node, &Message::wants(entries)).await;
    assert_eq!(blocks(&stranger.hear().await), [*first.cid()]);
    bob.shelf.put(later.clone());
    bob.bitswap.arrived(&[*later.cid()]);
    assert_eq!(blocks(&stranger.hear().await), [*later.cid()]);
}

#[tokio::test]
async fn a_peer_that_sends_other_blocks_is_given_up() {
    let (alice, mut liar, bob) =
        (Host::start().await, Stranger::start().await, Host::start().await);
    let wanted = block(1);
    bob.shelf.put(wanted.clone());
    let session = alice.session(&[&liar.node]);
    session.want(&[*wanted.cid()]).unwrap();
    assert_eq!(liar.hear().await.wantlist.entries[0].cid, *wanted.cid());
    let others = (0..=u64::from(MAX_BITSWAP_UNWANTED_BLOCKS)).map(|n| payload(&block(n + 50)));
    liar.tell(&alice.node, &Message { blocks: others.collect(), ..Message::default() }).await;
    assert_eq!(next(&session).await, lost(liar.node.peer_id(), LossReason::Unwanted));
    assert_eq!(session.next().await, None, "nobody is left to be asked");
    alice.node.add_addresses(bob.node.peer_id(), &bob.node.listen_addresses());
    session.add_peer(bob.node.peer_id()).unwrap();
    assert_eq!(next(&session).await, Event::Block { block: wanted, from: bob.node.peer_id() });
}

#[tokio::test]
async fn a_peer_that_does_not_speak_bitswap_is_given_up() {
    let (alice, mut stranger) = (Host::start().await, Stranger::start().await);
    let session = alice.session(&[&stranger.node]);
    for bad in [&[3, 0xff, 0xff, 0xff][..], &[0xff; 20]] {
        session.add_peer(stranger.node.peer_id()).unwrap();
        session.want(&[*block(1).cid()]).unwrap();
        stranger.hear().await;
        stranger.say(&alice.node, bad).await;
        let event = next(&session).await;
        assert!(
            matches!(event, Event::PeerLost { reason: LossReason::Misbehaved(_), .. }),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn a_peer_that_goes_is_noticed_and_its_wants_go_to_others() {
    let (alice, mut leaver, bob) =
        (Host::start().await, Stranger::start().await, Host::start().await);
    let wanted = block(1);
    bob.shelf.put(wanted.clone());
    let session = alice.session(&[&leaver.node]);
    session.want(&[*wanted.cid()]).unwrap();
    leaver.hear().await;
    leaver.node.shutdown().await;
    let event = next(&session).await;
    assert!(
        matches!(event, Event::PeerLost { reason: LossReason::Disconnected(_), .. }),
        "{event:?}"
    );
    alice.node.add_addresses(bob.node.peer_id(), &bob.node.listen_addresses());
    session.add_peer(bob.node.peer_id()).unwrap();
    assert_eq!(next(&session).await, Event::Block { block: wanted, from: bob.node.peer_id() });
}

#[tokio::test]
async fn a_dropped_session_takes_its_wants_back() {
    let (alice, mut stranger) = (Host::start().await, Stranger::start().await);
    let session = alice.session(&[&stranger.node]);
    session.want(&[*block(1).cid()]).unwrap();
    assert!(!stranger.hear().await.wantlist.entries[0].cancel);
    drop(session);
    assert_eq!(stranger.hear().await.wantlist.entries, [Entry::cancel(*block(1).cid())]);
}

#[tokio::test]
async fn bitswap_runs_once_on_a_node_and_ends_with_its_last_handle() {
    let alice = Host::start().await;
    assert!(Bitswap::start(&alice.node, None).is_err());
    drop(alice.bitswap);
    soon("the streams to be let go", async {
        while Bitswap::start(&alice.node, None).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
