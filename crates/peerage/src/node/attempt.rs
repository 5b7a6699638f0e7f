//! One attempt to connect to a peer: its addresses are raced, each with a
//! small head start over the next.
//!
//! TCP comes before QUIC: between two Peerage peers TCP with TLS carries bulk
//! data at a third of QUIC's CPU time. On a local network the first address
//! answers within its head start, and no second handshake is paid for. On a
//! far path QUIC may overtake it, being there after one round trip; a stream
//! that is opened later still takes the better connection.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use peerage_core::limits::{MAX_ADDRESSES_PER_PEER, MAX_CONNECT_WAITERS};

use super::error::{AddressFailure, ConnectError};
use super::event::Connection;
use crate::routing::{dialable, peer_suffix, preference, without_peer};

/// How long an address is tried alone before the next joins in: enough for
/// TCP, TLS and the multiplexer to be agreed on over a local network.
pub(super) const HEAD_START: Duration = Duration::from_millis(50);

/// Where the answer goes.
pub(super) type Waiter = oneshot::Sender<Result<Connection, ConnectError>>;

pub(super) struct Attempt {
    peer: PeerId,
    waiters: Vec<Waiter>,
    untried: VecDeque<Multiaddr>,
    trying: HashMap<ConnectionId, Multiaddr>,
    failures: Vec<AddressFailure>,
    wrong_peer: Option<ConnectError>,
    next_at: Instant,
}

impl Attempt {
    pub(super) fn new(peer: PeerId, addresses: &[Multiaddr], now: Instant) -> Self {
        let mut attempt = Self {
            peer,
            waiters: Vec::new(),
            untried: VecDeque::new(),
            trying: HashMap::new(),
            failures: Vec::new(),
            wrong_peer: None,
            next_at: now,
        };
        attempt.add_addresses(addresses);
        attempt
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
                None => self.untried.push_back(address),
            }
        }
        self.untried.make_contiguous().sort_by_key(preference);
    }

    fn size(&self) -> usize {
        self.untried.len() + self.trying.len() + self.failures.len()
    }

    fn knows(&self, address: &Multiaddr) -> bool {
        self.untried.contains(address)
            || self.trying.values().any(|known| known == address)
            || self.failures.iter().any(|failure| failure.address == *address)
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
        if now < self.next_at && !self.trying.is_empty() {
            return None;
        }
        let address = self.untried.pop_front()?;
        self.next_at = now + HEAD_START;
        Some(address)
    }

    /// When to ask for the next address.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (!self.untried.is_empty()).then_some(self.next_at)
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
        self.untried.is_empty() && self.trying.is_empty()
    }

    /// Whether nobody waits for the outcome any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.waiters.iter().all(|waiter| waiter.is_canceled())
    }

    pub(super) fn succeed(self, connection: &Connection) {
        for waiter in self.waiters {
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
        assert_eq!(attempt.next_at(), None);
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
        assert_eq!(attempt.untried.len(), MAX_ADDRESSES_PER_PEER);
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
