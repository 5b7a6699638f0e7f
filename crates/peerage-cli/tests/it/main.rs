//! The integration tests of `peerage-cli`, one module a topic. All run the
//! real command in processes of their own.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

/// Kubo, and networks of hosts: those of the library's tests.
#[allow(dead_code, reason = "each of the two uses what it needs")]
#[path = "../../../peerage/tests/it/support/mod.rs"]
mod peers;

mod adding;
mod command_line;
mod exchange;
#[cfg(target_os = "linux")]
mod far;
mod finding;
mod full_disk;
mod hub;
mod identities;
mod kubo;
#[cfg(target_os = "linux")]
mod nearby;
mod one_home;
mod pipes;
mod reaching;
mod roles;
mod support;
