//! Given nothing, which peers are there? Given a key, at which addresses?
//!
//! [`LanDiscovery`] finds the peers of the local network by DNS-SD over
//! multicast DNS ([RFC 6763](https://www.rfc-editor.org/rfc/rfc6763),
//! [RFC 6762](https://www.rfc-editor.org/rfc/rfc6762)) and announces this
//! node to them, and to any other DNS-SD browser.

mod dns;
mod dns_sd;
mod error;
mod finder;
mod fixed;
mod kademlia;
mod lan_way;
mod mainline;
mod nearby;
mod responder;
pub mod tracker;
mod way;
mod zone;

pub use crate::routing::{Interfaces, surroundings};
pub use dns::{Dns, DnsConfig, DnsError};
pub use dns_sd::{Events, LanConfig, LanDiscovery, LanStatus};
pub use error::StartError;
pub use finder::{Announced, Answer, Finder, Found, LOOK_UP_TIME, WayStatus};
pub use fixed::{ListFileError, StaticList};
pub use lan_way::LanWay;
pub use mainline::{Identify, Mainline, MainlineConfig};
pub use nearby::{Event, NearbyPeer};
pub use peerage_core::discovery::{
    Announcement, AnnouncementError, Candidate, EntryError, FINDING_LIFETIME, Findings, Key,
    KeyError, Network, Outcome, Ports, RecordError, Refusal, SERVICE_TYPE, Scope, Score,
    SignedPeerRecord, StaticListError, Surroundings, Topic, read_static_list,
};
pub use way::{Finding, Presence, Way, WayError, WayName};
pub use zone::{LivePeers, ZoneConfig, ZoneError, ZoneServer, ZoneStatus};
