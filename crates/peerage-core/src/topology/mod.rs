//! Which peers does one stay connected with? The pure part: what a network of
//! Kademlia takes for true.

pub mod kademlia;
