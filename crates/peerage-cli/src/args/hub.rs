//! The options of `peerage hub`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// How to run a hub.
#[derive(Debug, Args)]
pub(crate) struct HubArgs {
    /// The file with its settings; if left out, hub.toml in the home if it is there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Print a file with every setting at its default, and what each is for
    #[arg(long, conflicts_with = "config")]
    pub(crate) print_config: bool,
}
