//! Peerage.

pub mod access;
pub mod discovery;
pub mod exchange;
mod files;
pub mod home;
pub mod hub;
pub mod import;
pub mod limits;
pub mod node;
pub mod presets;
pub mod routing;
pub mod session;
pub mod store;
mod sync;
pub mod topology;

pub use libp2p::{Multiaddr, PeerId, StreamProtocol, multiaddr::Protocol};
pub use peerage_core::{Advice, data, identity, link, pipe, text};
