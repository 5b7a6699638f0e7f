//! Peers that cannot be reached. libp2p keeps them in the routing table until
//! another one wants their place, and a look-up that meets them waits until the
//! transport gives up: when many peers go, that is most of its time.

use libp2p::swarm::behaviour::DialFailure;
use libp2p::swarm::{ConnectionId, DialError, FromSwarm, NetworkBehaviour as _};
use libp2p::{Multiaddr, PeerId};

use super::behaviour::Behaviour;
use crate::routing::without_peer;

impl Behaviour {
    /// Forgets a peer that cannot be reached where the routing table has it; it
    /// comes in again when it is connected again. When nobody is connected at
    /// all, it is rather this node that reaches nobody.
    fn on_unreachable(&mut self, peer: PeerId, tried: &dyn Fn(&Multiaddr) -> bool) {
        let named = self.config.boot_nodes.iter().any(|(boot, _)| *boot == peer);
        if named || self.guard.is_alone() || self.guard.is_connected(&peer) {
            return;
        }
        if self.addresses_of(&peer).iter().all(tried) {
            self.remove(&peer);
        }
    }

    /// A dial has failed, a look-up's or somebody else's.
    pub(super) fn on_dial_failure(&mut self, failure: &DialFailure<'_>) {
        self.dials.ended(failure.connection_id);
        if let (Some(peer), DialError::Transport(tried)) = (failure.peer_id, failure.error) {
            let is_tried =
                |known: &Multiaddr| tried.iter().any(|(tried, _)| without_peer(tried) == *known);
            self.on_unreachable(peer, &is_tried);
        }
    }

    /// Lets the look-ups go on that wait for a dial. It may yet succeed.
    pub(super) fn on_hanging(&mut self, connection_id: ConnectionId, peer: PeerId) {
        let failure =
            DialFailure { peer_id: Some(peer), error: &DialError::Aborted, connection_id };
        self.inner.on_swarm_event(FromSwarm::DialFailure(failure));
        self.on_unreachable(peer, &|_| true);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use libp2p::TransportError;

    use super::*;
    use crate::topology::kademlia::KademliaConfig;

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
    }

    /// A behaviour with a peer at port 1 in its routing table.
    fn knowing(peer: PeerId) -> Behaviour {
        let mut behaviour = Behaviour::new(PeerId::random(), KademliaConfig::machine());
        behaviour.insert(peer, &[address(1)]);
        behaviour
    }

    fn fail(behaviour: &mut Behaviour, peer: PeerId, port: u16) {
        let reason = TransportError::Other(io::ErrorKind::TimedOut.into());
        let at = address(port).with(libp2p::multiaddr::Protocol::P2p(peer));
        let error = DialError::Transport(vec![(at, reason)]);
        let connection_id = ConnectionId::new_unchecked(1);
        let failure = DialFailure { peer_id: Some(peer), error: &error, connection_id };
        behaviour.on_swarm_event(FromSwarm::DialFailure(failure));
    }

    #[tokio::test]
    async fn who_cannot_be_reached_is_forgotten_where_it_is_known_to_be() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let mut behaviour = knowing(peer);
        fail(&mut behaviour, peer, 1);
        assert_eq!(behaviour.addresses_of(&peer), [address(1)], "this node reaches nobody");
        behaviour.guard.connected(other, ConnectionId::new_unchecked(9), &address(9));
        fail(&mut behaviour, peer, 2);
        assert_eq!(behaviour.addresses_of(&peer), [address(1)], "it is elsewhere");
        fail(&mut behaviour, peer, 1);
        assert!(behaviour.addresses_of(&peer).is_empty());
    }

    #[tokio::test]
    async fn who_hangs_is_forgotten_unless_it_is_connected_or_named() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let mut behaviour = knowing(peer);
        let id = ConnectionId::new_unchecked(1);
        behaviour.guard.connected(peer, id, &address(1));
        behaviour.on_hanging(ConnectionId::new_unchecked(2), peer);
        assert!(!behaviour.addresses_of(&peer).is_empty(), "it is there");
        behaviour.guard.disconnected(&peer, id);
        behaviour.guard.connected(other, id, &address(9));
        behaviour.config.boot_nodes.push((peer, address(1)));
        behaviour.on_hanging(ConnectionId::new_unchecked(3), peer);
        assert!(!behaviour.addresses_of(&peer).is_empty(), "it is a boot node");
        behaviour.config.boot_nodes.clear();
        behaviour.on_hanging(ConnectionId::new_unchecked(4), peer);
        assert!(behaviour.addresses_of(&peer).is_empty());
    }
}
