//! Exchange: getting blocks and folders from peers that have them.

pub mod gateway;
