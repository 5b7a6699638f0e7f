//! Kademlia as a part of a node.

use libp2p::PeerId;
use libp2p::swarm::behaviour::toggle::Toggle;

use super::behaviour::Behaviour;
use super::config::KademliaConfig;
use super::handle::Kademlia;

/// What makes a node take part in a network: its behaviour, for
/// [`Node::spawn_with`](crate::node::Node::spawn_with), and the handle to it.
/// `own` is the node's peer. Must be called within a tokio runtime.
#[must_use]
pub fn part(own: PeerId, config: KademliaConfig) -> (Behaviour, Kademlia) {
    let behaviour = Behaviour::new(own, config);
    let handle = behaviour.handle();
    (behaviour, handle)
}

/// As [`part`], for a node that may take part in no network.
#[must_use]
pub fn optional_part(
    own: PeerId,
    config: Option<KademliaConfig>,
) -> (Toggle<Behaviour>, Option<Kademlia>) {
    let (behaviour, handle) = config.map(|config| part(own, config)).unzip();
    (behaviour.into(), handle)
}
