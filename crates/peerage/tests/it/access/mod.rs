//! Who may read: what a policy refuses is absent, by whatever protocol.

mod bitswap;
mod gateway;
mod property;
mod support;
mod two_homes;
