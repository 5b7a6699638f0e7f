//! Routing: given a peer, how do we get a duplex stream?
//!
//! TCP, QUIC and WebSocket under DNS; TLS 1.3 or Noise XX for security;
//! yamux or mplex to carry many streams on one connection. Everything speaks
//! the protocols of [libp2p], so other software cannot tell a Peerage node
//! from one of its own.
//!
//! Two parts are our own because the stock ones cost a stream more than half
//! of its speed: [`tls`] prefers AES-GCM where the processor has instructions
//! for it, and [`yamux`] sends large frames.
//!
//! [libp2p]: https://github.com/libp2p/specs

mod address;
mod closing;
mod error;
mod gate;
mod interfaces;
mod network;
mod path;
mod pool;
mod port_mapping;
mod roaming;
mod socket;
pub mod tls;
mod transport;
mod upgrade;
pub mod yamux;

pub use error::TransportError;
pub use interfaces::{Interfaces, surroundings};
pub use network::Network;
pub use path::{Multiplexer, Path, Security, TransportKind};
pub use peerage_core::routing::address::{
    Channel, Family, Host, PeerAddresses, Place, PlaceError, Reach, is_loopback, of_peer,
    peer_suffix, with_peer, without_peer,
};
pub use roaming::{BindError, relay_address, relay_url};
pub use upgrade::UpgradeError;

pub(crate) use address::{OurRelays, dialable, origin, origin_before, preference};
pub(crate) use gate::Gate;
pub(crate) use path::{Known, Moves, PathTable};
pub(crate) use peerage_core::routing::address::{direct_ip, ip, plain as plain_ip};
pub(crate) use pool::{Share, SharedPool};
pub(crate) use port_mapping::map_port;
pub(crate) use roaming::{Roaming, peer_of_endpoint};
pub(crate) use transport::{TransportConfig, build};
