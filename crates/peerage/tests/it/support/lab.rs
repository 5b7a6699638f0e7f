//! A network of its own, with an internet, NAT routers and homes:
//! `tests/lab/lab`, for tests. Nothing of it touches the network of the machine.

use std::{
    fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use super::namespace::Namespace;

/// The command that builds it.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../peerage/tests/lab/lab");

/// What the command ends with where the machine cannot have a lab.
const UNAVAILABLE: i32 = 77;

/// Why there is no lab.
#[derive(Debug)]
pub(crate) enum LabError {
    /// The machine does not permit it, or lacks a program.
    Unavailable(String),
    /// It could, and yet something went wrong.
    Failed(String),
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "no network lab: {why}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// A running lab, removed on drop.
pub(crate) struct Lab {
    id: String,
}

impl Lab {
    /// Builds a network; `topology` is what stands behind `lab up`.
    pub(crate) fn up(topology: &[&str]) -> Result<Self, LabError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        SWEPT.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("peerage-{}-{number}", std::process::id());
        command(&id, "up", topology)?;
        Ok(Self { id })
    }

    /// Runs a command of the lab, and gives what it prints.
    pub(crate) fn try_run(&self, name: &str, arguments: &[&str]) -> Result<String, LabError> {
        command(&self.id, name, arguments)
    }

    /// Runs a command of the lab that must work, and gives what it prints.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> String {
        self.try_run(name, arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A host or router, to run something in it.
    pub(crate) fn host(&self, name: &str) -> Namespace {
        Namespace::named(format!("{}-{name}", self.id))
    }

    /// The addresses of a host, IPv4 first.
    pub(crate) fn addresses(&self, host: &str) -> Vec<IpAddr> {
        self.run("ip", &[host]).lines().map(|address| address.parse().unwrap()).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = command(&self.id, "down", &[]);
    }
}

fn command(id: &str, name: &str, arguments: &[&str]) -> Result<String, LabError> {
    let output = Command::new(SCRIPT).env("LAB_ID", id).arg(name).args(arguments).output();
    let output = output.map_err(|error| LabError::Unavailable(format!("{SCRIPT}: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Some(UNAVAILABLE) => Err(LabError::Unavailable(said)),
        _ => Err(LabError::Failed(format!("lab {name} {}: {said}", arguments.join(" ")))),
    }
}

/// Removes the labs of processes that were killed.
fn sweep() {
    let folder = std::env::var_os("LAB_STATE").unwrap_or_else(|| "/run/peerage-lab".into());
    let Ok(entries) = fs::read_dir(PathBuf::from(folder)) else { return };
    for id in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = id.strip_prefix("peerage-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = command(&id, "down", &[]);
        }
    }
}
