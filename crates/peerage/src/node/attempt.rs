//! One attempt to connect to a peer: its addresses are raced, each with a
//! small head start over the next ([RFC 8305], *happy eyeballs*).
//!
//! Three lanes run side by side: direct addresses; relays, which are joined in
//! almost at once, since behind routers a direct address leads nowhere and
//! only silence tells; and circuits of libp2p, which cost most to set up.
//! A relayed connection answers whoever waits, and the rest is still tried.
//!
//! [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305
//!
//! TCP comes before QUIC: between two Peerage peers TCP with TLS carries bulk
//! data at a third of QUIC's CPU time. On a local network the first address
//! answers within its head start, and no second handshake is paid for. On a
//! far path QUIC may overtake it, being there after one round trip; a stream
//! that is opened later still takes the better connection.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_CONNECT_WAITERS};
use futures::channel::oneshot;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::error::{AddressFailure, ConnectError};
use super::event::Connection;
use crate::routing::{TransportKind, dialable, peer_suffix, preference, without_peer};

/// How long an address is tried alone before the next joins in: enough for
/// TCP, TLS and the multiplexer to be agreed on over a local network.
pub(super) const HEAD_START: Duration = Duration::from_millis(50);

/// How long direct addresses are tried alone before the first relay joins in:
/// hardly, since whoever is behind routers waits for it each time, and a
/// relayed handshake too many costs little.
const BEFORE_RELAYS: Duration = Duration::from_millis(2);

/// How long one relay is tried before the next joins in.
const RELAY_HEAD_START: Duration = Duration::from_millis(250);

/// How long everything else is tried before circuits join in: as long as a
/// hole takes to be punched.
const BEFORE_CIRCUITS: Duration = Duration::from_millis(1500);

/// How long nothing new is tried before all that hangs is dialled once more:
/// the network may be back, and a packet that is sent again by TCP or QUIC
/// waits twice as long each time.
const REDIAL: Duration = Duration::from_secs(2);

/// How often that is done.
const REDIALS: u8 = 4;

/// Where the answer goes.
pub(super) type Waiter = oneshot::Sender<Result<Connection, ConnectError>>;

pub(super) struct Attempt {
    peer: PeerId,
    waiters: Vec<Waiter>,
    direct: Lane,
    relays: Lane,
    circuits: Lane,
    trying: HashMap<ConnectionId, Multiaddr>,
    failures: Vec<AddressFailure>,
    wrong_peer: Option<ConnectError>,
    /// A relayed connection is there: what is left need not be hurried.
    answered: bool,
    redial_at: Instant,
    redials: u8,
}

/// Addresses that are tried one after the other, each with a head start.
struct Lane {
    untried: VecDeque<Multiaddr>,
    next_at: Instant,
    head_start: Duration,
}

impl Lane {
    fn new(next_at: Instant, head_start: Duration) -> Self {
        Self { untried: VecDeque::new(), next_at, head_start }
    }

    /// The address to try now, if it is time for one, or nothing else is tried.
    fn next(&mut self, now: Instant, idle: bool) -> Option<Multiaddr> {
        if now < self.next_at && !idle {
            return None;
        }
        let address = self.untried.pop_front()?;
        self.next_at = now + self.head_start;
        Some(address)
    }

    fn next_at(&self) -> Option<Instant> {
        (!self.untried.is_empty()).then_some(self.next_at)
    }
}

impl Attempt {
    pub(super) fn new(peer: PeerId, addresses: &[Multiaddr], now: Instant) -> Self {
        let mut attempt = Self {
            peer,
            waiters: Vec::new(),
            direct: Lane::new(now, HEAD_START),
            relays: Lane::new(now + BEFORE_RELAYS, RELAY_HEAD_START),
            circuits: Lane::new(now + BEFORE_CIRCUITS, RELAY_HEAD_START),
            trying: HashMap::new(),
            failures: Vec::new(),
            wrong_peer: None,
            answered: false,
            redial_at: now + REDIAL,
            redials: 0,
        };
        attempt.add_addresses(addresses);
        attempt
    }

    fn lanes(&self) -> [&Lane; 3] {
        [&self.direct, &self.relays, &self.circuits]
    }

    fn lane(&mut self, address: &Multiaddr) -> &mut Lane {
        match TransportKind::of(address) {
            TransportKind::Relay => &mut self.relays,
            TransportKind::Circuit => &mut self.circuits,
            _ => &mut self.direct,
        }
    }

