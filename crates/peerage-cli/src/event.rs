//! What happens while a verb runs, and what comes out: the one vocabulary of
//! the terminal, of `--json` and of the control socket (`docs/json.md`).

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A root of a CAR below which blocks are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incomplete {
    /// The root.
    pub(crate) root: String,
    /// How many blocks are missing, as far as the blocks at hand tell.
    pub(crate) missing: u64,
    /// The first of them.
    pub(crate) first: String,
}

/// One thing that happened. In JSON an object with the field `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// This home's node answers at these addresses.
    Listening {
        peer: String,
        addresses: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        http: Option<String>,
    },
    /// A hub runs.
    Hub(HubLine),
    /// Files are being read and hashed.
    Importing { files: u64, bytes: u64 },
    /// Something that the user should know and that stops nothing.
    Warning { message: String },
    /// A share is served.
    Shared(Shared),
    /// A shared file is not as it was when it was shared.
    FileChanged { path: String, reason: String },
    /// Somebody got something: a peer, somebody else at an address, or else
    /// somebody on this machine.
    Served {
        peer: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// By which protocol: `gateway`, `http` or `bitswap`.
        exchange: String,
        cid: String,
        bytes: u64,
        complete: bool,
    },
    /// A file or folder is in the store.
    Added { path: String, cid: String, bytes: u64 },
    /// Something is offered no more, which was there so many times.
    Unshared { cid: String, times: usize },
    /// A provider is being reached.
    Connecting { peer: String },
    /// A provider is reached, over this path.
    Connected { peer: String, path: String, exchange: String },
    /// What is wanted, as far as the link says.
    Found { name: String, bytes: Option<u64> },
    /// What an earlier attempt left was verified again.
    Verified { bytes: u64 },
    /// So much is done; the rate is in bytes a second.
    Progress { bytes: u64, total: Option<u64>, files: u64, rate: u64 },
    /// A provider went away or was dropped.
    ProviderLost { peer: String, reason: String, again: bool },
    /// A faster provider took over what a slow one held.
    TakenOver { from: String, to: String },
    /// What was wanted is there, whole and verified.
    Got(Got),
    /// A CAR file was written.
    Exported { cid: String, file: String, blocks: u64, bytes: u64 },
    /// A CAR file was read.
    Imported {
        /// Those below which nothing is missing.
        roots: Vec<String>,
        /// The others.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        incomplete: Vec<Incomplete>,
        blocks: u64,
        bytes: u64,
    },
    /// A role, and what runs of it.
    Role(RoleLine),
    /// A connected peer.
    Peer(PeerLine),
    /// A peer that announces itself on the local network.
    Nearby { peer: String, name: String, os: String, version: String, addresses: Vec<String> },
    /// A way of finding peers has found one.
    Finding(FindingLine),
    /// A way of finding peers has failed, wholly or in part.
    WayFailed { way: String, reason: String, milliseconds: f64 },
    /// A way of finding peers has no more to say.
    WayEnded { way: String, findings: usize, milliseconds: f64 },
    /// What `doctor` has to say of one thing.
    Diagnosis(Diagnosis),
    /// A peer answered a ping.
    Pong { peer: String, round: u32, milliseconds: f64, path: String },
    /// A pipe waits for its other end; `command` is what to type there.
    PipeListening { peer: String, command: String },
    /// A TCP port is forwarded from here.
    PipeForwarding { address: String, peer: String },
    /// A stream of a pipe is open.
    PipeOpened { peer: String },
    /// A stream of a pipe has ended after so many bytes each way.
    PipeClosed { peer: String, sent: u64, received: u64 },
    /// An identity of this home.
    Identity { name: String, peer: String, kind: String, passphrase: bool, in_use: bool },
    /// One step of the demonstration.
    Step { text: String },
    /// Connect to the control socket again with this number for the raw bytes.
    /// Seen on the control socket only.
    Stream { number: u64 },
    /// The node that served this command ends; whoever is able takes over.
    /// Seen on the control socket only.
    Handover,
    /// The command was stopped by a signal; `resume` is the command that continues.
    Interrupted { resume: Option<String> },
    /// The command failed.
    Error(Failure),
    /// The command did what it was asked. Seen on the control socket only.
    Done,
}

/// A share that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// The link to hand over.
    pub(crate) link: String,
    /// The same link in the letters that make a small QR code.
    pub(crate) qr: String,
    /// The CID of the root.
    pub(crate) cid: String,
    /// The name that the receiver sees.
    pub(crate) name: String,
    /// How many files it has.
    pub(crate) files: u64,
    /// How many bytes they have.
    pub(crate) bytes: u64,
    /// How long reading and hashing took, in milliseconds.
    pub(crate) milliseconds: u64,
    /// The address of the plain HTTP gateway, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<String>,
}

/// What `get` has put in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Got {
    /// Where it is.
    pub(crate) path: String,
    /// The CID of the root.
    pub(crate) cid: String,
    /// How many files it has.
    pub(crate) files: u64,
    /// How many bytes they have.
    pub(crate) bytes: u64,
    /// How many of them were there from an earlier attempt.
    pub(crate) resumed: u64,
    /// How long it took, in milliseconds.
    pub(crate) milliseconds: u64,
}

/// A role that a peer is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleLine {
    /// Its name, as the handbook has it.
    pub(crate) role: String,
    /// The question that it answers.
    pub(crate) question: String,
    /// The ways in which it can be filled.
    pub(crate) ways: Vec<String>,
    /// Those of them that run in this home now.
    pub(crate) running: Vec<String>,
    /// What is to come.
    pub(crate) not_yet: Vec<String>,
}

/// A peer that a way has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FindingLine {
    /// Its id.
    pub(crate) peer: String,
    /// The way.
    pub(crate) way: String,
    /// After how many milliseconds.
    pub(crate) milliseconds: f64,
    /// `new`, `changed`, or `confirmed`: found by another way before.
    pub(crate) outcome: String,
    /// Where it is, as this way says.
    pub(crate) addresses: Vec<String>,
    /// Whether the peer itself has signed that.
    pub(crate) signed: bool,
    /// Whether nobody says that it has what is looked for.
    pub(crate) suggested: bool,
}

/// What `doctor` has to say of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Diagnosis {
    /// Of what.
    pub(crate) topic: String,
    /// How it is.
    pub(crate) standing: Standing,
    /// What that means.
    pub(crate) text: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// As it should be.
    Good,
    /// It works, with less speed or in fewer places.
    Limited,
    /// It does not work.
    Bad,
}

/// A hub, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HubLine {
    /// Its id.
    pub(crate) peer: String,
    /// What to hand to others, the best first.
    pub(crate) addresses: Vec<String>,
    /// Where it relays roaming connections.
    pub(crate) relay: Vec<String>,
    /// Where its zone answers.
    pub(crate) zone: Vec<String>,
    /// Where it serves metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<String>,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeerLine {
    /// Its id.
    pub(crate) peer: String,
    /// What it calls its software; its own words.
    pub(crate) agent: String,
    /// The address and transport in use.
    pub(crate) path: String,
    /// `in` or `out`: who dialled.
    pub(crate) direction: String,
    /// The last round trip in milliseconds, if one was measured.
    pub(crate) milliseconds: Option<f64>,
}
