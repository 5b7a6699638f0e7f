//! How a way fares, for whoever wants to know why nobody is found.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{super::WayError, WayName};
use crate::sync::lock;

/// How one way fares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WayStatus {
    /// Which.
    pub way: WayName,
    /// How announcing went the last time, if it was tried.
    pub announced: Option<Announced>,
    /// When it will be announced again.
    pub next: Option<Instant>,
    /// How many findings it had.
    pub found: u64,
    /// How many of them were stale, of another peer, or not asked for.
    pub refused: u64,
    /// How many look-ups it answered with an error.
    pub failed: u64,
    /// The last of those errors.
    pub last_error: Option<WayError>,
}

/// How announcing went.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Announced {
    /// When it ended.
    pub when: Instant,
    /// How long it took.
    pub took: Duration,
    /// For how long it holds, or why it failed.
    pub result: Result<Duration, WayError>,
}

/// The status that is kept of one way.
pub(super) struct Tally(Mutex<WayStatus>);

impl Tally {
    pub(super) fn new(way: WayName) -> Self {
        Self(Mutex::new(WayStatus {
            way,
            announced: None,
            next: None,
            found: 0,
            refused: 0,
            failed: 0,
            last_error: None,
        }))
    }

    pub(super) fn status(&self) -> WayStatus {
        lock(&self.0).clone()
    }

    pub(super) fn announced(&self, announced: Announced, again: Option<Duration>) {
        let mut status = lock(&self.0);
        status.next = again.map(|pause| announced.when + pause);
        status.announced = Some(announced);
    }

    pub(super) fn found(&self) {
        lock(&self.0).found += 1;
    }

    pub(super) fn refused(&self) {
        lock(&self.0).refused += 1;
    }

    /// Notes an error; that a way does not look for such keys is none.
    pub(super) fn failed(&self, error: &WayError) {
        if *error != WayError::Unsupported {
            let mut status = lock(&self.0);
            status.failed += 1;
            status.last_error = Some(error.clone());
        }
    }
}
