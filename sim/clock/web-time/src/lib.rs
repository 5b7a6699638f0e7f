//! Stands in for the crate of this name, by which libp2p reads the time: here it
//! is tokio's, which a simulation pauses and moves.

pub use std::time::{Duration, SystemTime, SystemTimeError, UNIX_EPOCH};
pub use tokio::time::Instant;
