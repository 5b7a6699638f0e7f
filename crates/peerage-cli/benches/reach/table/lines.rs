//! What the processes and the one that started them say to each other: a JSON
//! object a line, on standard input and output.

use serde::{Deserialize, Serialize};

/// What a process is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dial {
    /// Whom to reach.
    pub(crate) peer: String,
    /// Where it says it is.
    pub(crate) addresses: Vec<String>,
    /// How long to wait for a direct path, in ms.
    pub(crate) wait: u64,
}

/// What a process tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Report {
    /// It is there, and as reachable as it gets.
    Ready { peer: String, addresses: Vec<String> },
    /// The peer can be talked to, over whatever path.
    Connected { after_ms: f64, path: String },
    /// The peer can be talked to without a third.
    Direct { after_ms: f64, path: String },
    /// There is nothing more to wait for, and why.
    Ended { why: String },
}
