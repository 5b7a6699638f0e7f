//! Peerage.

pub mod discovery;
pub mod home;

pub use libp2p::{Multiaddr, PeerId, StreamProtocol, multiaddr::Protocol};
pub use peerage_core::identity;
