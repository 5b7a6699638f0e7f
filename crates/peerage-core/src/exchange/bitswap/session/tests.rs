use bytes::Bytes;
use libp2p_identity::Keypair;
use proptest::prelude::*;

use super::*;
use crate::{
    data::{HashKind, codec},
    limits::BITSWAP_WINDOW_BYTES,
};

fn block(number: u32) -> Block {
    Block::new(codec::RAW, HashKind::Sha2_256, Bytes::copy_from_slice(&number.to_be_bytes()))
}

fn cids(numbers: std::ops::Range<u32>) -> Vec<Cid> {
    numbers.map(|number| *block(number).cid()).collect()
}

fn peer(seed: u8) -> PeerId {
    let mut secret = [seed; 32];
    Keypair::ed25519_from_bytes(&mut secret[..]).unwrap().public().to_peer_id()
}

fn session(peers: &[PeerId]) -> (Session, Duration) {
    let now = Duration::ZERO;
    let mut session = Session::new(SessionConfig::default(), now);
    for peer in peers {
        session.add_peer(*peer, now).unwrap();
    }
    (session, now)
}

/// What each peer has been told, with cancels taken out.
#[derive(Default)]
struct Wire {
    asked: Vec<(PeerId, Cid)>,
}

impl Wire {
    fn pump(&mut self, session: &mut Session) {
        while let Some((peer, entries)) = session.next_message() {
            for entry in entries {
                self.asked.retain(|asked| *asked != (peer, entry.cid));
                if !entry.cancel {
                    self.asked.push((peer, entry.cid));
                }
            }
        }
    }

    fn of(&self, peer: PeerId) -> Vec<Cid> {
        self.asked.iter().filter(|(id, _)| *id == peer).map(|(_, cid)| *cid).collect()
    }
}

fn events(session: &mut Session, now: Duration) -> Vec<Event> {
    std::iter::from_fn(|| session.next_event(now)).collect()
}

#[test]
fn asks_in_order_and_tells_what_comes() {
    let (mut session, now) = session(&[peer(1)]);
    session.want(&cids(0..3), now).unwrap();
    let (to, entries) = session.next_message().unwrap();
    assert_eq!(to, peer(1));
    assert_eq!(entries.iter().map(|e| e.cid).collect::<Vec<_>>(), cids(0..3));
    assert!(entries.is_sorted_by(|a, b| a.priority > b.priority));
    assert_eq!(session.receive_block(peer(1), &block(1), now), Verdict::Wanted);
    assert_eq!(events(&mut session, now), [Event::Block { block: block(1), from: peer(1) }]);
    assert_eq!(session.wants(), 2);
    assert!(session.next_message().is_none(), "a met want needs no cancel");
}

#[test]
fn a_refused_want_goes_to_another_and_is_given_up_when_all_refuse() {
    let (mut session, now) = session(&[peer(1), peer(2)]);
    let mut wire = Wire::default();
    session.want(&cids(0..1), now).unwrap();
    wire.pump(&mut session);
    let first = wire.asked[0].0;
    let second = if first == peer(1) { peer(2) } else { peer(1) };
    session.receive_presence(first, block(0).cid(), false, now);
    wire.pump(&mut session);
    assert_eq!(wire.of(second), cids(0..1));
    assert_eq!(events(&mut session, now), []);
    session.receive_presence(second, block(0).cid(), false, now);
    let given_up = Event::DontHave { cid: *block(0).cid(), from: second };
    assert_eq!(events(&mut session, now), [given_up]);
    assert_eq!(session.wants(), 0);
    wire.pump(&mut session);
    assert_eq!(wire.asked, [], "what is given up is cancelled with all");
}

#[test]
fn a_lost_peers_wants_go_to_the_others() {
    let (mut session, now) = session(&[peer(1), peer(2)]);
    let mut wire = Wire::default();
    session.want(&cids(0..10), now).unwrap();
    wire.pump(&mut session);
    assert_eq!(wire.of(peer(1)).len(), 5);
    session.lose_peer(peer(1), LossReason::Unwanted, now);
    wire.pump(&mut session);
    assert_eq!(wire.of(peer(2)).len(), 10);
    let lost = Event::PeerLost { peer: peer(1), reason: LossReason::Unwanted };
    assert_eq!(events(&mut session, now), [lost]);
}

