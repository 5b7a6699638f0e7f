//! Tests of all ways together, with ways that say what they are told to.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::MAX_FINDINGS_PER_LOOK_UP;
use futures::{
    FutureExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use libp2p::identity::Keypair;
use tokio::sync::mpsc;

use super::*;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way that answers with what it is given, and tells what it is asked.
struct Scripted {
    name: WayName,
    answers: Vec<Result<Finding, WayError>>,
    /// Goes on for ever after its answers.
    hangs: bool,
    /// What announcing answers, the last one from then on.
    announces: Vec<Result<Duration, WayError>>,
    tries: AtomicUsize,
    told: mpsc::UnboundedSender<Told>,
}

#[derive(Debug, PartialEq)]
enum Told {
    Announced(u64),
    Withdrawn,
}

impl Scripted {
    fn new(
        name: WayName,
        answers: Vec<Result<Finding, WayError>>,
    ) -> (Self, mpsc::UnboundedReceiver<Told>) {
        let (told, hears) = mpsc::unbounded_channel();
        let announces = vec![Err(WayError::Unsupported)];
        let tries = AtomicUsize::new(0);
        (Self { name, answers, hangs: false, announces, tries, told }, hears)
    }

    fn answering(name: WayName, answers: Vec<Result<Finding, WayError>>) -> Arc<dyn Way> {
        Arc::new(Self::new(name, answers).0)
    }
}

impl Way for Scripted {
    fn name(&self) -> WayName {
        self.name
    }

    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        let number = self.tries.fetch_add(1, Ordering::Relaxed);
        let _ = self.told.send(Told::Announced(presence.record.sequence()));
        let last = self.announces.len() - 1;
        std::future::ready(self.announces[number.min(last)].clone()).boxed()
    }

    fn withdraw(&self) -> BoxFuture<'_, ()> {
        let _ = self.told.send(Told::Withdrawn);
        std::future::ready(()).boxed()
    }

    fn look_up<'a>(&'a self, _: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        let answers = stream::iter(self.answers.clone());
        match self.hangs {
            true => answers.chain(stream::pending()).boxed(),
            false => answers.boxed(),
        }
    }
}

