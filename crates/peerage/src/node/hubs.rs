//! What each hub offers, and keeping that in use: a place on its relays, so that
//! this node is reached through them. That it is connected is `keep.rs`'s.

use std::time::Instant;

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_HUBS};
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::keep::{Backoff, Due, Reason};

use super::keep::{Keep, Kept};
use super::report::HubReach;
use crate::routing::{TransportKind, peer_suffix, without_peer};

/// The protocol by which a reservation is made.
pub(super) const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";

/// All hubs of a node.
#[derive(Default)]
pub(super) struct Hubs(Vec<Hub>);

/// One hub, as far as it is known.
struct Hub {
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    /// What keeps it connected.
    keep: Option<Keep>,
    reservation: Reservation,
}

/// A place on the relay of one hub, and when to ask for one again.
#[derive(Default)]
struct Reservation {
    listener: Option<ListenerId>,
    /// Since when we have it.
    granted_at: Option<Instant>,
    /// A hub that has no room, or gives none, is asked as one that is lost is
    /// dialled.
    pauses: Backoff,
    /// It is not asked before.
    next_at: Option<Instant>,
}

impl Hubs {
    /// The hubs of these addresses, each with its peer at the end; others are
    /// left out.
    pub(super) fn new(addresses: &[Multiaddr], own: PeerId) -> Self {
        let mut hubs: Vec<Hub> = Vec::new();
        for address in addresses {
            let Some(peer) = peer_suffix(address).filter(|peer| *peer != own) else { continue };
            match hubs.iter().position(|hub| hub.peer == peer) {
                Some(at) if hubs[at].addresses.len() < MAX_ADDRESSES_PER_PEER => {
                    hubs[at].addresses.push(without_peer(address));
                }
                None if hubs.len() < MAX_HUBS => hubs.push(Hub::new(peer, address)),
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

    /// How many hubs there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a hub is the first of all, in an order that is the same for all
    /// peers with these hubs.
    pub(super) fn is_first(&self, peer: &PeerId) -> bool {
        self.0.iter().map(|hub| &hub.peer).min() == Some(peer)
    }

    /// Keeps a connection with each hub from now on.
    pub(super) fn keep(&mut self, kept: &Kept) {
        for hub in &mut self.0 {
            match kept.keep(hub.peer, &hub.addresses, Reason::Hub, || false) {
                Ok(keep) => hub.keep = Some(keep),
                Err(error) => tracing::warn!(hub = %hub.peer, %error, "no connection is kept"),
            }
        }
    }

    /// Notes that a peer is connected no more: with it, its relay is gone. One
    /// that gave us a place is asked again as soon as it is back.
    pub(super) fn disconnected(&mut self, peer: &PeerId) {
        let Some(hub) = self.find(peer) else { return };
        hub.reservation.listener = None;
        if hub.reservation.granted_at.is_some() {
            hub.reservation.next_at = None;
        }
    }

    /// Where to listen for circuits over a hub with which we are connected at
    /// `address`, unless there is a reservation or it is too early to ask again.
    pub(super) fn circuit(
        &mut self,
        peer: &PeerId,
        address: &Multiaddr,
        now: Instant,
    ) -> Option<Multiaddr> {
        let hub = self.find(peer).filter(|hub| hub.reservation.may_ask(now))?;
        let circuit = [Protocol::P2p(hub.peer), Protocol::P2pCircuit];
        Some(circuit.into_iter().fold(without_peer(address), Multiaddr::with))
    }

    /// Notes that a hub is asked for a reservation.
    pub(super) fn asked(&mut self, peer: &PeerId, listener: ListenerId) {
        if let Some(hub) = self.find(peer) {
            hub.reservation.listener = Some(listener);
            hub.reservation.granted_at = None;
        }
    }

    /// Notes that a listener listens: it may be a reservation that is granted.
    pub(super) fn granted(&mut self, listener: ListenerId, now: Instant) {
        let hub = self.0.iter_mut().find(|hub| hub.reservation.listener == Some(listener));
        if let Some(hub) = hub {
            hub.reservation.granted_at.get_or_insert(now);
        }
    }

    /// Notes that a listener has ended; whether it was a reservation, which was
    /// refused or has lapsed.
    pub(super) fn lapsed(&mut self, listener: ListenerId, now: Instant) -> bool {
        let hub = self.0.iter_mut().find(|hub| hub.reservation.listener == Some(listener));
        hub.map(|hub| hub.reservation.lapsed(now)).is_some()
    }

    /// When the next hub is to be asked for a reservation again.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.0.iter().filter_map(|hub| hub.reservation.next_at).min()
    }

    /// The hubs that are to be asked again now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<PeerId> {
        let due = self.0.iter_mut().filter(|hub| hub.reservation.is_due(now));
        due.map(|hub| {
            hub.reservation.next_at = None;
            hub.peer
        })
        .collect()
    }

    /// How each hub is doing.
    pub(super) fn report(&self, is_connected: impl Fn(&PeerId) -> bool) -> Vec<HubReach> {
        let report = |hub: &Hub| HubReach {
            peer: hub.peer,
            connected: is_connected(&hub.peer),
            reserved: hub.reservation.granted_at.is_some() && hub.reservation.listener.is_some(),
        };
        self.0.iter().map(report).collect()
    }
}

impl Hub {
    fn new(peer: PeerId, address: &Multiaddr) -> Self {
        let reservation = Reservation::default();
        Self { peer, addresses: vec![without_peer(address)], keep: None, reservation }
    }
}

impl Reservation {
    fn is_due(&self, now: Instant) -> bool {
        self.next_at.is_some_and(|at| at <= now)
    }

