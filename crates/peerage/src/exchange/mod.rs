//! Exchange: giving blocks to peers and getting blocks from them.

pub mod bitswap;
pub mod download;
pub mod gateway;
pub mod serving;
mod source;

pub use self::{
    serving::Serving,
    source::{BlockSource, SourceError},
};
