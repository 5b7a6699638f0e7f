//! Which peers are there, and at which addresses? The pure part: what is said
//! on the wire.

mod announcement;
pub mod kademlia;
mod key;
pub mod mainline;
mod ports;
mod rate;
mod record;
mod scope;
pub mod zone;

pub use announcement::{Announcement, AnnouncementError, SERVICE_TYPE};
pub use key::{Key, KeyError, Topic};
pub use ports::Ports;
pub use rate::RateLimit;
pub use record::{RecordError, SignedPeerRecord};
pub use scope::Scope;
