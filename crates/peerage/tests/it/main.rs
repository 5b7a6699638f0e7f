//! The integration tests of `peerage`, one module a topic.

#![allow(clippy::unwrap_used)]

mod gateway;
mod interop_js;
mod node;
mod bitswap;
mod kubo;
mod support;

#[cfg(target_os = "linux")]
mod discovery;
mod import;
mod store;
