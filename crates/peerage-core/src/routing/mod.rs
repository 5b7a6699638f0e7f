//! Given a peer, how does one get a duplex stream? The pure part: addresses, and
//! the codecs of what carries streams.

pub mod address;
pub mod yamux;
