//! Every limit on what comes from outside, with its reason: a file a room.
//!
//! One place, so that a reader can see at a glance what a hostile peer, file
//! or link can make us spend. Those of the library's drivers are in
//! `peerage::limits`; `docs/limits.md` lists all of them.

mod data;
mod discovery;
mod exchange;
mod identity;
mod link;
mod pipe;
mod routing;
mod text;

pub use self::data::*;
pub use self::discovery::*;
pub use self::exchange::*;
pub use self::identity::*;
pub use self::link::*;
pub use self::pipe::*;
pub use self::routing::*;
pub use self::text::*;
