//! Avahi, the DNS-SD responder and browser of Linux desktops, inside a host.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{Process, lan::Host};

/// A message bus open to all that its tests start.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>
"#;

const CONFIG: &str = "[server]\nhost-name=HOST\nuse-ipv4=yes\nuse-ipv6=yes\n\
                      [publish]\npublish-workstation=no\n";

/// A running avahi with a message bus of its own.
pub(crate) struct Avahi<'a> {
    host: &'a Host,
    folder: TempDir,
    // Dropped in this order.
    _daemon: Process,
    _bus: Process,
}

impl<'a> Avahi<'a> {
    /// Starts it, or `None`, said aloud, where it is not installed.
    pub(crate) fn start(test: &str, host: &'a Host) -> Option<Self> {
        for program in ["avahi-daemon", "avahi-browse", "avahi-publish", "dbus-daemon"] {
            let found = Command::new(program).arg("--version").output();
            if let Err(error) = found {
                super::skip(test, &format!("{program}: {error} (Debian: avahi-utils, dbus)"));
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let bus = start_bus(host, folder.path());
        let daemon = start_daemon(host, folder.path());
        Some(Self { host, folder, _daemon: daemon, _bus: bus })
    }

    /// One of its tools, inside the host.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.host.command(program);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", bus_address(self.folder.path()));
        command
    }
}

fn bus_address(folder: &Path) -> String {
    format!("unix:path={}", folder.join("bus").display())
}

fn start_bus(host: &Host, folder: &Path) -> Process {
    let socket = folder.join("bus");
    let config = folder.join("bus.conf");
    std::fs::write(&config, BUS.replace("SOCKET", &socket.display().to_string())).unwrap();
    let mut command = host.command("dbus-daemon");
    command.arg(format!("--config-file={}", config.display()));
    command.args(["--nofork", "--nopidfile", "--print-address"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut bus = Process::start(&mut command);
    // It prints its address once it listens.
    let mut address = String::new();
    BufReader::new(bus.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.starts_with("unix:"), "dbus-daemon did not start: {address:?}");
    bus
}

fn start_daemon(host: &Host, folder: &Path) -> Process {
    let config = folder.join("avahi.conf");
    std::fs::write(&config, CONFIG.replace("HOST", "avahi-host")).unwrap();
    std::fs::create_dir_all("/run/avahi-daemon").unwrap();
    // The daemon's folder is covered, so that it meets no other daemon's files.
    let script = "mount -t tmpfs tmpfs /run/avahi-daemon && \
                  exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f \"$0\"";
    let mut command = host.command("sh");
    command.args(["-c", script]).arg(config).stderr(Stdio::piped());
    command.env("DBUS_SYSTEM_BUS_ADDRESS", bus_address(folder));
    let mut daemon = Process::start(&mut command);
    let mut log = BufReader::new(daemon.0.stderr.take().unwrap()).lines();
    let started = log.any(|line| line.unwrap().contains("Server startup complete"));
    assert!(started, "avahi-daemon did not start");
    // Reads on, or the daemon would end for a broken pipe.
    std::thread::spawn(move || log.for_each(drop));
    daemon
}
