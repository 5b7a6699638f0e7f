//! What two peers say on a stream: the codec and the state machine of every
//! protocol; and the links that people hand each other.

pub mod exchange;
pub mod link;
pub mod pipe;
pub mod rendezvous;
pub mod tracker;
pub mod yamux;
