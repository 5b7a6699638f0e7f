//! Exchange: giving blocks to peers and getting blocks from them.

pub mod bitswap;
pub mod download;
pub mod gateway;
mod source;

pub use self::source::{BlockSource, SourceError};
