//! Every limit on what comes from outside, with its reason: a file a room.
//! Those of formats and state machines are in [`peerage_core::limits`], and
//! reached through this module too. `docs/limits.md` lists all of them.

mod discovery;
mod exchange;
mod home;
mod hub;
mod import;
mod node;
mod routing;
mod session;
mod store;
mod topology;

pub use self::discovery::*;
pub use self::exchange::*;
pub use self::home::*;
pub use self::hub::*;
pub use self::import::*;
pub use self::node::*;
pub use self::routing::*;
pub use self::session::*;
pub use self::store::*;
pub use self::topology::*;

pub use peerage_core::limits::*;
