//! Why discovery on the local network could not start.

use std::io;

use peerage_core::Advice;
use thiserror::Error;

/// Why discovery on the local network does not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// [`LanDiscovery::start`](super::LanDiscovery::start) was called outside a tokio runtime.
    #[error("discovery needs a tokio runtime")]
    NoRuntime,
    /// UDP port 5353 is not to be had, shared or not.
    #[error("the multicast DNS port, UDP 5353, cannot be used: {0}")]
    Port(#[source] io::Error),
    /// The responder did not start or take what was asked.
    #[error("the multicast DNS responder failed: {0}")]
    Responder(#[from] mdns_sd::Error),
}

impl Advice for StartError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRuntime => Some("call it from within one"),
            Self::Port(_) => Some("end the program that holds it for itself, or allow it"),
            Self::Responder(_) => None,
        }
    }
}
