//! Which peers are there, and at which addresses? The pure part: what is said
//! on the wire.

mod announcement;
pub mod kademlia;
mod key;
mod ports;
mod record;

pub use announcement::{Announcement, AnnouncementError, SERVICE_TYPE};
pub use key::{Key, KeyError, Topic};
pub use ports::Ports;
pub use record::{RecordError, SignedPeerRecord};
