//! The integration tests of `peerage`, one module a topic.

#![allow(clippy::unwrap_used)]

mod bitswap;
mod gateway;
mod helia;
mod interop_js;
mod kubo;
mod node;
mod support;

#[cfg(target_os = "linux")]
mod discovery;
mod get;
mod import;
mod store;
mod ways;
