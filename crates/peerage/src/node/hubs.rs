//! Keeps a connection with each hub, and what it offers in use: a place on its
//! relays, so that this node is reached through them.

use std::time::{Duration, Instant};

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_HUBS};
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::report::HubReach;
use crate::routing::{TransportKind, peer_suffix, without_peer};

/// The pauses after the first failures to reach a hub, in seconds; later ones
/// are as the last. Short for as long as people wait for a network to be back:
/// a dial that hangs sends its first packet again ever more seldom.
const PAUSES: [u64; 11] = [1, 1, 2, 2, 2, 2, 2, 2, 5, 15, 60];

/// The protocol by which a reservation is made.
pub(super) const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";

/// All hubs of a node.
#[derive(Default)]
pub(super) struct Hubs(Vec<Hub>);

/// One hub, as far as it is known.
struct Hub {
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    connected: bool,
    /// It was connected before.
    lost: bool,
    reservation: Option<ListenerId>,
    failures: usize,
    next_at: Instant,
}

impl Hubs {
    /// The hubs of these addresses, each with its peer at the end; others are
    /// left out.
    pub(super) fn new(addresses: &[Multiaddr], own: PeerId, now: Instant) -> Self {
        let mut hubs: Vec<Hub> = Vec::new();
        for address in addresses {
            let Some(peer) = peer_suffix(address).filter(|peer| *peer != own) else { continue };
            match hubs.iter().position(|hub| hub.peer == peer) {
                Some(at) if hubs[at].addresses.len() < MAX_ADDRESSES_PER_PEER => {
                    hubs[at].addresses.push(without_peer(address));
                }
                None if hubs.len() < MAX_HUBS => hubs.push(Hub::new(peer, address, now)),
                _ => tracing::warn!(%address, "too many hubs or addresses; left out"),
            }
        }
        Self(hubs)
    }

    fn find(&mut self, peer: &PeerId) -> Option<&mut Hub> {
        self.0.iter_mut().find(|hub| hub.peer == *peer)
    }

    /// Whether a peer is one of the hubs.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.iter().any(|hub| hub.peer == *peer)
    }

    /// Whether a hub is the first of all, in an order that is the same for all
    /// peers with these hubs.
    pub(super) fn is_first(&self, peer: &PeerId) -> bool {
        self.0.iter().map(|hub| &hub.peer).min() == Some(peer)
    }

    /// The hubs to dial now, with the addresses that are raced with each other.
    ///
    /// By TCP and by QUIC side by side, so that the hub tells us how each of the
    /// two looks from outside: holes are punched for both. By what is left when
    /// neither gets through.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let due = self.0.iter_mut().filter(|hub| !hub.connected && hub.next_at <= now);
        due.flat_map(|hub| hub.dial(now)).collect()
    }

    /// When the next hub is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.0.iter().filter(|hub| !hub.connected).map(|hub| hub.next_at).min()
    }

    /// Notes that a peer is connected, if it is a hub; whether it is one that
    /// had been lost.
    pub(super) fn connected(&mut self, peer: &PeerId) -> bool {
        let Some(hub) = self.find(peer) else { return false };
        (hub.connected, hub.failures) = (true, 0);
        std::mem::take(&mut hub.lost)
    }

    /// Notes that a peer is connected no more: a hub is dialled again at once.
    pub(super) fn disconnected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(hub) = self.find(peer) {
            (hub.connected, hub.lost) = (false, true);
            (hub.reservation, hub.next_at) = (None, now);
        }
    }

    /// Where to listen for circuits over a hub with which we are connected at
    /// `address`, unless there is a reservation.
    pub(super) fn circuit(&mut self, peer: &PeerId, address: &Multiaddr) -> Option<Multiaddr> {
        let hub = self.find(peer).filter(|hub| hub.reservation.is_none())?;
        let circuit = [Protocol::P2p(hub.peer), Protocol::P2pCircuit];
        Some(circuit.into_iter().fold(without_peer(address), Multiaddr::with))
    }

    /// Notes a reservation at a hub.
    pub(super) fn reserved(&mut self, peer: &PeerId, listener: ListenerId) {
        if let Some(hub) = self.find(peer) {
            hub.reservation = Some(listener);
        }
    }

    /// Notes that a reservation has ended; the hub at which it was.
    pub(super) fn lapsed(&mut self, listener: ListenerId) -> Option<PeerId> {
        let hub = self.0.iter_mut().find(|hub| hub.reservation == Some(listener))?;
        hub.reservation = None;
        Some(hub.peer)
    }

    /// How each hub is doing.
    pub(super) fn report(&self) -> Vec<HubReach> {
        let report = |hub: &Hub| HubReach {
            peer: hub.peer,
            connected: hub.connected,
            reserved: hub.reservation.is_some(),
        };
        self.0.iter().map(report).collect()
    }

    /// Tries all hubs again now: the network has changed.
    pub(super) fn hurry(&mut self, now: Instant) {
        for hub in &mut self.0 {
            (hub.failures, hub.next_at) = (0, now);
        }
    }
}

