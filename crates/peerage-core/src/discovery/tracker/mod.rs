//! What is said on a stream of `/peerage/tracker/1`: the announcements and
//! queries of Spacedrive's global discovery, in `MessagePack`.
//!
//! Each message comes after its length as an unsigned varint. A request is
//! answered with one message; a stream carries several, one after another. The
//! messages are what `serde` makes of [`Message`] by default: a map from the
//! variant's name to its fields by name, or the bare name of one without. What
//! Spacedrive's definition does not have is optional, and a reader that knows
//! no more than it passes over those fields:
//!
//! - `ClientAnnouncement` may bring the signed record of the peer in either
//!   form, keys to be kept under, and for how many seconds;
//! - a peer of `QueryClientAnnouncementResponse` may bring its signed record;
//! - `FindKey` and `Withdraw`, with their answers, are new, and only those who
//!   sent such a field or message are answered with `Refused`.
//!
//! The announcer's peer id is proven by the connection: an announcement that
//! names another is answered with `Error(InvalidAuthErr)`. Peers that are not
//! known are left out of an answer.

mod answer;
mod message;

#[cfg(test)]
mod tests;

pub use answer::answer;
pub use message::{DecodeError, ErrorKind, Message, PeerAddresses};

/// The protocol's name.
pub const PROTOCOL: &str = "/peerage/tracker/1";
