//! Processes that play a role in a host of the lab: this program itself.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use super::{
    lab::Lab,
    lines::{Dial, Report},
};

/// The first argument of a process that plays a role.
pub(crate) const ROLE: &str = "--role";

/// A process that plays a role; ends when it is dropped.
pub(crate) struct Player {
    child: Child,
    orders: ChildStdin,
    reports: Receiver<Report>,
}

impl Player {
    /// Starts a role in a host, and tells it the addresses of the hubs.
    pub(crate) fn start(lab: &Lab, host: &str, role: &str, hubs: &[String]) -> io::Result<Self> {
        let mut command = lab.host(host).command(std::env::current_exe()?);
        command.args([ROLE, role]).args(hubs).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a process without a pipe");
        let orders = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let (sender, reports) = channel();
        // Ends with the process, which closes its output.
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            for report in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, orders, reports })
    }

    /// The next thing that it tells.
    pub(crate) fn report(&self, patience: Duration) -> io::Result<Report> {
        let late = |error| io::Error::other(format!("a process says nothing more: {error}"));
        self.reports.recv_timeout(patience).map_err(late)
    }

    /// Waits until it is there; gives its peer and its addresses.
    pub(crate) fn ready(&self, patience: Duration) -> io::Result<(String, Vec<String>)> {
        match self.report(patience)? {
            Report::Ready { peer, addresses } => Ok((peer, addresses)),
            other => Err(io::Error::other(format!("a process is not ready: {other:?}"))),
        }
    }

    /// Lets a dialler dial.
    pub(crate) fn dial(&mut self, order: &Dial) -> io::Result<()> {
        let line = serde_json::to_string(order)?;
        writeln!(self.orders, "{line}")
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
