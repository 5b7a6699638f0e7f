//! What handles, and the tasks that watch connections, ask of the node's task.

use futures::channel::oneshot;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::attempt::Waiter;
use super::report::Reach;

/// What is asked of the node's task.
pub(super) enum Command {
    Connect {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        waiter: Waiter,
    },
    Disconnect {
        peer: PeerId,
        done: oneshot::Sender<()>,
    },
    /// A peer answers no more on a connection.
    Hangs {
        peer: PeerId,
        id: ConnectionId,
    },
    /// The packets of a connection go to another place now.
    Moved {
        peer: PeerId,
        id: ConnectionId,
        place: Multiaddr,
    },
    /// The router maps an address to `inside`, or does no more.
    Mapped {
        inside: Multiaddr,
        outside: Option<Multiaddr>,
    },
    /// Somebody says where a peer is.
    Hint {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    /// Who is at an address?
    WhoIs {
        address: Multiaddr,
        reply: oneshot::Sender<PeerId>,
    },
    /// How is this node reached?
    Report {
        reply: oneshot::Sender<Reach>,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
}
