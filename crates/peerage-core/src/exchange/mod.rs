//! Exchange: getting blocks and folders from peers that have them.

pub mod bitswap;
pub mod download;
pub mod gateway;
