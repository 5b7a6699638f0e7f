//! Which peers are there, and at which addresses? The pure part: what is said
//! on the wire.

mod announcement;
mod key;
mod legacy_record;
mod ports;
mod record;
pub mod registry;

pub use announcement::{Announcement, AnnouncementError, SERVICE_TYPE};
pub use key::{Key, KeyError, Topic};
pub use legacy_record::LegacyPeerRecord;
pub use ports::Ports;
pub use record::{RecordError, SignedPeerRecord};
