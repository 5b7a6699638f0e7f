//! Tests of whom a node stays connected with, in virtual time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The peer of a number: a multihash of that, as if it were a short key.
fn peer(number: u16) -> PeerId {
    let [high, low] = number.to_be_bytes();
    PeerId::from_bytes(&[0, 2, high, low]).unwrap()
}

fn hub(keeper: &mut Keeper, number: u16, now: Duration) -> PeerId {
    let peer = peer(number);
    keeper.keep(peer, &[], Reason::Hub, false, now).unwrap();
    peer
}

#[test]
fn a_peer_is_tried_again_and_ever_more_slowly() {
    let mut keeper = Keeper::default();
    let peer = hub(&mut keeper, 1, Duration::ZERO);
    let mut now = Duration::ZERO;
    for (failures, pause) in [1, 1, 2, 2, 2, 2, 2, 2, 5, 15, 60, 60].into_iter().enumerate() {
        assert_eq!(keeper.due(now)[0].failures, failures);
        assert!(keeper.due(now).is_empty());
        let next = keeper.next_at().unwrap();
        assert_eq!(next - now, Duration::from_secs(pause));
        now = next;
    }
    assert!(!keeper.connected(&peer), "it was not there before");
    assert_eq!(keeper.next_at(), None);
    keeper.disconnected(&peer, now);
    assert_eq!(keeper.next_at(), Some(now), "at once");
    assert!(keeper.connected(&peer), "it is back");
    assert!(!keeper.connected(&peer), "it was there all the time");
}

#[test]
fn one_that_hangs_up_at_once_is_not_dialled_without_end() {
    let mut keeper = Keeper::default();
    let peer = hub(&mut keeper, 1, Duration::ZERO);
    let moment = Duration::from_millis(10);
    keeper.due(Duration::ZERO);
    keeper.connected(&peer);
    keeper.disconnected(&peer, moment);
    assert!(keeper.due(moment).is_empty());
    assert_eq!(keeper.next_at(), Some(Backoff::SHORTEST));
    keeper.hurry(2 * moment);
    assert_eq!(keeper.due(2 * moment).len(), 1, "but when the network changes it is");
}

#[test]
fn who_waits_for_a_provider_need_not_wait_for_long() {
    let mut keeper = Keeper::default();
    let peer = hub(&mut keeper, 1, Duration::ZERO);
    let pauses = |keeper: &mut Keeper, mut now: Duration| {
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            keeper.due(now);
            let next = keeper.next_at().unwrap();
            longest = longest.max(next - now);
            now = next;
        }
        (longest, now)
    };
    let (longest, now) = pauses(&mut keeper, Duration::ZERO);
    assert_eq!(longest, Backoff::LONGEST);
    keeper.keep(peer, &[], Reason::Provider, false, now).unwrap();
    assert_eq!(keeper.next_at(), Some(now), "somebody wants it now");
    let (longest, now) = pauses(&mut keeper, now);
    assert_eq!(longest, 15 * SECOND);
    keeper.release(&peer, Reason::Provider);
    assert_eq!(pauses(&mut keeper, now).0, Backoff::LONGEST);
    keeper.release(&peer, Reason::Hub);
    assert!(!keeper.contains(&peer));
}

#[test]
fn peers_and_addresses_are_bounded() {
    let mut keeper = Keeper::default();
    let address = |port: usize| format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap();
    let many: Vec<Multiaddr> = (1..99).map(address).collect();
    let kept = peer(0);
    keeper.keep(kept, &many, Reason::Provider, false, Duration::ZERO).unwrap();
    keeper.keep(kept, &many, Reason::Provider, false, Duration::ZERO).unwrap();
    assert_eq!(keeper.due(Duration::ZERO)[0].addresses, many[..MAX_ADDRESSES_PER_PEER]);
    let last = u16::try_from(MAX_KEPT_PEERS).unwrap();
    for number in 1..last {
        hub(&mut keeper, number, Duration::ZERO);
    }
    let one_more = keeper.keep(peer(last), &[], Reason::Hub, false, Duration::ZERO);
    assert_eq!(one_more, Err(TooManyKept));
    keeper.release(&kept, Reason::Provider);
    assert!(keeper.contains(&kept), "one more keeps it");
    keeper.release(&kept, Reason::Provider);
    hub(&mut keeper, last, Duration::ZERO);
}

