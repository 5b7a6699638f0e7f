//! Which peers does a node stay connected with?

pub mod kademlia;
