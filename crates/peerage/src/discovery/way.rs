//! One way of finding peers: what all of them have in common.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use peerage_core::Advice;
pub use peerage_core::discovery::{Finding, WayName};
use peerage_core::discovery::{Key, SignedPeerRecord};

/// What this node says of itself.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Where it is; signed by itself.
    pub record: SignedPeerRecord,
    /// What it can be found under besides its peer id: content and topics.
    pub keys: Vec<Key>,
}

/// Why a way could not announce or look up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WayError {
    /// This way does not know such keys.
    #[error("this way does not look for that")]
    Unsupported,
    /// Nobody to ask is reachable.
    #[error("nobody to ask: {0}")]
    Unavailable(String),
    /// Those who were asked did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer broke the rules.
    #[error("a wrong answer: {0}")]
    Malformed(String),
}

impl Advice for WayError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unsupported | Self::Malformed(_) => None,
            Self::Unavailable(_) | Self::TimedOut(_) => Some("try again later"),
        }
    }
}

/// One way of finding peers. Cheap to share; all run side by side.
pub trait Way: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> WayName;

    /// Says where this node is, under its peer id and its keys. Answers how
    /// long that holds; it is said again before.
    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>>;

    /// Takes back what was announced, as far as this way can.
    fn withdraw(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Looks a key up: findings as they come, and the end when there is no
    /// more to find. The stream ends by itself within a bounded time.
    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>>;

    /// Findings for a key from now on, for as long as the stream is held;
    /// `None` where the way can only be asked again.
    fn watch<'a>(&'a self, _key: &Key) -> Option<BoxStream<'a, Finding>> {
        None
    }
}

impl fmt::Debug for dyn Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Way").field(&self.name()).finish()
    }
}
