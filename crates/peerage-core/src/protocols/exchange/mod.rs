//! Exchange: getting blocks and folders from peers that have them.

pub mod download;
pub mod gateway;
