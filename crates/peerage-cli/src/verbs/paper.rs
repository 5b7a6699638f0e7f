//! Completions and manual pages.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{
    args::Arguments,
    failure::{Code, Failure},
    output,
};

/// Prints a completion script.
///
/// # Errors
///
/// When standard output is closed or full.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "peerage", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// Prints the manual page, or writes all pages to a folder.
///
/// # Errors
///
/// When the output cannot be written.
pub(super) fn manual(folder: Option<&Path>) -> Result<(), Failure> {
    match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
                .map_err(|error| Failure::writing(&folder.display(), &error))?;
            Ok(())
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut page).map_err(|error| {
                Failure::new(Code::Unexpected, error.to_string(), "report this")
            })?;
            output::print(&String::from_utf8_lossy(&page))
        }
    }
}
