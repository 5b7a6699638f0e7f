//! Which peers are there, and at which addresses? The pure part: what is said
//! on the wire.

mod announcement;
mod ports;

pub use announcement::{Announcement, AnnouncementError, SERVICE_TYPE};
pub use ports::Ports;
