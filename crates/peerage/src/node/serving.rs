//! The relay of circuits: its places are shared out, and it is told only of
//! addresses that lead straight here.
//!
//! `libp2p-relay` counts peer ids, whole IPv6 addresses, and one too many of all.
//! It asks rate limiters last, before it gives something away: ours are pools.
//!
//! `libp2p-relay` hands every external address of its node on as the first part
//! of a circuit. Where the relay of roaming connections is, which peers learn by
//! identify, leads no circuit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::relay::{self, StatusCode};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::pool::{Origin, Pool, PoolLimits};

use super::config::RelayLimits;
use crate::routing::{OurRelays, TransportKind, origin};
use crate::sync::lock;

pub(super) struct Behaviour {
    relay: relay::Behaviour,
    places: Arc<Mutex<Places>>,
}

/// Who holds what of a relay.
#[derive(Debug)]
struct Places {
    reservations: Pool<PeerId>,
    circuits: Pool<u64>,
    /// The circuits that each peer asked for, the oldest first, and whether they
    /// have begun.
    asked: HashMap<PeerId, Vec<(u64, bool)>>,
    last: u64,
    started: Instant,
}

impl Places {
    fn new(limits: &RelayLimits) -> Self {
        let per_network = limits.reservations_per_ip as usize;
        let reservations = PoolLimits { one: per_network, ..PoolLimits::of(limits.reservations) };
        Self {
            reservations: Pool::new(reservations),
            circuits: Pool::new(PoolLimits::of(limits.circuits)),
            asked: HashMap::new(),
            last: 0,
            started: Instant::now(),
        }
    }

    fn origin(peer: PeerId, address: &Multiaddr) -> Origin {
        origin(peer, address, &Multiaddr::empty(), &OurRelays::default())
    }

    /// Whether a peer may be reached from now on; again it always may.
    fn reserve(&mut self, peer: PeerId, address: &Multiaddr) -> bool {
        let (origin, now) = (Self::origin(peer, address), self.started.elapsed());
        self.reservations.holds(&peer) || self.reservations.enter(peer, &origin, 1, now).is_ok()
    }

    /// Whether a peer gets one more circuit.
    fn connect(&mut self, peer: PeerId, address: &Multiaddr) -> bool {
        self.last += 1;
        let (origin, now) = (Self::origin(peer, address), self.started.elapsed());
        let entered = self.circuits.enter(self.last, &origin, 1, now).is_ok();
        if entered {
            self.asked.entry(peer).or_default().push((self.last, false));
        }
        entered
    }

    /// Notes that a circuit of a peer has begun.
    fn begun(&mut self, peer: &PeerId) {
        let asked = self.asked.get_mut(peer).into_iter().flatten();
        if let Some((_, begun)) = asked.into_iter().find(|(_, begun)| !begun) {
            *begun = true;
        }
    }

    /// Takes a circuit of a peer back: one that has begun, or one that has not.
    fn ended(&mut self, peer: &PeerId, begun: bool) {
        let Some(asked) = self.asked.get_mut(peer) else { return };
        if let Some(at) = asked.iter().position(|circuit| circuit.1 == begun) {
            self.circuits.leave(&asked.remove(at).0);
        }
        if asked.is_empty() {
            self.asked.remove(peer);
        }
    }

    /// Takes all back of a peer that is connected no more.
    fn gone(&mut self, peer: &PeerId) {
        self.reservations.leave(peer);
        for (circuit, _) in self.asked.remove(peer).unwrap_or_default() {
            self.circuits.leave(&circuit);
        }
    }

    fn note(&mut self, event: &relay::Event) {
        use relay::Event;
        #[allow(deprecated, reason = "nothing else says that a circuit has failed")]
        match event {
            Event::ReservationTimedOut { src_peer_id } => self.reservations.leave(src_peer_id),
            Event::CircuitReqAccepted { src_peer_id, .. } => self.begun(src_peer_id),
            Event::CircuitReqDenied { src_peer_id, status: StatusCode::NoReservation, .. }
            | Event::CircuitReqOutboundConnectFailed { src_peer_id, .. }
            | Event::CircuitReqAcceptFailed { src_peer_id, .. } => self.ended(src_peer_id, false),
            Event::CircuitClosed { src_peer_id, .. } => self.ended(src_peer_id, true),
            _ => {}
        }
    }
}

