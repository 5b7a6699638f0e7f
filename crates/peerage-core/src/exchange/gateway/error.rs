//! Why a gateway request is refused, and with which HTTP status.

use crate::advice::Advice;
use crate::limits::{
    MAX_GATEWAY_FILENAME_BYTES, MAX_GATEWAY_NAME_BYTES, MAX_GATEWAY_PATH_NAMES,
    MAX_GATEWAY_TARGET_BYTES,
};

/// Why a gateway request is refused. Cause and hint are for
/// whoever wrote the request: they are sent as the body of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Something else than GET or HEAD.
    #[error("a gateway only reads")]
    Method,
    /// The path and query are over [`MAX_GATEWAY_TARGET_BYTES`].
    #[error(
        "the path and query are {bytes} bytes long, over the limit of {MAX_GATEWAY_TARGET_BYTES}"
    )]
    TooLong {
        /// Their length in bytes.
        bytes: usize,
    },
    /// Nothing lives under this path.
    #[error("nothing is served here")]
    UnknownPath,
    /// `/ipns/...`: names that change are not resolved here.
    #[error("names under /ipns are not resolved here")]
    Ipns,
    /// What follows `/ipfs/` is not a CID.
    #[error("what follows /ipfs/ is not a CID: {reason}")]
    Cid {
        /// What the decoder said.
        reason: String,
    },
    /// A name of the path has a `%` without two hexadecimal digits.
    #[error("the path has a % that is not followed by two hexadecimal digits")]
    Percent,
    /// A name of the path is `.` or `..`.
    #[error("the path has a . or .. in it")]
    Relative,
    /// More than [`MAX_GATEWAY_PATH_NAMES`] names in the path.
    #[error("the path is {names} names deep, over the limit of {MAX_GATEWAY_PATH_NAMES}")]
    TooDeep {
        /// How many names there are.
        names: usize,
    },
    /// A name of the path is over [`MAX_GATEWAY_NAME_BYTES`].
    #[error("a name in the path is {bytes} bytes long, over the limit of {MAX_GATEWAY_NAME_BYTES}")]
    NameTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A raw block was asked for by a path below a CID.
    #[error("a raw block has no path")]
    RawPath,
    /// Neither `format` nor an `Accept` header says what to send.
    #[error("the request does not say what to send")]
    NoFormat,
    /// What was asked for is a format that a trustless gateway does not give.
    #[error("only raw blocks and CARs are served here")]
    Format,
    /// Every CAR that the `Accept` header allows is of a kind that is not
    /// written here.
    #[error("CARs here are of version 1 and in depth-first order")]
    CarKind,
    /// A query parameter has a value that it cannot have.
    #[error("the query parameter {name} is wrong: it is {expected}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What it should look like.
        expected: &'static str,
    },
    /// The `filename` is over [`MAX_GATEWAY_FILENAME_BYTES`].
    #[error("the filename is {bytes} bytes long, over the limit of {MAX_GATEWAY_FILENAME_BYTES}")]
    FilenameTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

impl Advice for RequestError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Method => Some("use GET or HEAD"),
            Self::TooLong { .. }
            | Self::TooDeep { .. }
            | Self::NameTooLong { .. }
            | Self::FilenameTooLong { .. } => Some("make it shorter"),
            Self::UnknownPath => Some("ask for /ipfs/CID?format=raw or /ipfs/CID/path?format=car"),
            Self::Ipns => Some("resolve the name and ask for /ipfs/CID"),
            Self::Cid { .. } => Some("copy the CID whole"),
            Self::Percent => Some("write %25 for it"),
            Self::Relative => Some("write the path without"),
            Self::RawPath => Some("ask for /ipfs/CID?format=raw, or for the path as format=car"),
            Self::NoFormat => Some("add ?format=raw for one block or ?format=car for all of it"),
            Self::Format => Some("use format=raw or format=car"),
            Self::CarKind => Some("ask for version=1 and order=dfs"),
            Self::Parameter { .. } => Some("correct it or leave it out"),
        }
    }
}

impl RequestError {
    /// The HTTP status that says the same in a number, as the
    /// [path gateway's specification](https://specs.ipfs.tech/http-gateways/path-gateway/#response-status-codes)
    /// has it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Method => 405,
            Self::TooLong { .. } => 414,
            Self::UnknownPath => 404,
            Self::Ipns => 501,
            Self::Format | Self::CarKind => 406,
            Self::Cid { .. }
            | Self::Percent
            | Self::Relative
            | Self::TooDeep { .. }
            | Self::NameTooLong { .. }
            | Self::RawPath
            | Self::NoFormat
            | Self::Parameter { .. }
            | Self::FilenameTooLong { .. } => 400,
        }
    }
}
