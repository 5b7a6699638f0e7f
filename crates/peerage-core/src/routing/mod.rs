//! Given a peer, how does one get a duplex stream? The pure part: codecs of what
//! carries streams.

pub mod yamux;
