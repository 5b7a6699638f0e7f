//! Which peers are there, and at which addresses? The pure part: what is said
//! on the wire.

mod announcement;
mod filter;
mod findings;
mod key;
mod legacy_record;
pub mod mainline;
mod ports;
mod rate;
mod record;
pub mod registry;
pub mod rendezvous;
mod said;
mod scope;
mod static_list;
pub mod tracker;
mod way;
pub mod zone;

pub use announcement::{Announcement, AnnouncementError, SERVICE_TYPE};
pub use filter::{Network, Surroundings};
pub use findings::{Candidate, FINDING_LIFETIME, Findings, Outcome, Refusal, Score};
pub use key::{Key, KeyError, Topic};
pub use legacy_record::LegacyPeerRecord;
pub use ports::Ports;
pub use rate::RateLimit;
pub use record::{RecordError, SignedPeerRecord};
pub use said::Said;
pub use scope::Scope;
pub use static_list::{EntryError, StaticListError, read_static_list};
pub use way::{Finding, WayName};