impl Hub {
    fn new(peer: PeerId, address: &Multiaddr, now: Instant) -> Self {
        let addresses = vec![without_peer(address)];
        let (connected, lost, reservation, failures) = (false, false, None, 0);
        Self { peer, addresses, connected, lost, reservation, failures, next_at: now }
    }

    /// What to dial now, by kind of transport.
    fn dial(&mut self, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let (mut tcp, mut quic, mut other) = (Vec::new(), Vec::new(), Vec::new());
        for address in &self.addresses {
            let kind = match TransportKind::of(address) {
                TransportKind::Tcp => &mut tcp,
                TransportKind::Quic => &mut quic,
                _ => &mut other,
            };
            kind.push(address.clone());
        }
        if self.failures == 0 && !(tcp.is_empty() && quic.is_empty()) {
            other.clear();
        }
        self.failed(now);
        let dials = [tcp, quic, other].into_iter().filter(|addresses| !addresses.is_empty());
        dials.map(|addresses| (self.peer, addresses)).collect()
    }

    /// Counts an attempt as failed, until it turns out otherwise.
    fn failed(&mut self, now: Instant) {
        let pause = PAUSES[self.failures.min(PAUSES.len() - 1)];
        self.failures += 1;
        self.next_at = now + Duration::from_secs(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(host: u8, peer: PeerId) -> Multiaddr {
        format!("/ip4/192.0.2.{host}/tcp/4001/p2p/{peer}").parse().unwrap()
    }

    #[test]
    fn a_hub_is_tried_again_and_ever_more_slowly() {
        let now = Instant::now();
        let peer = PeerId::random();
        let mut hubs = Hubs::new(&[hub(1, peer), hub(2, peer)], PeerId::random(), now);
        let mut then = now;
        for seconds in [1, 1, 2, 2, 2, 2, 2, 2, 5, 15, 60, 60] {
            assert_eq!(hubs.due(then)[0].1.len(), 2);
            assert!(hubs.due(then).is_empty());
            let next = hubs.next_at().unwrap();
            assert_eq!(next - then, Duration::from_secs(seconds));
            then = next;
        }
        assert!(!hubs.connected(&peer), "it was not there before");
        assert_eq!(hubs.next_at(), None);
        hubs.disconnected(&peer, now);
        assert_eq!(hubs.next_at(), Some(now));
        assert!(hubs.connected(&peer), "it is back");
        assert!(!hubs.connected(&peer), "it was there all the time");
    }

    #[test]
    fn tcp_and_quic_are_dialled_side_by_side_and_the_rest_when_they_fail() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let parts = ["tcp/4001", "udp/4001/quic-v1", "tcp/443/ws"];
        let at = |part| format!("/ip4/192.0.2.1/{part}/p2p/{peer}").parse().unwrap();
        let mut hubs = Hubs::new(&parts.map(at), PeerId::random(), now);
        assert_eq!(hubs.due(now).len(), 2);
        assert_eq!(hubs.due(hubs.next_at().unwrap()).len(), 3);
    }

    #[test]
    fn the_first_hub_is_the_same_whatever_their_order() {
        let (one, two) = (hub(1, PeerId::random()), hub(2, PeerId::random()));
        let first = |hubs: &[Multiaddr]| {
            let hubs = Hubs::new(hubs, PeerId::random(), Instant::now());
            let first: Vec<PeerId> =
                hubs.0.iter().map(|hub| hub.peer).filter(|peer| hubs.is_first(peer)).collect();
            assert_eq!(first.len(), 1);
            first
        };
        assert_eq!(first(&[one.clone(), two.clone()]), first(&[two, one]));
    }

    #[test]
    fn one_reservation_is_made_at_a_time() {
        let peer = PeerId::random();
        let mut hubs = Hubs::new(&[hub(1, peer)], PeerId::random(), Instant::now());
        let at = "/ip4/192.0.2.1/tcp/4001".parse().unwrap();
        let circuit = hubs.circuit(&peer, &at).unwrap();
        assert_eq!(circuit.to_string(), format!("/ip4/192.0.2.1/tcp/4001/p2p/{peer}/p2p-circuit"));
        let listener = ListenerId::next();
        hubs.reserved(&peer, listener);
        assert_eq!(hubs.circuit(&peer, &at), None);
        assert_eq!(hubs.lapsed(listener), Some(peer));
        assert!(hubs.circuit(&peer, &at).is_some());
    }

    #[test]
    fn own_address_and_too_many_are_left_out() {
        let own = PeerId::random();
        let mut many: Vec<Multiaddr> = (0..9).map(|host| hub(host, PeerId::random())).collect();
        many.insert(0, hub(99, own));
        let hubs = Hubs::new(&many, own, Instant::now());
        assert_eq!(hubs.0.len(), MAX_HUBS);
    }
}
