//! Dials peers that ask whether they can be reached (`AutoNAT` v2), and nobody
//! else: only the public address from which the asker is seen.
//!
//! `libp2p-autonat` dials whatever it is asked to, after the asker has sent some
//! data for an address that is not its own. Where this dials nothing the asker
//! hears of an internal error: nobody can tell, which is not that nobody comes
//! through.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::autonat::v2::server;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use peerage_core::routing::address::Reach;

use crate::routing::{direct_ip, plain_ip};

/// Why an asker is not dialled.
#[derive(Debug, thiserror::Error)]
#[error("only the public address from which a peer is seen is dialled for it")]
struct NotSeenThere;

#[derive(Default)]
pub(super) struct Behaviour {
    inner: server::Behaviour,
    /// Where the connections of each peer come from.
    seen: HashMap<PeerId, HashMap<ConnectionId, IpAddr>>,
    /// What is about to be dialled for somebody.
    asked: HashSet<ConnectionId>,
}

impl Behaviour {
    /// Whether a peer that asks for it is dialled at these addresses.
    fn may_dial(&self, peer: &PeerId, addresses: &[Multiaddr]) -> bool {
        let from = |ip: IpAddr| {
            self.seen.get(peer).is_some_and(|seen| seen.values().any(|other| *other == ip))
        };
        let is_theirs = |address: &Multiaddr| {
            direct_ip(address)
                .map(plain_ip)
                .is_some_and(|ip| Reach::of_ip(ip) == Reach::Public && from(ip))
        };
        !addresses.is_empty() && addresses.iter().all(is_theirs)
    }

    /// Lets the asker hear that nothing was found out: its question is dropped
    /// with the handler that would have dialled.
    fn drop_question(&mut self, id: ConnectionId, peer: PeerId) {
        let nowhere = Multiaddr::empty();
        let _ = self.inner.handle_established_outbound_connection(
            id,
            peer,
            &nowhere,
            Endpoint::Dialer,
            PortUse::New,
        );
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <server::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = server::Event;

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let Some(peer) = peer.filter(|_| self.asked.remove(&id)) else { return Ok(Vec::new()) };
        if self.may_dial(&peer, addresses) {
            return Ok(Vec::new());
        }
        self.drop_question(id, peer);
        Err(ConnectionDenied::new(NotSeenThere))
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(new) if new.endpoint.is_listener() => {
                if let Some(ip) = direct_ip(new.endpoint.get_remote_address()) {
                    let seen = self.seen.entry(new.peer_id).or_default();
                    seen.insert(new.connection_id, plain_ip(ip));
                }
            }
            FromSwarm::DialFailure(failure) => {
                self.asked.remove(&failure.connection_id);
            }
            FromSwarm::ConnectionClosed(gone) if gone.remaining_established == 0 => {
                self.seen.remove(&gone.peer_id);
            }
            FromSwarm::ConnectionClosed(gone) => {
                if let Some(seen) = self.seen.get_mut(&gone.peer_id) {
                    seen.remove(&gone.connection_id);
                }
            }
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let event = self.inner.poll(context);
        if let Poll::Ready(ToSwarm::Dial { opts }) = &event {
            self.asked.insert(opts.connection_id());
        }
        event
    }
}
