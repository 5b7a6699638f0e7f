//! Exchange: giving blocks to peers and getting blocks from them.

pub mod bitswap;
pub mod download;
pub mod gateway;
mod hosts;
pub mod serving;
mod source;

pub use self::{
    hosts::Hosts,
    serving::Serving,
    source::{BlockSource, SourceError},
};
