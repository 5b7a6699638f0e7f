//! The control socket: how a command finds and uses the node that runs on its
//! home already.
//!
//! `control.sock` lies in the home and only its owner can open it. A
//! connection is lines of JSON: the node greets, the command sends one
//! [`Opening`], the node answers with events until `done`, `error` or
//! `handover`. Closing the sending half cancels the request. Bytes of a pipe
//! go over a second connection, whose opening names the number that the event
//! `stream` gave; after that line it is raw in both directions.
//!
//! The store's lock decides who owns a home, not the socket: whoever holds the
//! lock may remove a socket that a killed process left.

mod client;
mod lines;
mod place;
mod server;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::{
    client::{Attachment, Ended},
    server::Server,
};
use crate::{limits::CONTROL_ANSWER_SECONDS, request::Request};

/// The version of what is said on the socket. Both ends must have the same:
/// they come from one program nearly always, and a restart mends the rest.
const VERSION: u32 = 1;

/// How long the other end of the socket may take for a line that needs no
/// work, before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(CONTROL_ANSWER_SECONDS);

/// What a node says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// The version it speaks.
    version: u32,
    /// Its process id.
    pub(crate) process: u32,
    /// Its peer id.
    pub(crate) peer: String,
    /// The name of its identity.
    pub(crate) identity: String,
}

/// What a command says first, and all it says.
#[derive(Debug, Serialize, Deserialize)]
struct Opening {
    version: u32,
    #[serde(flatten)]
    ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    /// Do this and tell what happens.
    Request(Request),
    /// This connection carries the bytes of the stream with this number.
    Stream(u64),
}
