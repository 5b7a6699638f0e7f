//! Why the transports could not be set up.

use libp2p::noise;
use peerage_core::Advice;

use super::tls;

/// Why the transports could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] tls::ConfigError),
    /// Noise could not be set up.
    #[error("no Noise keys could be made for this identity: {0}")]
    Noise(#[from] noise::Error),
}

impl Advice for TransportError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Tls(error) => error.hint(),
            Self::Noise(_) => None,
        }
    }
}