    fn may_ask(&self, now: Instant) -> bool {
        self.listener.is_none() && self.next_at.is_none_or(|at| at <= now)
    }

    /// One that held for long gives reason to hope; one that did not, however
    /// often it is granted, gives none.
    fn lapsed(&mut self, now: Instant) {
        self.listener = None;
        if self.granted_at.is_some_and(|at| now - at >= Backoff::LONGEST) {
            self.pauses.reset();
        }
        self.next_at = Some(now + self.pauses.next_pause());
    }
}

/// The addresses of a hub to dial now, as groups that are raced with each other.
///
/// By TCP and by QUIC side by side, so that the hub tells us how each of the
/// two looks from outside: holes are punched for both. By what is left when
/// neither gets through.
pub(super) fn dials(due: &Due) -> Vec<Vec<Multiaddr>> {
    let (mut tcp, mut quic, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for address in &due.addresses {
        let kind = match TransportKind::of(address) {
            TransportKind::Tcp => &mut tcp,
            TransportKind::Quic => &mut quic,
            _ => &mut other,
        };
        kind.push(address.clone());
    }
    if due.failures == 0 && !(tcp.is_empty() && quic.is_empty()) {
        other.clear();
    }
    [tcp, quic, other].into_iter().filter(|addresses| !addresses.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hub(host: u8, peer: PeerId) -> Multiaddr {
        format!("/ip4/192.0.2.{host}/tcp/4001/p2p/{peer}").parse().unwrap()
    }

    #[test]
    fn tcp_and_quic_are_dialled_side_by_side_and_the_rest_when_they_fail() {
        let parts = ["tcp/4001", "udp/4001/quic-v1", "tcp/443/ws"];
        let addresses = parts.map(|part| format!("/ip4/192.0.2.1/{part}").parse().unwrap());
        let first = Due { peer: PeerId::random(), addresses: addresses.to_vec(), failures: 0 };
        assert_eq!(dials(&first), [vec![addresses[0].clone()], vec![addresses[1].clone()]]);
        assert_eq!(dials(&Due { failures: 1, ..first }), addresses.map(|one| vec![one]));
    }

    #[test]
    fn addresses_of_one_hub_come_together() {
        let peer = PeerId::random();
        let hubs = Hubs::new(&[hub(1, peer), hub(2, peer)], PeerId::random());
        assert_eq!(hubs.0.iter().map(|hub| hub.addresses.len()).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn the_first_hub_is_the_same_whatever_their_order() {
        let (one, two) = (hub(1, PeerId::random()), hub(2, PeerId::random()));
        let first = |hubs: &[Multiaddr]| {
            let hubs = Hubs::new(hubs, PeerId::random());
            let first: Vec<PeerId> =
                hubs.0.iter().map(|hub| hub.peer).filter(|peer| hubs.is_first(peer)).collect();
            assert_eq!(first.len(), 1);
            first
        };
        assert_eq!(first(&[one.clone(), two.clone()]), first(&[two, one]));
    }

    /// A hub, and where it is asked for a place.
    fn one_hub() -> (Hubs, PeerId, Multiaddr) {
        let peer = PeerId::random();
        let hubs = Hubs::new(&[hub(1, peer)], PeerId::random());
        (hubs, peer, "/ip4/192.0.2.1/tcp/4001".parse().unwrap())
    }

    #[test]
    fn one_reservation_is_made_at_a_time() {
        let ((mut hubs, peer, at), now) = (one_hub(), Instant::now());
        let circuit = hubs.circuit(&peer, &at, now).unwrap();
        assert_eq!(circuit.to_string(), format!("/ip4/192.0.2.1/tcp/4001/p2p/{peer}/p2p-circuit"));
        let listener = ListenerId::next();
        hubs.asked(&peer, listener);
        assert_eq!(hubs.circuit(&peer, &at, now), None);
        assert!(!hubs.lapsed(ListenerId::next(), now) && hubs.lapsed(listener, now));
        assert_eq!(hubs.circuit(&peer, &at, now), None, "it has only just refused");
        let later = hubs.next_at().unwrap();
        assert_eq!((later - now, hubs.due(later)), (Backoff::SHORTEST, vec![peer]));
        assert!(hubs.circuit(&peer, &at, later).is_some());
        assert_eq!(hubs.next_at(), None);
    }

    /// Asks a hub for a day, which lets it have for so long what it asks for,
    /// if anything; how often.
    fn asked_in_a_day(held: Option<Duration>, reconnects: bool) -> usize {
        let ((mut hubs, peer, at), mut now, mut count) = (one_hub(), Instant::now(), 0);
        let end = now + Duration::from_secs(24 * 60 * 60);
        while now < end {
            let _ = hubs.due(now);
            if hubs.circuit(&peer, &at, now).is_some() {
                let listener = ListenerId::next();
                hubs.asked(&peer, listener);
                if let Some(held) = held {
                    hubs.granted(listener, now);
                    now += held;
                }
                hubs.lapsed(listener, now);
                count += 1;
            }
            if reconnects {
                hubs.disconnected(&peer);
            }
            now += Duration::from_secs(1);
        }
        count
    }

    #[test]
    fn a_hub_that_refuses_is_asked_once_a_minute_in_the_end() {
        for held in [None, Some(Duration::from_secs(2))] {
            assert!(asked_in_a_day(held, false) < 24 * 60 + 12, "{held:?}");
        }
        assert!(asked_in_a_day(None, true) < 24 * 60 + 12, "new connections change nothing");
    }

    #[test]
    fn a_hub_that_gave_a_place_is_asked_as_soon_as_it_is_back() {
        let ((mut hubs, peer, at), now) = (one_hub(), Instant::now());
        let listener = ListenerId::next();
        hubs.asked(&peer, listener);
        hubs.granted(listener, now);
        hubs.lapsed(listener, now);
        hubs.disconnected(&peer);
        assert!(hubs.circuit(&peer, &at, now).is_some());
    }

    #[test]
    fn own_address_and_too_many_are_left_out() {
        let own = PeerId::random();
        let mut many: Vec<Multiaddr> = (0..9).map(|host| hub(host, PeerId::random())).collect();
        many.insert(0, hub(99, own));
        let hubs = Hubs::new(&many, own);
        assert_eq!(hubs.0.len(), MAX_HUBS);
    }
}
