//! The command: pairs in, a table out.

#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the library use more of it")]
#[path = "../../../../peerage/tests/it/support/lab.rs"]
pub(crate) mod lab;
#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the library use more of it")]
#[path = "../../../../peerage/tests/it/support/namespace.rs"]
mod namespace;

mod lines;
pub(crate) mod options;
mod pair;
pub(crate) mod process;
mod report;
mod roles;
mod trial;

use std::{
    io,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use self::{options::Options, report::Row};
use crate::moves;

/// Plays a role where one is named, and else measures what is asked for.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match &arguments[..] {
        [role, name, hubs @ ..] if role == process::ROLE => roles::play(name, hubs),
        [what, ..] if what == "--moves" => {
            Options::read(&arguments).and_then(|options| moves::print(&options))
        }
        [what, ..] if what == "--speed" => {
            Options::read(&arguments).and_then(|options| moves::print_speed(&options))
        }
        arguments => Options::read(arguments).and_then(|options| print_table(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reach: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures all pairs, some at once, and prints them in order.
fn print_table(options: &Options) -> io::Result<()> {
    if options.pairs.is_empty() {
        eprintln!("reach: nothing to measure without --pairs");
        return Ok(());
    }
    let rows = measure_all(options);
    print!("{}", if options.json { report::json(&rows) } else { report::markdown(&rows) });
    match rows.iter().find_map(|row| row.tries.as_ref().err()) {
        Some(error) => Err(io::Error::other(error.to_string())),
        None => Ok(()),
    }
}

fn measure_all(options: &Options) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(pair) = options.pairs.get(number) else { return };
            let row = Row { pair: pair.clone(), tries: trial::measure(pair, options) };
            eprintln!("{}", row.sentence());
            rows.lock().unwrap_or_else(PoisonError::into_inner).push((number, row));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(work);
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(number, _)| *number);
    rows.into_iter().map(|(_, row)| row).collect()
}