fn key(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

fn peer(seed: u8) -> PeerId {
    key(seed).public().to_peer_id()
}

fn address(port: u16) -> Multiaddr {
    format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()
}

fn claimed(seed: u8, port: u16) -> Result<Finding, WayError> {
    Ok(Finding { peer: peer(seed), addresses: vec![address(port)], record: None })
}

fn signed(seed: u8, sequence: u64, port: u16) -> Result<Finding, WayError> {
    let record = SignedPeerRecord::sign(&key(seed), sequence, vec![address(port)]).unwrap();
    Ok(Finding { peer: peer(seed), addresses: vec![address(port)], record: Some(record) })
}

fn presence(sequence: u64) -> Option<Presence> {
    let record = SignedPeerRecord::sign(&key(9), sequence, Vec::new()).unwrap();
    Some(Presence { record, keys: Vec::new() })
}

fn finder(ways: Vec<Arc<dyn Way>>) -> Finder {
    Finder::new(peer(9), ways, |_| {})
}

async fn all(answers: BoxStream<'static, Answer>) -> Vec<Answer> {
    timeout(PATIENCE, answers.collect()).await.expect("a look-up ends")
}

/// Who was found, by which way, at which port, and what came of it.
fn found(answers: &[Answer]) -> Vec<(WayName, PeerId, Outcome)> {
    let found = answers.iter().filter_map(|answer| match answer {
        Answer::Found(found) => Some((found.way, found.peer, found.outcome)),
        _ => None,
    });
    found.collect()
}

#[tokio::test]
async fn what_all_ways_find_comes_together_and_a_failure_ends_no_other() {
    let broken = Err(WayError::Malformed("no".to_owned()));
    let finder = finder(vec![
        Scripted::answering(WayName::Lan, vec![claimed(1, 1), claimed(1, 1), claimed(9, 1)]),
        Scripted::answering(WayName::Tracker, vec![broken.clone(), claimed(2, 1)]),
    ]);
    let answers = all(finder.look_up(&"topic:x".parse().unwrap())).await;
    let mut who = found(&answers);
    who.sort_by_key(|(way, ..)| *way);
    let expected =
        [(WayName::Lan, peer(1), Outcome::New), (WayName::Tracker, peer(2), Outcome::New)];
    assert_eq!(who, expected, "each once, and not ourselves");
    let failed = answers.iter().filter(|answer| {
        matches!(answer, Answer::Failed { way: WayName::Tracker, error, .. } if Err(error.clone()) == broken)
    });
    assert_eq!(failed.count(), 1);
    let ended = answers.iter().filter(|answer| matches!(answer, Answer::Ended { .. }));
    assert_eq!(ended.count(), 2);
    assert_eq!(finder.status().iter().map(|status| status.failed).sum::<u64>(), 1);
}

#[tokio::test]
async fn a_stale_record_is_refused_even_in_a_later_look_up() {
    let finder = finder(vec![Scripted::answering(WayName::Kademlia, vec![signed(1, 7, 1)])]);
    all(finder.look_up(&Key::Peer(peer(1)))).await;
    let liar = vec![signed(1, 6, 2), signed(2, 9, 3)];
    finder.add(Scripted::answering(WayName::Tracker, liar));
    let answers = all(finder.look_up(&Key::Peer(peer(1)))).await;
    assert_eq!(found(&answers), [(WayName::Kademlia, peer(1), Outcome::New)]);
    assert_eq!(finder.known(&peer(1)).unwrap().addresses, [address(1)]);
    assert_eq!(finder.known(&peer(2)), None, "nobody asked for it");
    assert_eq!(finder.status()[1].refused, 2);
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let flood = (1..=512).map(|port| claimed(1, port)).collect::<Vec<_>>();
    assert!(flood.len() > MAX_FINDINGS_PER_LOOK_UP);
    let finder = finder(vec![Scripted::answering(WayName::Tracker, flood)]);
    let answers = all(finder.look_up(&Key::Peer(peer(1)))).await;
    assert_eq!(found(&answers).len(), MAX_FINDINGS_PER_LOOK_UP);
    let bound = crate::limits::MAX_CLAIMED_ADDRESSES;
    assert_eq!(finder.known(&peer(1)).unwrap().addresses.len(), bound);
}

#[tokio::test]
async fn a_peer_is_found_without_waiting_for_the_slow_and_learnt_of() {
    let (mut slow, _) = Scripted::new(WayName::Kademlia, Vec::new());
    slow.hangs = true;
    let quick = Scripted::answering(WayName::Static, vec![claimed(1, 1)]);
    let (learnt, mut learns) = mpsc::unbounded_channel();
    let finder = Finder::new(peer(9), vec![Arc::new(slow), quick], move |found| {
        let _ = learnt.send(found.addresses.clone());
    });
    let began = Instant::now();
    assert_eq!(finder.find_peer(peer(1)).await, Some(vec![address(1)]));
    assert!(began.elapsed() < LOOK_UP_TIME, "it did not wait for the slow one");
    assert_eq!(learns.recv().await, Some(vec![address(1)]));
    assert_eq!(finder.find_peer(peer(2)).now_or_never(), None);
    finder.close().await;
}

#[tokio::test]
async fn it_announces_again_after_a_failure_and_a_change_and_takes_back_at_the_end() {
    let (mut way, mut hears) = Scripted::new(WayName::Tracker, Vec::new());
    let hour = Duration::from_secs(3600);
    way.announces = vec![Err(WayError::Unavailable("x".to_owned())), Ok(hour)];
    let finder = finder(vec![Arc::new(way)]);
    finder.announce(presence(1));
    for expected in [1, 1] {
        let told = timeout(PATIENCE, hears.recv()).await.unwrap();
        assert_eq!(told, Some(Told::Announced(expected)), "tried again");
    }
    finder.announce(presence(2));
    assert_eq!(timeout(PATIENCE, hears.recv()).await.unwrap(), Some(Told::Announced(2)));
    while finder.status()[0].next.is_none_or(|next| next < Instant::now() + hour / 2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(finder.status()[0].announced.as_ref().unwrap().result, Ok(hour));
    finder.close().await;
    assert_eq!(hears.recv().await, Some(Told::Withdrawn));
    assert_eq!(hears.recv().await, None, "the way is let go of");
}

#[tokio::test]
async fn a_watch_goes_on_until_the_finder_closes() {
    let finder = finder(vec![Scripted::answering(WayName::Static, vec![claimed(1, 1)])]);
    let mut answers = finder.watch(&Key::Peer(peer(1)));
    assert!(matches!(answers.next().await, Some(Answer::Found(_))));
    assert!(matches!(answers.next().await, Some(Answer::Ended { findings: 1, .. })));
    assert_eq!(answers.next().now_or_never(), None, "it waits");
    finder.close().await;
    assert_eq!(answers.next().await, None);
}
