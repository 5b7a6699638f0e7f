//! Where this node is, and whether it therefore answers others.

use libp2p::kad;
use libp2p::swarm::behaviour::{ExternalAddrConfirmed, ExternalAddrExpired};
use libp2p::swarm::{FromSwarm, NetworkBehaviour as _};

use super::behaviour::Behaviour;
use super::config::Mode;
use super::routing_table::is_relayed;

impl Behaviour {
    /// Answers others when the settings say so, or when anybody can reach this
    /// node. A relayed address is not enough: every question would cost the
    /// relay.
    pub(super) fn mode(&self) -> kad::Mode {
        match self.config.mode {
            None if self.reachable_at.is_empty() => kad::Mode::Client,
            Some(Mode::Client) => kad::Mode::Client,
            None | Some(Mode::Server) => kad::Mode::Server,
        }
    }

    fn update_mode(&mut self) {
        let mode = self.mode();
        if self.inner.mode() != mode {
            self.inner.set_mode(Some(mode));
        }
    }

    /// Tells libp2p's behaviour where this node is, for its provider records:
    /// where it listens too, as far as that means something on this network.
    pub(super) fn on_own_address(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::ExternalAddrConfirmed(confirmed) if !is_relayed(confirmed.addr) => {
                self.reachable_at.insert(confirmed.addr.clone());
                self.update_mode();
            }
            FromSwarm::ExternalAddrExpired(expired) => {
                self.reachable_at.remove(expired.addr);
                self.update_mode();
            }
            FromSwarm::NewListenAddr(new) if self.config.scope.admits(new.addr) => {
                let confirmed = ExternalAddrConfirmed { addr: new.addr };
                self.inner.on_swarm_event(FromSwarm::ExternalAddrConfirmed(confirmed));
            }
            FromSwarm::ExpiredListenAddr(old) if !self.reachable_at.contains(old.addr) => {
                let expired = ExternalAddrExpired { addr: old.addr };
                self.inner.on_swarm_event(FromSwarm::ExternalAddrExpired(expired));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p::{Multiaddr, PeerId};

    use super::*;
    use crate::topology::kademlia::KademliaConfig;

    fn confirmed(address: &Multiaddr) -> FromSwarm<'_> {
        FromSwarm::ExternalAddrConfirmed(ExternalAddrConfirmed { addr: address })
    }

    #[tokio::test]
    async fn it_answers_while_it_can_be_reached_without_a_relay() {
        let own = PeerId::random();
        let mut behaviour = Behaviour::new(own, KademliaConfig::default());
        let direct: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let relayed: Multiaddr =
            format!("/ip4/192.0.2.9/tcp/1/p2p/{own}/p2p-circuit").parse().unwrap();
        let listening = FromSwarm::NewListenAddr(libp2p::swarm::behaviour::NewListenAddr {
            listener_id: libp2p::core::transport::ListenerId::next(),
            addr: &direct,
        });
        for event in [listening, confirmed(&relayed)] {
            behaviour.on_swarm_event(event);
            assert_eq!(behaviour.table().mode, Mode::Client);
        }
        behaviour.on_swarm_event(confirmed(&direct));
        assert_eq!(behaviour.table().mode, Mode::Server);
        let expired = ExternalAddrExpired { addr: &direct };
        behaviour.on_swarm_event(FromSwarm::ExternalAddrExpired(expired));
        assert_eq!(behaviour.table().mode, Mode::Client);
    }
}
