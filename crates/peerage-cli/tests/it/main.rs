//! The integration tests of `peerage-cli`, one module a topic. All run the
//! real command in processes of their own.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod command_line;
mod exchange;
mod identities;
mod one_home;
mod pipes;
mod reaching;
mod support;
