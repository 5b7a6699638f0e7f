//! Who is let in: how the places for connections are shared out, and how many
//! were refused.
//!
//! `libp2p-connection-limits` counts peers, and peer ids cost nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, ListenError, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::pool::{Origin, Pool, PoolLimits, Refused};

use super::NodeLimits;
use crate::routing::{OurRelays, origin, origin_before};

/// How many connections of others were refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedConnections {
    /// Because their network held as many as it may.
    pub per_network: u64,
    /// For any other reason: too many in all, in their handshake, or of a peer.
    pub others: u64,
}

/// What [`RefusedConnections`] is read from.
#[derive(Debug, Default)]
pub(super) struct Counters {
    per_network: AtomicU64,
    others: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> RefusedConnections {
        RefusedConnections {
            per_network: self.per_network.load(Ordering::Relaxed),
            others: self.others.load(Ordering::Relaxed),
        }
    }
}

/// Why a connection is refused here.
#[derive(Debug, thiserror::Error)]
#[error("too many connections: {0}")]
struct TooMany(Refused);

pub(super) struct Behaviour {
    ours: OurRelays,
    handshakes: Pool<ConnectionId>,
    established: Pool<ConnectionId>,
    started: Instant,
    refused: Arc<Counters>,
}

impl Behaviour {
    pub(super) fn new(limits: &NodeLimits, ours: OurRelays) -> Self {
        let one = limits.connections_per_network.unwrap_or(u32::MAX) as usize;
        let pool = |all: u32| PoolLimits { one, ..PoolLimits::of(all as usize) };
        Self {
            ours,
            handshakes: Pool::new(pool(limits.pending_connections)),
            established: Pool::new(pool(limits.incoming_connections)),
            started: Instant::now(),
            refused: Arc::default(),
        }
    }

    /// Gives a handshake its place. Those of which nothing is known count as one.
    fn begin(&mut self, id: ConnectionId, origin: &Origin) -> Result<(), ConnectionDenied> {
        let now = self.started.elapsed();
        let entered = self.handshakes.enter(id, origin, 1, now);
        entered.map(drop).map_err(|refused| ConnectionDenied::new(TooMany(refused)))
    }

    fn establish(&mut self, id: ConnectionId, origin: &Origin) -> Result<(), ConnectionDenied> {
        self.handshakes.leave(&id);
        let now = self.started.elapsed();
        let entered = self.established.enter(id, origin, 1, now);
        entered.map(drop).map_err(|refused| ConnectionDenied::new(TooMany(refused)))
    }

    fn forget(&mut self, id: ConnectionId) {
        self.handshakes.leave(&id);
        self.established.leave(&id);
    }

    pub(super) fn refused(&self) -> Arc<Counters> {
        Arc::clone(&self.refused)
    }

    fn count(&self, error: &ListenError) {
        let ListenError::Denied { cause } = error else { return };
        let counter = match cause.downcast_ref::<TooMany>() {
            Some(_) => &self.refused.per_network,
            None => &self.refused.others,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    /// Counted from here on: handshakes cost the most.
    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match origin_before(from, local) {
            Some(origin) => self.begin(id, &origin),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let origin = origin(peer, from, local, &self.ours);
        self.establish(id, &origin)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.forget(closed.connection_id),
            FromSwarm::ListenFailure(failure) => {
                self.forget(failure.connection_id);
                self.count(failure.error);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour(most: Option<u32>) -> Behaviour {
        let limits = NodeLimits { connections_per_network: most, ..NodeLimits::default() };
        let hub = PeerId::random();
        Behaviour::new(&limits, OurRelays::of_hubs([hub].into_iter()))
    }

    /// How many connections of as many peers are let in.
    fn let_in(behaviour: &mut Behaviour, from: &str, local: &str, peers: usize) -> usize {
        let (from, local) = (from.parse().unwrap(), local.parse().unwrap());
        let connect = |_: &usize| {
            let id = ConnectionId::new_unchecked(behaviour.established.len() + 1000);
            behaviour.handle_pending_inbound_connection(id, &local, &from).is_ok()
                && behaviour
                    .handle_established_inbound_connection(id, PeerId::random(), &local, &from)
                    .is_ok()
        };
        (0..peers).filter(connect).count()
    }

    const HERE: &str = "/ip4/198.51.100.9/tcp/1";

    #[test]
    fn peer_ids_of_one_address_do_not_take_all_connections() {
        let mut behaviour = behaviour(None);
        let taken = let_in(&mut behaviour, "/ip4/192.0.2.1/tcp/1", HERE, 200);
        assert!((40..64).contains(&taken), "an office, and no more: {taken}");
        assert_eq!(let_in(&mut behaviour, "/ip4/203.0.113.1/tcp/1", HERE, 9), 9);
    }

    #[test]
    fn a_network_has_its_share_and_no_more() {
        let mut behaviour = behaviour(Some(3));
        assert_eq!(let_in(&mut behaviour, "/ip6/2001:db8:0:100::1/tcp/1", HERE, 2), 2);
        assert_eq!(let_in(&mut behaviour, "/ip6/2001:db8:0:1ff::1/tcp/1", HERE, 2), 1);
        assert_eq!(let_in(&mut behaviour, "/ip4/127.0.0.1/tcp/1", HERE, 9), 9, "by their ids");
    }

    #[test]
    fn forty_peers_behind_one_hub_are_let_in() {
        let hub = PeerId::random();
        let ours = OurRelays::of_hubs([hub].into_iter());
        let mut behaviour = Behaviour::new(&NodeLimits::default(), ours);
        let circuit = format!("/ip4/203.0.113.7/tcp/1/p2p/{hub}/p2p-circuit");
        let from = format!("/p2p/{}", PeerId::random());
        assert_eq!(let_in(&mut behaviour, &from, &circuit, 40), 40);
        let stranger = circuit.replace(&hub.to_string(), &PeerId::random().to_string());
        let through_stranger = let_in(&mut behaviour, &from, &stranger, 100);
        assert!(through_stranger < 40, "{through_stranger}");
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let mut behaviour = behaviour(None);
        let_in(&mut behaviour, "/ip4/192.0.2.1/tcp/1", HERE, 9);
        (0..20).for_each(|n| behaviour.forget(ConnectionId::new_unchecked(1000 + n)));
        assert!(behaviour.established.is_empty() && behaviour.handshakes.is_empty());
    }
}