/// What can happen to one of a few peers, after so many milliseconds.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Keep(usize, Reason),
    Release(usize, Reason),
    Connected(usize),
    Disconnected(usize),
    Hurry,
    Nothing,
}

fn happens() -> impl Strategy<Value = (u64, Happens)> {
    let reason = prop_oneof![Just(Reason::Hub), Just(Reason::Provider)];
    let what = prop_oneof![
        2 => (0..4_usize, reason.clone()).prop_map(|(peer, reason)| Happens::Keep(peer, reason)),
        1 => (0..4_usize, reason).prop_map(|(peer, reason)| Happens::Release(peer, reason)),
        2 => (0..4_usize).prop_map(Happens::Connected),
        2 => (0..4_usize).prop_map(Happens::Disconnected),
        1 => Just(Happens::Hurry),
        6 => Just(Happens::Nothing),
    ];
    (0..20_000_u64, what)
}

/// What must be so of a peer, told by a history alone.
#[derive(Default)]
struct Model {
    kept: BTreeMap<Reason, usize>,
    connected: bool,
    tried_at: Option<Duration>,
    /// Since the last try, all were to be hurried.
    hurried: bool,
}

impl Model {
    fn is_due_some_day(&self) -> bool {
        !self.kept.is_empty() && !self.connected
    }
}

/// Dials what is due at every moment until `until`, and checks each try.
fn drive(keeper: &mut Keeper, peers: &[PeerId], models: &mut [Model], until: Duration) {
    while let Some(at) = keeper.next_at().filter(|at| *at <= until) {
        let due = keeper.due(at);
        assert!(!due.is_empty(), "whoever is due at a time is dialled then");
        for due in due {
            let model = &mut models[peers.iter().position(|peer| *peer == due.peer).unwrap()];
            assert!(model.is_due_some_day(), "who is connected or released is left alone");
            if let Some(tried) = model.tried_at.filter(|_| !model.hurried) {
                assert!(at - tried >= Backoff::SHORTEST, "never two tries within a pause");
            }
            (model.tried_at, model.hurried) = (Some(at), false);
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_tries_keep_their_pauses_and_nobody_is_forgotten(
        history in prop::collection::vec(happens(), 1..200)
    ) {
        let mut keeper = Keeper::default();
        let peers: Vec<PeerId> = (0..4).map(peer).collect();
        let mut models: Vec<Model> = (0..4).map(|_| Model::default()).collect();
        let mut now = Duration::ZERO;
        for (after, what) in history {
            now += Duration::from_millis(after);
            drive(&mut keeper, &peers, &mut models, now);
            match what {
                Happens::Keep(at, reason) => {
                    let connected = models[at].connected;
                    keeper.keep(peers[at], &[], reason, connected, now).unwrap();
                    *models[at].kept.entry(reason).or_default() += 1;
                }
                Happens::Release(at, reason) => {
                    keeper.release(&peers[at], reason);
                    if let Some(count) = models[at].kept.get_mut(&reason) {
                        *count -= 1;
                        models[at].kept.retain(|_, count| *count > 0);
                        if models[at].kept.is_empty() {
                            // Kept anew, it begins anew.
                            models[at].tried_at = None;
                        }
                    }
                }
                Happens::Connected(at) => {
                    keeper.connected(&peers[at]);
                    models[at].connected = true;
                }
                Happens::Disconnected(at) if models[at].connected => {
                    keeper.disconnected(&peers[at], now);
                    models[at].connected = false;
                }
                Happens::Hurry => {
                    keeper.hurry(now);
                    models.iter_mut().for_each(|model| model.hurried = true);
                }
                Happens::Disconnected(_) | Happens::Nothing => {}
            }
            let mut waiting = 0;
            for (peer, model) in peers.iter().zip(&models) {
                prop_assert_eq!(keeper.contains(peer), !model.kept.is_empty());
                waiting += usize::from(model.is_due_some_day());
            }
            match keeper.next_at() {
                Some(next) => prop_assert!(next <= now + Backoff::LONGEST),
                None => prop_assert_eq!(waiting, 0),
            }
            // Whoever is kept and away is tried within the longest pause.
            let mut ahead = keeper.clone();
            prop_assert_eq!(ahead.due(now + Backoff::LONGEST).len(), waiting);
        }
    }
}
