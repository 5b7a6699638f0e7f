//! Which of our addresses others reach: asked of each hub by itself
//! ([AutoNAT v2]), and believed when two say so.
//!
//! One server is fooled by a router that lets in whoever it has sent to: the
//! packets come back from the same host that was asked. `libp2p-autonat` asks
//! one server for each address, and believes it. So there is one of its clients
//! for each hub, and a verdict over them.
//!
//! [AutoNAT v2]: https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::task::{Context, Poll};

use crate::limits::MAX_REACHABILITY_ADDRESSES;
use either::Either;
use libp2p::autonat::v2::client;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::report::Verdict;
use crate::routing::{ip, peer_suffix};

/// How many hubs, at different addresses, must reach one of ours.
const WITNESSES: usize = 2;

pub(super) struct Behaviour {
    hubs: Vec<(PeerId, client::Behaviour)>,
    witnesses: Witnesses,
    confirmed: VecDeque<Multiaddr>,
}

/// Who has reached which address.
#[derive(Default)]
struct Witnesses {
    places: HashMap<PeerId, HashSet<IpAddr>>,
    reached: HashMap<Multiaddr, HashSet<PeerId>>,
}

impl Witnesses {
    /// Notes that a hub has reached an address; whether that is enough now.
    fn note(&mut self, address: &Multiaddr, hub: PeerId) -> bool {
        let full = self.reached.len() >= MAX_REACHABILITY_ADDRESSES;
        if full && !self.reached.contains_key(address) {
            return false;
        }
        let hubs = self.reached.entry(address.clone()).or_default();
        let fresh = hubs.insert(hub);
        let places: HashSet<_> =
            hubs.iter().filter_map(|hub| self.places.get(hub)?.iter().next()).collect();
        fresh && places.len() >= WITNESSES
    }
}

impl Behaviour {
    /// Asks the hubs at these addresses, each with its peer at the end.
    pub(super) fn new(hubs: &[Multiaddr]) -> Self {
        let mut peers: Vec<PeerId> = hubs.iter().filter_map(peer_suffix).collect();
        peers.sort_unstable();
        peers.dedup();
        let hubs = peers.into_iter().map(|peer| (peer, client::Behaviour::default())).collect();
        Self { hubs, witnesses: Witnesses::default(), confirmed: VecDeque::new() }
    }

    fn of(&mut self, peer: &PeerId) -> Option<&mut client::Behaviour> {
        self.hubs.iter_mut().find(|(hub, _)| hub == peer).map(|(_, client)| client)
    }

    fn note(&mut self, event: client::Event) -> Verdict {
        let client::Event { tested_addr: address, server: hub, result, .. } = event;
        let reached = result.is_ok();
        if reached && self.witnesses.note(&address, hub) {
            self.confirmed.push_back(address.clone());
        }
        Verdict { address, hub, reached }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Either<
        <client::Behaviour as NetworkBehaviour>::ConnectionHandler,
        dummy::ConnectionHandler,
    >;
    type ToSwarm = Verdict;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let Some(client) = self.of(&peer) else {
            return Ok(Either::Right(dummy::ConnectionHandler));
        };
        client.handle_established_inbound_connection(id, peer, local, remote).map(Either::Left)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let Some(client) = self.of(&peer) else {
            return Ok(Either::Right(dummy::ConnectionHandler));
        };
        let handler = client.handle_established_outbound_connection(id, peer, address, role, port);
        self.witnesses.places.entry(peer).or_default().extend(ip(address));
        handler.map(Either::Left)
    }

    /// Each client hears of its own hub's connections alone: it has no other.
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let peer = match event {
            FromSwarm::ConnectionEstablished(one) => Some(one.peer_id),
            FromSwarm::ConnectionClosed(one) => Some(one.peer_id),
            _ => None,
        };
        for (hub, client) in &mut self.hubs {
            if peer.is_none_or(|peer| peer == *hub) {
                client.on_swarm_event(event);
            }
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match (self.of(&peer), event) {
            (Some(client), Either::Left(event)) => {
                client.on_connection_handler_event(peer, id, event);
            }
            (_, Either::Right(never)) => match never {},
            (None, Either::Left(_)) => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Verdict, THandlerInEvent<Self>>> {
        if let Some(address) = self.confirmed.pop_front() {
            return Poll::Ready(ToSwarm::ExternalAddrConfirmed(address));
        }
        for at in 0..self.hubs.len() {
            while let Poll::Ready(event) = self.hubs[at].1.poll(cx) {
                match event {
                    // One hub's word is not enough.
                    ToSwarm::ExternalAddrConfirmed(_) => {}
                    ToSwarm::GenerateEvent(event) => {
                        let verdict = self.note(event);
                        return Poll::Ready(ToSwarm::GenerateEvent(verdict));
                    }
                    other => {
                        let other = other.map_out(|_| unreachable!("handled above"));
                        return Poll::Ready(other.map_in(Either::Left));
                    }
                }
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub_at(witnesses: &mut Witnesses, ip: &str) -> PeerId {
        let hub = PeerId::random();
        witnesses.places.entry(hub).or_default().insert(ip.parse().unwrap());
        hub
    }

    #[test]
    fn one_hub_and_two_in_one_place_are_not_enough() {
        let mut witnesses = Witnesses::default();
        let address: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let (one, same) =
            (hub_at(&mut witnesses, "198.51.100.1"), hub_at(&mut witnesses, "198.51.100.1"));
        let other = hub_at(&mut witnesses, "198.51.100.2");
        assert!(!witnesses.note(&address, one));
        assert!(!witnesses.note(&address, one));
        assert!(!witnesses.note(&address, same));
        assert!(witnesses.note(&address, other));
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let mut witnesses = Witnesses::default();
        let hub = hub_at(&mut witnesses, "198.51.100.1");
        for port in 0..2 * MAX_REACHABILITY_ADDRESSES {
            let address = format!("/ip4/192.0.2.1/tcp/{}", port + 1).parse().unwrap();
            witnesses.note(&address, hub);
        }
        assert_eq!(witnesses.reached.len(), MAX_REACHABILITY_ADDRESSES);
    }
}
