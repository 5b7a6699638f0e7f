//! The `peerage` command: share a folder with another peer, and what belongs
//! to that.
//!
//! It runs in four steps that this file shows: the arguments are parsed, the
//! settings settled (which home, which output), the verb is run, and its
//! outcome becomes an exit code (`docs/exit-codes.md`). Nothing heavy happens
//! before a verb needs it, so that `peerage --help` is there at once.

mod args;
mod attach;
mod context;
mod control;
mod demo;
mod event;
mod failure;
mod handler;
mod host;
mod interrupt;
mod limits;
mod log;
mod memory;
mod output;
mod passphrase;
mod request;
mod settings;
mod streams;
mod target;
mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

use crate::settings::Settings;

fn main() -> ExitCode {
    memory::settle();
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage(&error),
    };
    let json = arguments.global.json;
    let settings = match Settings::settle(arguments.global, arguments.verb.writes_bytes()) {
        Ok(settings) => settings,
        Err(failure) => return output::finish(&Settings::of_output(json), Err(failure)),
    };
    let outcome = verbs::run(arguments.verb, &settings);
    output::finish(&settings, outcome)
}
