//! The second step: which home, which identity, which output.

mod network;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use crate::{
    args::GlobalArgs,
    failure::{Code, Failure},
};

pub(crate) use self::network::Reach;

/// How the command speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// One JSON object a line on standard output.
    Json,
    /// Results only.
    Quiet,
    /// Results, and what happens meanwhile.
    Talkative,
}

/// Everything about a run that is not the verb's own.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The home folder.
    pub(crate) home: PathBuf,
    /// The identity that was asked for by name.
    pub(crate) identity: Option<String>,
    /// How to speak.
    pub(crate) voice: Voice,
    /// Standard error is a terminal that can be drawn on.
    pub(crate) draws: bool,
    /// Standard output is a terminal.
    pub(crate) shows: bool,
    /// Colours are welcome.
    pub(crate) colours: bool,
    /// Standard output is for raw bytes alone.
    pub(crate) writes_bytes: bool,
    /// Where to listen; empty for all interfaces.
    pub(crate) listen: Vec<String>,
    /// Announce and look for peers on the local network.
    pub(crate) discovery: bool,
    /// The file with a list of peers.
    pub(crate) peers: Option<PathBuf>,
    /// Where else to find peers and be found.
    pub(crate) reach: Reach,
    /// How much to say beyond results.
    pub(crate) verbose: u8,
}

impl Settings {
    /// Settles what the options, the environment and the terminal say. When the
    /// verb `writes_bytes`, standard output is for these alone.
    ///
    /// # Errors
    ///
    /// When no home folder was named and the platform has none.
    pub(crate) fn settle(global: GlobalArgs, writes_bytes: bool) -> Result<Self, Failure> {
        let home = match &global.home {
            Some(home) => std::path::absolute(home)
                .map_err(|error| Failure::reading(&home.display(), &error))?,
            None => platform_home()?,
        };
        let reach = Reach::settle(&home, &global)?;
        let peers = global.peers.map(|file| {
            let absolute = std::path::absolute(&file);
            absolute.map_err(|error| Failure::reading(&file.display(), &error))
        });
        let voice = match (global.json, global.quiet) {
            (true, _) => Voice::Json,
            (false, true) => Voice::Quiet,
            (false, false) => Voice::Talkative,
        };
        let draws = std::io::stderr().is_terminal();
        Ok(Self {
            home,
            identity: global.identity,
            voice,
            draws,
            shows: std::io::stdout().is_terminal(),
            colours: draws && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            writes_bytes,
            listen: global.listen,
            discovery: !global.no_discovery,
            peers: peers.transpose()?,
            reach,
            verbose: global.verbose,
        })
    }

    /// Settings for output alone, for when settling failed.
    pub(crate) fn of_output(json: bool) -> Self {
        Self {
            home: PathBuf::new(),
            identity: None,
            voice: if json { Voice::Json } else { Voice::Talkative },
            draws: false,
            shows: false,
            colours: false,
            writes_bytes: false,
            listen: Vec::new(),
            discovery: false,
            peers: None,
            reach: Reach::default(),
            verbose: 0,
        }
    }

    /// The home folder.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }
}

/// The folder that the platform gives each program for its data.
fn platform_home() -> Result<PathBuf, Failure> {
    directories::ProjectDirs::from("", "", "peerage")
        .map(|folders| folders.data_dir().to_path_buf())
        .ok_or_else(|| {
            Failure::new(
                Code::Usage,
                "this account has no home folder",
                "name a folder with --home or PEERAGE_HOME",
            )
        })
}
