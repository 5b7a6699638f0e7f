//! Trackers: peers that keep who is where.
//!
//! A [`TrackerServer`] keeps one registry behind two protocols, the
//! announcements and queries of
//! [`peerage_core::discovery::tracker`] and libp2p's rendezvous. [`Tracker`] is
//! the way of finding peers by asking several of them at once; it speaks
//! whichever of the two each of them knows.

mod client;
mod exchange;
mod frame;
mod merge;
mod persist;
mod rate;
mod requests;
mod server;

pub use client::{Tracker, TrackerStanding};
pub use peerage_core::discovery::registry::{Counters, Listing, Refusal, RegistryLimits};
pub use server::{TrackerConfig, TrackerServer, TrackerStatus};

use libp2p::StreamProtocol;
use peerage_core::discovery::{rendezvous, tracker};

/// The announcements and queries.
pub(crate) const TRACKER: StreamProtocol = StreamProtocol::new(tracker::PROTOCOL);
/// libp2p's rendezvous.
pub(crate) const RENDEZVOUS: StreamProtocol = StreamProtocol::new(rendezvous::PROTOCOL);
