//! Bitswap: how IPFS peers ask each other for blocks.
//!
//! Both sides keep a want-list with the other: a peer sends the CIDs that it
//! wants (or wants to know about), the other sends blocks, and says `HAVE` or
//! `DONT_HAVE`. Messages go one way on a stream; each side opens its own. The
//! [specification](https://specs.ipfs.tech/bitswap-protocol/) is followed in
//! its version 1.2; peers that speak 1.1 or 1.0 are understood.
//!
//! - [`Message`] is what goes over a stream, read and written within limits;
//! - [`Prefix`] is how a block travels: all of its CID but the hash, so that
//!   the receiver has to hash it, and cannot be told a wrong name;
//! - [`Ledger`] is what a server remembers of one peer's wants, and
//!   [`Reply`] collects what it answers;
//! - [`Session`] is a client's side towards one or several peers.

mod error;
mod ledger;
mod message;
mod prefix;
mod reply;
mod session;
mod wire;

pub use self::{
    error::DecodeError,
    ledger::{Accepted, Asked, Ledger, Outcome},
    message::{Entry, Message, Payload, Presence, Version, Want, Wantlist},
    prefix::{Prefix, PrefixError},
    reply::{Found, Reply},
    session::{Event, LossReason, Session, SessionConfig, TooManyPeers, TooManyWants, Verdict},
};
