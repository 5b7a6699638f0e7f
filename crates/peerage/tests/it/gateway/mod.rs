//! The gateway's two sides, on each other and on hostile ones.

mod client;
mod judges;
mod server;
pub(crate) mod support;