    /// Adds addresses that are not part of the attempt yet.
    pub(super) fn add_addresses(&mut self, addresses: &[Multiaddr]) {
        for full in addresses {
            let address = without_peer(full);
            let refusal = match peer_suffix(full) {
                Some(named) if named != self.peer => Some("the address names another peer"),
                _ if !dialable(&address) => Some("this is no address that can be dialled"),
                _ => None,
            };
            if self.knows(&address) || self.size() >= MAX_ADDRESSES_PER_PEER {
                continue;
            }
            match refusal {
                Some(reason) => self.note_failure(full.clone(), reason.to_owned()),
                None => self.lane(&address).untried.push_back(address),
            }
        }
        self.direct.untried.make_contiguous().sort_by_key(preference);
    }

    fn size(&self) -> usize {
        let untried: usize = self.lanes().iter().map(|lane| lane.untried.len()).sum();
        untried + self.trying.len() + self.failures.len()
    }

    /// Whether an address is part of the attempt, or another circuit over the
    /// same hub: however the hub is reached, the circuit is no better for it.
    fn knows(&self, address: &Multiaddr) -> bool {
        let hub = hub_of(address);
        let same = |known: &Multiaddr| known == address || (hub.is_some() && hub_of(known) == hub);
        self.lanes().iter().any(|lane| lane.untried.iter().any(same))
            || self.trying.values().any(same)
            || self.failures.iter().any(|failure| failure.address == *address)
    }

    /// Goes on for a better connection than there is, without hurry.
    pub(super) fn linger(&mut self) {
        self.answered = true;
    }

    /// Adds one who waits for the outcome.
    pub(super) fn add_waiter(&mut self, waiter: Waiter) {
        if self.waiters.len() < MAX_CONNECT_WAITERS {
            self.waiters.push(waiter);
        } else {
            let _ = waiter.send(Err(ConnectError::Busy));
        }
    }

    /// The address to try now, if it is time for one.
    pub(super) fn next(&mut self, now: Instant) -> Option<Multiaddr> {
        self.redial(now);
        let idle = self.trying.is_empty() && !self.answered;
        let lanes = [&mut self.direct, &mut self.relays, &mut self.circuits];
        let next = lanes.into_iter().find_map(|lane| lane.next(now, idle))?;
        self.redial_at = now + REDIAL;
        Some(next)
    }

    /// Dials what hangs once more, now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.redials = self.redials.min(REDIALS - 1);
        self.redial_at = now;
    }

    /// Puts in again what hangs, when it is time to.
    fn redial(&mut self, now: Instant) {
        if !self.redials_later() || now < self.redial_at {
            return;
        }
        self.redials += 1;
        self.redial_at = now + REDIAL;
        let hanging: HashSet<Multiaddr> = self.trying.values().cloned().collect();
        for address in hanging {
            self.lane(&address).untried.push_back(address);
        }
        self.direct.untried.make_contiguous().sort_by_key(preference);
    }

    /// Whether nothing is left but to dial again what hangs.
    fn redials_later(&self) -> bool {
        let done = self.lanes().iter().all(|lane| lane.untried.is_empty());
        done && !self.trying.is_empty() && !self.is_abandoned() && self.redials < REDIALS
    }

    /// When to ask for the next address.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let redial = self.redials_later().then_some(self.redial_at);
        self.lanes().iter().filter_map(|lane| lane.next_at()).chain(redial).min()
    }

    pub(super) fn began(&mut self, id: ConnectionId, address: Multiaddr) {
        self.trying.insert(id, address);
    }

    pub(super) fn note_failure(&mut self, address: Multiaddr, reason: String) {
        self.failures.push(AddressFailure { address, reason });
    }

    /// Notes that a connection failed; whether it belonged to this attempt.
    pub(super) fn failed(&mut self, id: ConnectionId, reason: String) -> bool {
        let Some(address) = self.trying.remove(&id) else { return false };
        self.note_failure(address, reason);
        true
    }

    /// Notes that another peer proved to be at an address.
    pub(super) fn found_other(&mut self, id: ConnectionId, proven: PeerId) -> bool {
        let Some(address) = self.trying.get(&id).cloned() else { return false };
        let error = ConnectError::WrongPeer { expected: self.peer, proven, address };
        self.failed(id, error.to_string());
        self.wrong_peer = Some(error);
        true
    }

    /// Whether nothing is left to hope for.
    pub(super) fn is_over(&self) -> bool {
        self.trying.is_empty() && self.lanes().iter().all(|lane| lane.untried.is_empty())
    }

    /// Whether nobody waits for the outcome any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.waiters.iter().all(|waiter| waiter.is_canceled())
    }

    /// Answers those who wait. The attempt may go on, for a better connection.
    pub(super) fn succeed(&mut self, connection: &Connection) {
        self.answered = true;
        for waiter in self.waiters.drain(..) {
            let _ = waiter.send(Ok(connection.clone()));
        }
    }

    pub(super) fn fail(self) {
        let error = match self.wrong_peer {
            Some(error) => error,
            None if self.failures.is_empty() => ConnectError::NoAddresses(self.peer),
            None => ConnectError::Unreachable { peer: self.peer, failures: self.failures },
        };
        for waiter in self.waiters {
            let _ = waiter.send(Err(error.clone()));
        }
    }
}

