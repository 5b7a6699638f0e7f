//! Exchange: giving blocks to peers and getting blocks from them.

pub mod bitswap;
mod source;

pub use self::source::{BlockSource, SourceError};
