//! The command as a process in a host of the lab.

use std::{
    io::{self, BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::table::lab::Lab;

/// The command that is measured.
const PEERAGE: &str = env!("CARGO_BIN_EXE_peerage");

/// How long anything may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(150);

/// The command in a host, with a home of its own, behind a hub.
pub(super) fn peerage(lab: &Lab, host: &str, home: &Path, hub: &str) -> Command {
    let mut command = lab.host(host).command(PEERAGE);
    command.current_dir(home).env("PEERAGE_HOME", home.join("home")).env("PEERAGE_HUBS", hub);
    command.args(["--json", "--no-discovery", "--no-port-mapping"]);
    command.stderr(Stdio::null());
    command
}

/// Starts a hub with all its services; gives the addresses to tell others.
pub(super) fn hub(lab: &Lab, home: &Path) -> io::Result<(Running, String)> {
    let mut command = lab.host("relay").command(PEERAGE);
    command.env("PEERAGE_HOME", home.join("home")).args(["--json", "hub"]);
    let hub = Running::start(command.stderr(Stdio::null()))?;
    let told = hub.wait_for("hub")?;
    let addresses = told["addresses"].as_array().into_iter().flatten();
    let addresses: Vec<&str> = addresses.filter_map(Value::as_str).collect();
    Ok((hub, addresses.join(",")))
}

/// A running command, and what it says; ends when it is dropped.
pub(super) struct Running {
    child: Child,
    events: Receiver<(Instant, Value)>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let (sender, events) = channel();
        // Ends with the process, which closes its output.
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            for event in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, events })
    }

    /// The next event, and when it came.
    pub(super) fn next(&self) -> io::Result<(Instant, Value)> {
        let event = self.events.recv_timeout(PATIENCE);
        let (when, event) = event.map_err(|error| io::Error::other(format!("silent: {error}")))?;
        match event["event"] == "error" {
            true => Err(io::Error::other(event.to_string())),
            false => Ok((when, event)),
        }
    }

    /// What has come meanwhile.
    pub(super) fn waiting(&self) -> Vec<(Instant, Value)> {
        self.events.try_iter().collect()
    }

    /// Waits for an event of some kind.
    pub(super) fn wait_for(&self, kind: &str) -> io::Result<Value> {
        loop {
            let (_, event) = self.next()?;
            if event["event"] == kind {
                return Ok(event);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
