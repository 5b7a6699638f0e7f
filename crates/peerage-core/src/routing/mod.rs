//! Given a peer, how does one get a duplex stream? The pure part: addresses, whom
//! to stay connected with, and the codecs of what carries streams.

pub mod address;
pub mod keep;
pub mod yamux;
