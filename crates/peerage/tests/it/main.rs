//! The integration tests of `peerage`, one module a topic.

#![allow(clippy::unwrap_used)]

mod access;
mod advice;
mod bitswap;
#[cfg(target_os = "linux")]
mod chat;
mod gateway;
mod helia;
mod hub;
mod interop_js;
mod kademlia;
mod kubo;
mod limits;
mod mainline;
mod node;
mod parts;
mod published;
mod relays;
mod session_block;
mod support;
mod tracker;

#[cfg(target_os = "linux")]
mod discovery;
mod get;
mod import;
#[cfg(target_os = "linux")]
mod lab;
mod store;
#[cfg(target_os = "linux")]
mod strangers;
mod unread;
mod ways;
mod zone;