/// The hub over which an address is a circuit.
fn hub_of(address: &Multiaddr) -> Option<PeerId> {
    address.iter().find_map(|part| match part {
        Protocol::P2p(hub) => Some(hub),
        _ => None,
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_raced_with_a_head_start() {
        let now = Instant::now();
        let addresses = [address("/ip4/192.0.2.1/udp/1/quic-v1"), address("/ip4/192.0.2.1/tcp/1")];
        let mut attempt = Attempt::new(PeerId::random(), &addresses, now);
        let first = attempt.next(now).unwrap();
        assert_eq!(first, addresses[1]);
        attempt.began(ConnectionId::new_unchecked(1), first);
        assert_eq!(attempt.next(now), None);
        assert_eq!(attempt.next(now + HEAD_START), Some(addresses[0].clone()));
        assert_eq!(attempt.next_at(), None, "nobody waits any more");
    }

    #[test]
    fn relays_join_in_almost_at_once_and_circuits_last() {
        let now = Instant::now();
        let relay = address("/ip4/192.0.2.9/tcp/3340/http/p2p-circuit");
        let hub = PeerId::random();
        let circuit = address(&format!("/ip4/192.0.2.9/tcp/4001/p2p/{hub}/p2p-circuit"));
        let direct = address("/ip4/192.0.2.1/tcp/1");
        let all = [circuit.clone(), relay.clone(), direct.clone()];
        let mut attempt = Attempt::new(PeerId::random(), &all, now);
        for (id, after, expected) in
            [(1, Duration::ZERO, direct), (2, BEFORE_RELAYS, relay), (3, BEFORE_CIRCUITS, circuit)]
        {
            let next = attempt.next(now + after).unwrap();
            assert_eq!(next, expected);
            attempt.began(ConnectionId::new_unchecked(id), next);
            assert_eq!(attempt.next(now + after), None);
        }
    }

    #[test]
    fn what_hangs_is_dialled_again_while_somebody_waits() {
        let now = Instant::now();
        let only = address("/ip4/192.0.2.1/tcp/1");
        let mut attempt = Attempt::new(PeerId::random(), std::slice::from_ref(&only), now);
        let (waiter, _outcome) = oneshot::channel();
        attempt.add_waiter(waiter);
        let mut then = now;
        for round in 0..=usize::from(REDIALS) {
            assert_eq!(attempt.next(then), Some(only.clone()), "{round}");
            attempt.began(ConnectionId::new_unchecked(round), only.clone());
            assert_eq!(attempt.next(then), None);
            then += REDIAL;
        }
        assert_eq!((attempt.next(then), attempt.next_at()), (None, None));
        attempt.hurry(then);
        assert_eq!(attempt.next(then), Some(only), "the network is back");
    }

    #[test]
    fn a_failure_starts_the_next_address_at_once() {
        let now = Instant::now();
        let addresses = [address("/ip4/192.0.2.1/tcp/1"), address("/ip4/192.0.2.1/tcp/2")];
        let mut attempt = Attempt::new(PeerId::random(), &addresses, now);
        let first = attempt.next(now).unwrap();
        attempt.began(ConnectionId::new_unchecked(1), first);
        assert!(attempt.failed(ConnectionId::new_unchecked(1), "refused".into()));
        assert_eq!(attempt.next(now), Some(addresses[1].clone()));
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let now = Instant::now();
        let addresses: Vec<Multiaddr> =
            (1..100).map(|port| address(&format!("/ip4/192.0.2.1/tcp/{port}"))).collect();
        let attempt = Attempt::new(PeerId::random(), &addresses, now);
        assert_eq!(attempt.direct.untried.len(), MAX_ADDRESSES_PER_PEER);
    }

    #[tokio::test]
    async fn the_outcome_names_the_peer_that_was_found() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let now = Instant::now();
        let mut attempt = Attempt::new(peer, &[address("/ip4/192.0.2.1/tcp/1")], now);
        let (waiter, outcome) = oneshot::channel();
        attempt.add_waiter(waiter);
        let id = ConnectionId::new_unchecked(1);
        let tried = attempt.next(now).unwrap();
        attempt.began(id, tried);
        assert!(attempt.found_other(id, other));
        assert!(attempt.is_over());
        attempt.fail();
        let error = outcome.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::WrongPeer { proven, .. } if proven == other));
    }
}
