//! The integration tests of `peerage-cli`, one module a topic. All run the
//! real command in processes of their own.

mod command_line;
mod identities;
mod one_home;
mod pipes;
mod reaching;
mod support;
