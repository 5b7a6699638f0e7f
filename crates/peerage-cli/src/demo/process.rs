//! A side of the demonstration: this program again, in a process and a home
//! of its own.

use std::{
    ffi::OsStr,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::failure::{Code, Failure};

/// Who plays, and where.
#[derive(Debug)]
pub(super) struct Side {
    name: &'static str,
    home: PathBuf,
}

impl Side {
    /// The side called `name`, with its home on the stage.
    pub(super) fn new(name: &'static str, stage: &Path) -> Self {
        Self { name, home: stage.join(name).join("home") }
    }
}

/// A running command of one side; killed when dropped.
#[derive(Debug)]
pub(super) struct Player {
    side: Side,
    child: Child,
    lines: io::Lines<BufReader<ChildStdout>>,
    path: Option<String>,
}

impl Player {
    /// Starts `peerage` with `arguments`, on the loopback interface alone.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(super) fn start(side: Side, arguments: &[&OsStr]) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| unstarted(&error))?;
        let mut child = Command::new(program)
            .arg("--json")
            .arg("--home")
            .arg(&side.home)
            .args(["--no-discovery", "--listen", "/ip4/127.0.0.1/tcp/0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| unstarted(&error))?;
        let stdout = child.stdout.take().expect("standard output was asked for");
        Ok(Self { side, child, lines: BufReader::new(stdout).lines(), path: None })
    }

    /// Reads events until the one called `name`.
    ///
    /// # Errors
    ///
    /// When the command fails or ends before that.
    pub(super) fn wait_for(&mut self, name: &str) -> Result<Value, Failure> {
        while let Some(event) = self.next()? {
            match event["event"].as_str() {
                Some(found) if found == name => return Ok(event),
                Some("connected") => self.path = event["path"].as_str().map(str::to_owned),
                Some("error") => {
                    return serde_json::from_value(event).map_or_else(|_| Err(self.ended()), Err);
                }
                _ => {}
            }
        }
        Err(self.ended())
    }

    fn next(&mut self) -> Result<Option<Value>, Failure> {
        let line = self.lines.next().transpose().map_err(|error| unstarted(&error))?;
        line.map(|line| serde_json::from_str(&line).map_err(|_| self.ended())).transpose()
    }

    fn ended(&self) -> Failure {
        Failure::new(
            Code::Unexpected,
            format!("{}'s side ended too early", self.side.name),
            "run it again with -v, and report this",
        )
    }

    /// The path that it was connected over, if it said so.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// When it ends with another exit code than 0.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        while self.next()?.is_some() {}
        let status = self.child.wait().map_err(|error| unstarted(&error))?;
        if status.success() { Ok(()) } else { Err(self.ended()) }
    }

    /// Presses Ctrl-C and waits for the end.
    ///
    /// # Errors
    ///
    /// When it does not end well.
    pub(super) fn interrupt(mut self) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.child), Signal::INT)
            .map_err(|error| unstarted(&error.into()))?;
        self.finish()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn unstarted(error: &io::Error) -> Failure {
    Failure::new(Code::Unexpected, format!("a side cannot be run: {error}"), "try again")
}
