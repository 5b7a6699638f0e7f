//! libp2p's [rendezvous](https://github.com/libp2p/specs/blob/master/rendezvous/README.md),
//! `/rendezvous/1.0.0`, over the registry of a tracker.
//!
//! A namespace is the name of a [topic](crate::discovery::Topic), the text of
//! a CID, or that of a peer id, which only that peer can register under.
//!
//! Signed peer records have two forms: the specification's, and that of
//! rust-libp2p, whose clients take an answer with any other record in it for
//! damaged. So an answer has records of one form only: the form in which the
//! asker registered itself, else the one that its software is known for, and
//! the other one only where there is nothing else to give.

mod answer;
mod message;
mod wire;

#[cfg(test)]
mod tests;

pub use answer::{answer, key_of, namespace_of};
pub use message::{DecodeError, Message, Refused, Registration, Status};

/// The protocol's name.
pub const PROTOCOL: &str = "/rendezvous/1.0.0";
