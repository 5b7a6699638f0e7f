//! Says in words why a connection failed.

use std::error::Error;

use libp2p::connection_limits::Exceeded;
use libp2p::core::transport::TransportError;
use libp2p::swarm::DialError;

use crate::limits::MAX_REASON_BYTES;

/// Why a dialled connection failed.
pub(super) fn of_dial(error: &DialError) -> String {
    match error {
        DialError::LocalPeerId { .. } => "this is the node itself".to_owned(),
        DialError::NoAddresses => "no address was given".to_owned(),
        DialError::Aborted => "the attempt was ended".to_owned(),
        DialError::Denied { cause } => match cause.downcast_ref::<Exceeded>() {
            Some(exceeded) => exceeded.to_string(),
            None => "the node refused the connection itself".to_owned(),
        },
        DialError::Transport(errors) => match errors.first() {
            Some((_, TransportError::MultiaddrNotSupported(_))) => {
                "no transport of this node serves it".to_owned()
            }
            Some((_, TransportError::Other(error))) => innermost(error),
            None => "the connection failed".to_owned(),
        },
        other => other.to_string(),
    }
}

/// The cause at the end of a chain: layers above it only say that something
/// below them failed.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    shorten(&cause.to_string(), MAX_REASON_BYTES).to_owned()
}

/// The first `limit` bytes at the most, cut between characters.
pub(super) fn shorten(text: &str, limit: usize) -> &str {
    match text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= limit)
        .last()
    {
        Some(end) => &text[..end],
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(shorten("größer", 4), "grö");
        assert_eq!(shorten("größer", 3), "gr");
        assert_eq!(shorten("", 3), "");
        assert_eq!(shorten("ab", 9), "ab");
    }
}