#[test]
fn wants_wait_for_a_peer() {
    let (mut session, now) = session(&[peer(1)]);
    session.lose_peer(peer(1), LossReason::Stalled, now);
    session.want(&cids(0..2), now).unwrap();
    assert!(session.next_message().is_none());
    assert_eq!(session.deadline(), None);
    session.add_peer(peer(2), now).unwrap();
    assert_eq!(session.next_message().unwrap().1.len(), 2);
}

#[test]
fn a_silent_peer_is_given_up() {
    let (mut session, now) = session(&[peer(1)]);
    let patience = SessionConfig::default().stall_timeout;
    session.want(&cids(0..2), now).unwrap();
    assert_eq!(session.deadline(), Some(now + TICK));
    session.tick(now + patience / 2);
    session.receive_block(peer(1), &block(0), now + patience / 2);
    session.tick(now + patience);
    assert_eq!(session.peers().count(), 1, "it sent something of use");
    session.tick(now + patience + patience / 2);
    let lost = Event::PeerLost { peer: peer(1), reason: LossReason::Stalled };
    assert_eq!(events(&mut session, now).last(), Some(&lost));
}

#[test]
fn a_want_that_is_passed_over_counts_as_refused() {
    let (mut session, now) = session(&[peer(1)]);
    let patience = SessionConfig::default().want_timeout;
    session.want(&cids(0..1), now).unwrap();
    for number in 1..100 {
        session.want(&cids(number..number + 1), now).unwrap();
        session.receive_block(peer(1), &block(number), now);
    }
    session.tick(now);
    assert_eq!(session.wants(), 1);
    session.receive_block(peer(1), &block(99), now);
    session.want(&cids(200..201), now + patience).unwrap();
    session.receive_block(peer(1), &block(200), now + patience);
    session.tick(now + patience);
    let refused = Event::DontHave { cid: *block(0).cid(), from: peer(1) };
    assert_eq!(events(&mut session, now).last(), Some(&refused));
}

#[test]
fn an_idle_peer_takes_over_from_a_slow_one() {
    let (mut session, now) = session(&[peer(1), peer(2)]);
    let later = now + SessionConfig::default().steal_after;
    let mut wire = Wire::default();
    session.want(&cids(0..8), now).unwrap();
    wire.pump(&mut session);
    for cid in wire.of(peer(1)) {
        let number = (0..8).find(|n| *block(*n).cid() == cid).unwrap();
        session.receive_block(peer(1), &block(number), now);
        wire.asked.retain(|asked| *asked != (peer(1), cid));
    }
    session.tick(now);
    wire.pump(&mut session);
    assert_eq!((wire.of(peer(1)).len(), wire.of(peer(2)).len()), (0, 4));
    session.tick(later);
    wire.pump(&mut session);
    assert_eq!((wire.of(peer(1)).len(), wire.of(peer(2)).len()), (2, 2));
}

#[test]
fn blocks_that_nobody_asked_for_are_told_apart_from_late_ones() {
    let (mut session, now) = session(&[peer(1)]);
    assert_eq!(session.receive_block(peer(1), &block(9), now), Verdict::Unwanted);
    session.want(&cids(0..2), now).unwrap();
    session.next_message();
    session.cancel(&cids(0..1), now);
    assert!(session.next_message().unwrap().1[0].cancel);
    assert_eq!(session.receive_block(peer(1), &block(0), now), Verdict::Late);
    assert_eq!(session.receive_block(peer(1), &block(0), now), Verdict::Unwanted);
    assert_eq!(session.receive_block(peer(2), &block(1), now), Verdict::Unwanted);
    assert_eq!(session.receive_block(peer(1), &block(1), now), Verdict::Wanted);
    assert_eq!(session.receive_block(peer(1), &block(1), now), Verdict::Unwanted);
}

#[test]
fn a_want_that_was_not_sent_is_taken_back_silently() {
    let (mut session, now) = session(&[peer(1)]);
    session.want(&cids(0..2), now).unwrap();
    session.cancel(&cids(0..1), now);
    let entries = session.next_message().unwrap().1;
    assert_eq!(entries.iter().map(|e| e.cid).collect::<Vec<_>>(), cids(1..2));
}

