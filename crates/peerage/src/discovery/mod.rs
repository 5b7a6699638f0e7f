//! Given nothing, which peers are there? Given a key, at which addresses?
//!
//! [`LanDiscovery`] finds the peers of the local network by DNS-SD over
//! multicast DNS ([RFC 6763](https://www.rfc-editor.org/rfc/rfc6763),
//! [RFC 6762](https://www.rfc-editor.org/rfc/rfc6762)) and announces this
//! node to them, and to any other DNS-SD browser.

mod dns_sd;
mod interfaces;
mod nearby;
mod responder;
pub mod tracker;
mod way;

pub use dns_sd::{Events, LanConfig, LanDiscovery, LanStatus, StartError};
pub use interfaces::Interfaces;
pub use nearby::{Event, NearbyPeer};
pub use peerage_core::discovery::{
    Announcement, AnnouncementError, Key, KeyError, Ports, RecordError, SERVICE_TYPE,
    SignedPeerRecord, Topic,
};
pub use way::{Finding, Presence, Way, WayError, WayName};
