//! What holds after any history of an attempt: it stays small, dials only what
//! it may and not too often, says when it has more to dial, and answers each who
//! waits once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::routing::Path;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Far more rounds than any attempt has.
const ROUNDS: usize = 1000;

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<u8>),
    Wait { milliseconds: u64 },
    Fail { which: usize },
    FindOther { which: usize },
    Succeed,
    Join,
    GiveUp,
    Hurry,
    Linger,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..8).prop_map(Step::Add),
        6 => (0..2500_u64).prop_map(|milliseconds| Step::Wait { milliseconds }),
        4 => any::<usize>().prop_map(|which| Step::Fail { which }),
        1 => any::<usize>().prop_map(|which| Step::FindOther { which }),
        1 => Just(Step::Succeed),
        2 => Just(Step::Join),
        1 => Just(Step::GiveUp),
        1 => Just(Step::Hurry),
        1 => Just(Step::Linger),
    ]
}

fn peer(number: u8) -> PeerId {
    let key = libp2p::identity::Keypair::ed25519_from_bytes([number + 1; 32]).unwrap();
    key.public().to_peer_id()
}

/// Whom the attempt is for.
fn wanted() -> PeerId {
    peer(0)
}

/// One of few addresses: of all kinds, some that lead nowhere or elsewhere.
fn address(number: u8) -> Multiaddr {
    let port = number / 8 % 8 + 1;
    let text = match number % 8 {
        0 | 1 => format!("/ip4/192.0.2.1/tcp/{port}"),
        2 => format!("/ip4/192.0.2.1/udp/{port}/quic-v1"),
        3 => format!("/ip4/192.0.2.9/tcp/{port}/http/p2p-circuit"),
        4 => format!("/ip4/192.0.2.9/tcp/{port}/p2p/{}/p2p-circuit", peer(9 + port % 2)),
        5 => format!("/ip4/192.0.2.1/tcp/{port}/p2p/{}", wanted()),
        6 => format!("/ip4/192.0.2.1/tcp/{port}/p2p/{}", peer(1)),
        _ => format!("/ip4/0.0.0.0/tcp/{port}"),
    };
    text.parse().unwrap()
}

type Outcome = oneshot::Receiver<Result<Connection, ConnectError>>;

struct Run {
    attempt: Attempt,
    now: Instant,
    next_id: usize,
    dialling: BTreeMap<usize, Multiaddr>,
    /// How often each address was dialled.
    dials: HashMap<Multiaddr, usize>,
    hurries: usize,
    found_other: bool,
    waiting: Vec<Outcome>,
}

impl Run {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            attempt: Attempt::new(wanted(), &[], now),
            now,
            next_id: 0,
            dialling: BTreeMap::new(),
            dials: HashMap::new(),
            hurries: 0,
            found_other: false,
            waiting: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Add(numbers) => {
                let addresses: Vec<_> = numbers.into_iter().map(address).collect();
                self.attempt.add_addresses(&addresses);
            }
            Step::Wait { milliseconds } => {
                self.now += Duration::from_millis(milliseconds);
            }
            Step::Fail { which } => self.fail(which),
            Step::FindOther { which } => self.find_other(which),
            Step::Succeed => self.succeed(),
            Step::Join => self.join(),
            Step::GiveUp => self.waiting.clear(),
            Step::Hurry => {
                self.hurries += 1;
                self.attempt.hurry(self.now);
            }
            Step::Linger => self.attempt.linger(),
        }
    }

    /// Dials all that is due, as the node does.
    fn dial(&mut self) {
        let mut last: HashMap<TransportKind, usize> = HashMap::new();
        while let Some(address) = self.attempt.next(self.now) {
            assert!(dialable(&address), "{address}");
            assert!(peer_suffix(&address).is_none_or(|named| named == wanted()), "{address}");
            *self.dials.entry(address.clone()).or_default() += 1;
            *last.entry(TransportKind::of(&address)).or_default() += 1;
            let id = self.next_id;
            self.next_id += 1;
            self.attempt.began(ConnectionId::new_unchecked(id), address.clone());
            self.dialling.insert(id, address);
        }
        assert!(last.values().sum::<usize>() <= 3, "one for each lane at one moment: {last:?}");
    }

    fn any(&self, which: usize) -> Option<usize> {
        let count = self.dialling.len();
        (count > 0).then(|| *self.dialling.keys().nth(which % count).unwrap())
    }

    fn fail(&mut self, which: usize) {
        let Some(id) = self.any(which) else { return };
        self.dialling.remove(&id);
        let id = ConnectionId::new_unchecked(id);
        assert!(self.attempt.failed(id, "refused".to_owned()));
        assert!(!self.attempt.failed(id, "refused".to_owned()), "once");
    }

    fn find_other(&mut self, which: usize) {
        let Some(id) = self.any(which) else { return };
        self.dialling.remove(&id);
        self.found_other = true;
        assert!(self.attempt.found_other(ConnectionId::new_unchecked(id), peer(1)));
    }

    fn join(&mut self) {
        let (waiter, outcome) = oneshot::channel();
        self.attempt.add_waiter(waiter);
        self.waiting.push(outcome);
    }

    fn succeed(&mut self) {
        let address = address(0);
        let path = Path::of(&address);
        let direction = super::super::event::Direction::Outgoing;
        self.attempt.succeed(&Connection { peer: wanted(), address, path, direction });
        for mut outcome in self.waiting.drain(..) {
            assert!(matches!(outcome.try_recv(), Ok(Some(Ok(_)))), "all are answered");
        }
    }

    fn check(&self) {
        let attempt = &self.attempt;
        let untried = attempt.lanes().into_iter().flat_map(|lane| &lane.untried);
        let failed = attempt.failures.iter().map(|failure| &failure.address);
        let known: HashSet<&Multiaddr> =
            untried.chain(attempt.trying.values()).chain(failed).collect();
        assert!(known.len() <= MAX_ADDRESSES_PER_PEER);
        assert_eq!(attempt.trying.len(), self.dialling.len());
        let most = 1 + usize::from(REDIALS) + self.hurries;
        assert!(self.dials.values().all(|dials| *dials <= most), "{:?}", self.dials);
        match attempt.next_at() {
            Some(at) => assert!(at > self.now, "what is due was dialled"),
            None => assert!(attempt.lanes().iter().all(|lane| lane.untried.is_empty())),
        }
        let idle = attempt.trying.is_empty() && !attempt.answered;
        assert!(!idle || attempt.is_over(), "with nothing under way, there is nothing left");
    }

    /// Everything fails from now on: then the attempt ends, and says why.
    fn end(mut self) {
        let mut rounds = 0;
        while !self.attempt.is_over() {
            rounds += 1;
            assert!(rounds < ROUNDS, "it never ends");
            self.now = self.attempt.next_at().unwrap_or(self.now + MILLISECOND);
            self.dial();
            self.fail(rounds);
        }
        let nothing_tried = self.attempt.failures.is_empty();
        self.attempt.fail();
        for mut outcome in self.waiting {
            let error = outcome.try_recv().unwrap().unwrap().unwrap_err();
            match error {
                ConnectError::WrongPeer { .. } => assert!(self.found_other),
                ConnectError::NoAddresses(_) => assert!(nothing_tried),
                ConnectError::Unreachable { failures, .. } => assert!(!failures.is_empty()),
                other => panic!("{other}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn any_history_stays_small_and_ends(steps in prop::collection::vec(step(), 1..60)) {
        let mut run = Run::new();
        for step in steps {
            run.take(step);
            run.dial();
            run.check();
        }
        run.end();
    }
}
