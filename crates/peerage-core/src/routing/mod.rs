//! Given a peer, how does one get a duplex stream? The pure part: addresses, whom
//! to stay connected with, how places are shared out, and the codecs of what carries streams.

pub mod address;
pub mod keep;
mod network;
pub mod pool;
pub mod yamux;

pub use network::Network;
pub(crate) use network::is_loopback_network;
