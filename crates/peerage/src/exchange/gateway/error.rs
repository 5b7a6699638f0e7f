//! What can go wrong when asking a gateway.

use peerage_core::Advice;
use peerage_core::data::{VerifyError, car::CarError};

/// Why a gateway did not give what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The gateway has not got the block, or nothing lies at the path.
    #[error("the peer has not got it ({sentence:?})")]
    NotFound {
        /// What the gateway said, cleaned of what does not print.
        sentence: String,
    },
    /// The gateway has too much to do.
    #[error("the peer is busy ({sentence:?})")]
    Busy {
        /// What the gateway said, cleaned of what does not print.
        sentence: String,
    },
    /// The gateway refused or failed.
    #[error("the peer answered with HTTP status {status}: {sentence:?}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the gateway said, cleaned of what does not print.
        sentence: String,
    },
    /// The answer is not of the kind that was asked for.
    #[error("the peer's answer is of type {found:?}, not {expected}: it is no trustless gateway")]
    ContentType {
        /// The type that was asked for.
        expected: &'static str,
        /// The type that came.
        found: String,
    },
    /// Nothing came for too long.
    #[error("the peer sent nothing for {seconds} s")]
    Stalled {
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The connection ended, or what came over it is not HTTP.
    #[error("the connection to the peer was lost: {0}")]
    Lost(#[source] hyper::Error),
    /// The connection can take no more requests: the peer closed it, or an
    /// answer was left before its end.
    #[error("the connection to the peer is closed")]
    Closed,
    /// The body is longer than what was asked for can be.
    #[error("the peer sent more than {limit} bytes for one block")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// What came is no CAR, or not all of one.
    #[error(transparent)]
    Car(#[from] CarError),
    /// A block is not the one that its CID names.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl Advice for GatewayError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } | Self::Stalled { .. } | Self::TooLong { .. } => {
                Some("ask another peer")
            }
            Self::Busy { .. } => Some("ask again later, or another peer"),
            Self::Refused { .. } | Self::ContentType { .. } => Some("ask another peer"),
            Self::Lost(_) => Some("connect again"),
            Self::Closed => Some("open another stream"),
            Self::Car(error) => error.hint(),
            Self::Verify(error) => error.hint(),
        }
    }
}
