//! Why a peer was not reached.

use std::{fmt, time::Duration};

use libp2p::PeerId;
use peerage_core::Advice;

use super::{Asked, Said};
use crate::node::{ConnectError, OpenStreamError};

/// Why a peer was not reached.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// No way led to it in time.
    #[error(transparent)]
    NotReached(Box<NotReached>),
    /// The node cannot connect to it, wherever it is.
    #[error(transparent)]
    Node(ConnectError),
}

impl ReachError {
    /// What came of dialling, if anything was dialled.
    #[must_use]
    pub fn dialled(&self) -> Option<&ConnectError> {
        match self {
            Self::NotReached(why) => why.dialled.as_ref(),
            Self::Node(error) => Some(error),
        }
    }

    /// Who was asked where the peer is.
    #[must_use]
    pub fn asked(&self) -> &[Asked] {
        match self {
            Self::NotReached(why) => &why.asked,
            Self::Node(_) => &[],
        }
    }
}

impl Advice for ReachError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotReached(why) => why.hint(),
            Self::Node(error) => error.hint(),
        }
    }
}

/// A search for a peer that has led nowhere.
#[derive(Clone, Debug)]
pub struct NotReached {
    /// Whom.
    pub peer: PeerId,
    /// How long it went on.
    pub after: Duration,
    /// Who was asked where it is, and what each said.
    pub asked: Vec<Asked>,
    /// What came of dialling, the last time that there was something to dial.
    pub dialled: Option<ConnectError>,
}

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, after, asked, dialled } = self;
        match dialled {
            Some(error) => write!(f, "{error}")?,
            None => write!(f, "no address of {peer} was found within {} ms", after.as_millis())?,
        }
        for (index, asked) in asked.iter().enumerate() {
            write!(f, "{}{asked}", if index == 0 { " (" } else { ", " })?;
        }
        if asked.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl std::error::Error for NotReached {}

impl Advice for NotReached {
    fn hint(&self) -> Option<&'static str> {
        let someone = self.asked.iter().any(|asked| asked.said != Said::Nothing);
        match &self.dialled {
            Some(error) => error.hint(),
            None if someone => Some("check that it runs and that one way reaches both"),
            None => Some("check that it runs, or give an address or one more way of finding it"),
        }
    }
}

/// Why there is no stream to a peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer was not reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// It was, and has opened none.
    #[error(transparent)]
    Open(#[from] OpenStreamError),
}

impl Advice for StreamError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Reach(error) => error.hint(),
            Self::Open(error) => error.hint(),
        }
    }
}
