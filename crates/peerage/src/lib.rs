//! Peerage.

pub mod discovery;
