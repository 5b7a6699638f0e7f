//! What each hub offers, and keeping that in use: a place on its relays, so that
//! this node is reached through them. That it is connected is `keep.rs`'s.

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_HUBS};
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::keep::{Due, Reason};

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
    reservation: Option<ListenerId>,
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

    /// Notes that a peer is connected no more: with it, its relay is gone.
    pub(super) fn disconnected(&mut self, peer: &PeerId) {
        if let Some(hub) = self.find(peer) {
            hub.reservation = None;
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
    pub(super) fn report(&self, is_connected: impl Fn(&PeerId) -> bool) -> Vec<HubReach> {
        let report = |hub: &Hub| HubReach {
            peer: hub.peer,
            connected: is_connected(&hub.peer),
            reserved: hub.reservation.is_some(),
        };
        self.0.iter().map(report).collect()
    }
}

impl Hub {
    fn new(peer: PeerId, address: &Multiaddr) -> Self {
        Self { peer, addresses: vec![without_peer(address)], keep: None, reservation: None }
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

    #[test]
    fn one_reservation_is_made_at_a_time() {
        let peer = PeerId::random();
        let mut hubs = Hubs::new(&[hub(1, peer)], PeerId::random());
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
        let hubs = Hubs::new(&many, own);
        assert_eq!(hubs.0.len(), MAX_HUBS);
    }
}
