//! Why a session could not begin, or share something.

use std::net::SocketAddr;

use peerage_core::{Advice, link::LinkError};

use crate::{import::ImportError, node::SpawnError, store::StoreError};

/// Why a session could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store is in use by another process, or damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node could not listen.
    #[error(transparent)]
    Node(#[from] SpawnError),
    /// The plain HTTP face could not listen.
    #[error("cannot serve HTTP at {address}: {source}")]
    Http {
        /// Where it should have been.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A protocol is served already.
    #[error("the node serves {0} already")]
    Served(&'static str),
}

impl Advice for OpenError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Node(error) => error.hint(),
            Self::Http { .. } => Some("choose another port"),
            Self::Served(_) => Some("open one session a node"),
        }
    }
}

/// Why something could not be shared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The files could not be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// No link can be made of it.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl Advice for ShareError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Import(error) => error.hint(),
            Self::Link(error) => error.hint(),
        }
    }
}
