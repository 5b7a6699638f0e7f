//! Protocols that join a node's swarm from above: the node runs them, and
//! knows none of them.

mod both;
mod driven;

use std::convert::Infallible;

pub use both::Both;
pub use driven::Driven;

use libp2p::identify;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, dummy};
use libp2p::{Multiaddr, PeerId};

/// A protocol's place in a node's swarm.
///
/// A part has nothing to say to the node, so it emits no events: its own handle
/// asks it by a channel of its own, and hears from it in the same way. What the
/// swarm knows comes to it as to every [`NetworkBehaviour`]: connections with
/// their directions, addresses of this node. What else the node knows comes by
/// the methods here.
///
/// Made of a behaviour that emits events by [`Driven`]; several parts are one by
/// [`Both`], and one that may be missing is a part by [`Toggle`].
pub trait Part: NetworkBehaviour<ToSwarm = Infallible> + Send {
    /// Takes in what a connected peer says of itself by identify: its protocols,
    /// where it listens, its software. Unproven, and bounded by the size of
    /// identify's message alone.
    fn on_identified(&mut self, _peer: PeerId, _info: &identify::Info) {}

    /// How many connections the node must be allowed to open for this part,
    /// should its limits say less.
    fn outgoing_connections(&self) -> u32 {
        0
    }

    /// The addresses of others that this part was given by whoever runs the
    /// node, boot nodes say, and dials itself: the node lets it. What a part
    /// hears from strangers it dials where that can be meant for this host.
    fn given_addresses(&self) -> Vec<Multiaddr> {
        Vec::new()
    }
}

/// No part at all.
impl Part for dummy::Behaviour {}

impl<P: Part> Part for Toggle<P> {
    fn on_identified(&mut self, peer: PeerId, info: &identify::Info) {
        if let Some(part) = self.as_mut() {
            part.on_identified(peer, info);
        }
    }

    fn outgoing_connections(&self) -> u32 {
        self.as_ref().map_or(0, Part::outgoing_connections)
    }

    fn given_addresses(&self) -> Vec<Multiaddr> {
        self.as_ref().map_or_else(Vec::new, Part::given_addresses)
    }
}
