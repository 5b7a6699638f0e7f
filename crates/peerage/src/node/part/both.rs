//! Two parts as one.

use std::convert::Infallible;

use libp2p::swarm::NetworkBehaviour;
use libp2p::{Multiaddr, PeerId, identify};

use super::Part;

/// Two parts as one; either may be two again.
#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "Infallible")]
pub struct Both<A: Part, B: Part> {
    one: A,
    other: B,
}

impl<A: Part, B: Part> Both<A, B> {
    /// Puts two parts together.
    #[must_use]
    pub fn new(one: A, other: B) -> Self {
        Self { one, other }
    }
}

impl<A: Part, B: Part> Part for Both<A, B> {
    fn on_identified(&mut self, peer: PeerId, info: &identify::Info) {
        self.one.on_identified(peer, info);
        self.other.on_identified(peer, info);
    }

    fn outgoing_connections(&self) -> u32 {
        self.one.outgoing_connections().max(self.other.outgoing_connections())
    }

    fn given_addresses(&self) -> Vec<Multiaddr> {
        let mut given = self.one.given_addresses();
        given.extend(self.other.given_addresses());
        given
    }
}
