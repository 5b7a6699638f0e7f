//! Who is let in: how many connections one network may hold, and how many were
//! refused.
//!
//! `libp2p-connection-limits` counts peers, and peer ids cost nothing.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, ListenError, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use peerage_core::discovery::registry::Network;

use crate::routing::direct_ip;

/// Counts what each network holds: an IPv4 address, or the /56 of an IPv6 one.
#[derive(Debug)]
pub(crate) struct Shares<K> {
    holders: HashMap<K, Network>,
    networks: HashMap<Network, u32>,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self { holders: HashMap::new(), networks: HashMap::new() }
    }
}

impl<K: Eq + Hash> Shares<K> {
    /// Gives a place to one who comes from an address, unless its network has
    /// `most` already.
    pub(crate) fn enter(&mut self, holder: K, from: IpAddr, most: u32) -> bool {
        let network = Network::of(from);
        if self.networks.get(&network).is_some_and(|held| *held >= most) {
            return false;
        }
        if let Some(before) = self.holders.insert(holder, network) {
            self.release(before);
        }
        *self.networks.entry(network).or_default() += 1;
        true
    }

    /// Takes a place back; one that was not given is none.
    pub(crate) fn leave(&mut self, holder: &K) {
        if let Some(network) = self.holders.remove(holder) {
            self.release(network);
        }
    }

    fn release(&mut self, network: Network) {
        if let Some(held) = self.networks.get_mut(&network) {
            *held -= 1;
            if *held == 0 {
                self.networks.remove(&network);
            }
        }
    }

    /// How many places are given.
    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }
}

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
#[error("too many connections from one network")]
struct TooMany;

pub(super) struct Behaviour {
    most: Option<u32>,
    shares: Shares<ConnectionId>,
    refused: Arc<Counters>,
}

impl Behaviour {
    pub(super) fn new(most: Option<u32>) -> Self {
        Self { most, shares: Shares::default(), refused: Arc::default() }
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
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match (self.most, direct_ip(from)) {
            (Some(most), Some(ip)) if !self.shares.enter(id, ip, most) => {
                Err(ConnectionDenied::new(TooMany))
            }
            _ => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
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
            FromSwarm::ConnectionClosed(closed) => self.shares.leave(&closed.connection_id),
            FromSwarm::ListenFailure(failure) => {
                self.shares.leave(&failure.connection_id);
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
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_share_and_no_more() {
        let mut shares = Shares::default();
        let ip = |text: &str| text.parse().unwrap();
        assert!(shares.enter(1, ip("192.0.2.1"), 2) && shares.enter(2, ip("192.0.2.1"), 2));
        assert!(!shares.enter(3, ip("::ffff:192.0.2.1"), 2), "the same address in IPv6");
        assert!(shares.enter(4, ip("192.0.2.2"), 2));
        assert!(shares.enter(5, ip("2001:db8:0:100::1"), 1));
        assert!(!shares.enter(6, ip("2001:db8:0:1ff::9"), 1), "of one /56");
        shares.leave(&1);
        shares.leave(&9);
        assert!(shares.enter(3, ip("192.0.2.1"), 2));
        assert_eq!(shares.len(), 4);
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let mut shares = Shares::default();
        for holder in 0..9 {
            assert!(shares.enter(holder, [192, 0, 2, 1].into(), 9));
        }
        (0..9).for_each(|holder| shares.leave(&holder));
        assert!(shares.holders.is_empty() && shares.networks.is_empty());
    }
}