#[test]
fn no_more_is_asked_for_than_the_window_holds_until_blocks_are_taken() {
    let (mut session, now) = session(&[peer(1)]);
    let mebibyte = |number: u8| {
        let data = Bytes::from(vec![number; 1024 * 1024]);
        Block::new(codec::RAW, HashKind::Sha2_256, data)
    };
    let blocks: Vec<_> = (0..64).map(mebibyte).collect();
    let mut wire = Wire::default();
    session.want(&blocks.iter().map(|b| *b.cid()).collect::<Vec<_>>(), now).unwrap();
    for block in &blocks {
        wire.pump(&mut session);
        if !wire.asked.iter().any(|(_, cid)| cid == block.cid()) {
            break;
        }
        session.receive_block(peer(1), block, now);
        assert!(session.ready_bytes < 2 * BITSWAP_WINDOW_BYTES);
        wire.asked.retain(|(_, cid)| cid != block.cid());
    }
    assert_eq!(wire.asked, [], "a full window asks for nothing");
    assert!(session.wants() > 0);
    events(&mut session, now);
    wire.pump(&mut session);
    assert!((8..=16).contains(&wire.asked.len()), "{}", wire.asked.len());
}

#[test]
fn wants_and_peers_are_limited_from_both_sides() {
    let (mut session, now) = session(&[]);
    let limit = u32::try_from(MAX_BITSWAP_SESSION_WANTS).unwrap();
    session.want(&cids(0..limit), now).unwrap();
    assert_eq!(session.want(&cids(limit..limit + 1), now), Err(TooManyWants));
    let most = u8::try_from(MAX_BITSWAP_SESSION_PEERS).unwrap();
    for seed in 0..most {
        session.add_peer(peer(seed), now).unwrap();
    }
    assert_eq!(session.add_peer(peer(most), now), Err(TooManyPeers));
    assert_eq!(session.add_peer(peer(0), now), Ok(()));
}

#[test]
fn wanting_and_cancelling_in_turn_does_not_grow_the_queue() {
    let (mut session, now) = session(&[]);
    for _ in 0..10 {
        session.want(&cids(0..2000), now).unwrap();
        session.cancel(&cids(0..2000), now);
    }
    assert!(session.queue.len() <= 2 * MAX_BITSWAP_SESSION_WANTS);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Want(u32),
    Cancel(u32),
    Block(u8, u32),
    Refuse(u8, u32),
    Lose(u8),
    Add(u8),
    Wait(u16),
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    let (number, seed) = (0..10_u32, 1..4_u8);
    prop_oneof![
        4 => number.clone().prop_map(Step::Want),
        1 => number.clone().prop_map(Step::Cancel),
        4 => (seed.clone(), number.clone()).prop_map(|(p, n)| Step::Block(p, n)),
        2 => (seed.clone(), number).prop_map(|(p, n)| Step::Refuse(p, n)),
        1 => seed.clone().prop_map(Step::Lose),
        1 => seed.prop_map(Step::Add),
        1 => (0..4000_u16).prop_map(Step::Wait),
        1 => Just(Step::Take),
    ]
}

fn apply(session: &mut Session, step: Step, now: &mut Duration) {
    match step {
        Step::Want(n) => session.want(&cids(n..n + 1), *now).unwrap(),
        Step::Cancel(n) => session.cancel(&cids(n..n + 1), *now),
        Step::Block(p, n) => {
            session.receive_block(peer(p), &block(n), *now);
        }
        Step::Refuse(p, n) => session.receive_presence(peer(p), block(n).cid(), false, *now),
        Step::Lose(p) => session.lose_peer(peer(p), LossReason::Stalled, *now),
        Step::Add(p) => session.add_peer(peer(p), *now).unwrap(),
        Step::Wait(milliseconds) => {
            *now += Duration::from_millis(milliseconds.into());
            session.tick(*now);
        }
        Step::Take => {
            session.next_event(*now);
        }
    }
}

proptest! {
    /// Whatever happens: every want is with a peer that was told of it, or in
    /// the queue; peers were told of nothing else.
    #[test]
    fn what_peers_were_told_is_what_is_wanted(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut session, mut now) = session(&[peer(1), peer(2)]);
        let mut wire = Wire::default();
        for step in steps {
            apply(&mut session, step, &mut now);
            if let Step::Block(p, n) = step {
                wire.asked.retain(|asked| *asked != (peer(p), *block(n).cid()));
            }
            wire.asked.retain(|(id, _)| session.peers.contains(id));
            wire.pump(&mut session);
            for (cid, want) in &session.wants {
                match want.with {
                    Some(id) => prop_assert!(wire.asked.contains(&(id, *cid))),
                    None => prop_assert!(session.queue.contains(cid)),
                }
            }
            for (id, cid) in &wire.asked {
                let want = session.wants.get(cid);
                prop_assert!(want.is_some_and(|w| w.with == Some(*id) || w.refused.contains(id)));
            }
        }
    }
}