impl Behaviour {
    /// A relay that serves from the start, as its owner asked for it.
    pub(super) fn new(peer: PeerId, limits: RelayLimits) -> Self {
        let places = Arc::new(Mutex::new(Places::new(&limits)));
        let mut relay = relay::Behaviour::new(peer, config(limits, &places));
        relay.set_status(Some(relay::Status::Enable));
        Self { relay, places }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        lock(&self.places)
    }
}

/// The stock limits of bytes and time end a circuit after 128 KiB: enough to
/// punch a hole, not to share a picture where none can be punched. The stock
/// rate of reservations for an address is left out: pools bound how many one
/// holds, and an office needs many at once.
fn config(limits: RelayLimits, places: &Arc<Mutex<Places>>) -> relay::Config {
    let (reserve, connect) = (Arc::clone(places), Arc::clone(places));
    let reserve = move |peer, address: &Multiaddr, _| lock(&reserve).reserve(peer, address);
    let connect = move |peer, address: &Multiaddr, _| lock(&connect).connect(peer, address);
    let mut config = relay::Config {
        max_reservations: limits.reservations,
        // It allows one more than this: for who comes back before it is missed.
        max_reservations_per_peer: 1,
        max_circuits: limits.circuits,
        // Here too, and there is no reason.
        max_circuits_per_peer: limits.circuits_per_peer.saturating_sub(1),
        max_circuit_bytes: limits.circuit_bytes,
        max_circuit_duration: limits.circuit_duration,
        ..relay::Config::default()
    };
    config.reservation_rate_limiters.push(Box::new(reserve));
    config.circuit_src_rate_limiters.push(Box::new(connect));
    config
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <relay::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = relay::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.relay.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.relay.handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = &event
            && closed.remaining_established == 0
        {
            self.places().gone(&closed.peer_id);
        }
        let address = match &event {
            FromSwarm::ExternalAddrConfirmed(confirmed) => Some(confirmed.addr),
            FromSwarm::ExternalAddrExpired(expired) => Some(expired.addr),
            _ => None,
        };
        if !address.is_some_and(|address| TransportKind::of(address).is_relayed()) {
            self.relay.on_swarm_event(event);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.relay.on_connection_handler_event(peer, id, event);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let polled = self.relay.poll(context);
        if let Poll::Ready(ToSwarm::GenerateEvent(event)) = &polled {
            self.places().note(event);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuits(places: &mut Places, from: &str, peers: usize) -> usize {
        let from = from.parse().unwrap();
        (0..peers).filter(|_| places.connect(PeerId::random(), &from)).count()
    }

    #[test]
    fn one_host_of_ipv6_does_not_take_all_circuits() {
        let mut places = Places::new(&RelayLimits::default());
        let taken: usize = (0..300)
            .map(|n| circuits(&mut places, &format!("/ip6/2001:db8::{n:x}/tcp/1"), 1))
            .sum();
        assert!(taken < RelayLimits::default().circuits / 2, "{taken}");
        assert_eq!(circuits(&mut places, "/ip4/192.0.2.1/tcp/1", 9), 9);
    }

    #[test]
    fn an_office_reserves_and_renews() {
        let mut places = Places::new(&RelayLimits::default());
        let office = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let peers: Vec<_> = (0..40).map(|_| PeerId::random()).collect();
        assert!(peers.iter().all(|peer| places.reserve(*peer, &office)));
        assert!(peers.iter().all(|peer| places.reserve(*peer, &office)), "again");
        assert_eq!(places.reservations.len(), 40);
    }

    #[test]
    fn what_has_ended_is_given_back() {
        let mut places = Places::new(&RelayLimits::default());
        let (peer, from) = (PeerId::random(), "/ip4/192.0.2.1/tcp/1".parse().unwrap());
        assert!((0..3).all(|_| places.connect(peer, &from)));
        places.begun(&peer);
        places.ended(&peer, true);
        places.ended(&peer, false);
        assert_eq!(places.circuits.len(), 1);
        places.gone(&peer);
        assert!(places.circuits.is_empty() && places.asked.is_empty());
    }
}
