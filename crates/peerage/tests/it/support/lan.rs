//! A local network of its own: hosts are network namespaces with a cable each
//! to one switch. Nothing of it touches the network of the machine.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::AsFd as _,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::{Builder, Runtime};

/// The name of a host's interface to the switch.
pub(crate) const CABLE: &str = "eth0";

/// A switch with hosts on it, removed on drop.
pub(crate) struct Lan {
    pub(crate) hosts: Vec<Host>,
    _switch: Namespace,
}

impl Lan {
    /// A network of so many hosts, or `None`, said aloud, where the system
    /// does not permit it.
    pub(crate) fn new(test: &str, hosts: u8) -> Option<Self> {
        let switch = match Namespace::new("switch") {
            Ok(switch) => switch,
            Err(why) => {
                super::skip(test, &format!("no network namespaces: {why}"));
                return None;
            }
        };
        switch.configure(&["link add br0 type bridge mcast_snooping 0", "link set br0 up"]);
        let hosts = (1..=hosts).map(|number| Host::new(number, &switch)).collect();
        Some(Self { hosts, _switch: switch })
    }
}

/// A host of a [`Lan`].
pub(crate) struct Host {
    number: u8,
    namespace: Namespace,
    runtime: Option<Runtime>,
}

impl Host {
    fn new(number: u8, switch: &Namespace) -> Self {
        let namespace = Namespace::new(&format!("host{number}")).unwrap();
        switch.configure(&[
            &format!("link add port{number} type veth peer name {CABLE} netns {}", namespace.name),
            &format!("link set port{number} master br0 up"),
        ]);
        let runtime = Some(namespace.runtime());
        let host = Self { number, namespace, runtime };
        host.namespace.configure(&["link set lo up"]);
        host.configure();
        host
    }

    fn configure(&self) {
        self.namespace.configure(&[
            &format!("link set {CABLE} up"),
            &format!("addr replace {}/24 dev {CABLE}", self.ipv4()),
            &format!("addr replace {}/64 dev {CABLE} nodad", self.ipv6()),
        ]);
    }

    pub(crate) fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, 0, self.number)
    }

    pub(crate) fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, self.number.into())
    }

    /// Takes the host's interface down, or up again with its addresses.
    pub(crate) fn set_up(&self, up: bool) {
        if up {
            self.configure();
        } else {
            self.namespace.configure(&[&format!("link set {CABLE} down")]);
        }
    }

    /// Replaces the host's IPv4 address.
    pub(crate) fn change_ipv4(&self, from: Ipv4Addr, to: Ipv4Addr) {
        self.namespace.configure(&[
            &format!("addr del {from}/24 dev {CABLE}"),
            &format!("addr add {to}/24 dev {CABLE}"),
        ]);
    }

    /// Replaces both addresses of the host, as in another network.
    #[allow(dead_code, reason = "for the tests of the command")]
    pub(crate) fn move_to(&self, number: u8) {
        self.namespace.configure(&[
            &format!("addr flush dev {CABLE}"),
            &format!("addr add 10.9.0.{number}/24 dev {CABLE}"),
            &format!("addr add fd00:9::{number:x}/64 dev {CABLE} nodad"),
        ]);
    }

    /// Runs a future on a thread inside the host. What it spawns stays there,
    /// and so do its sockets, wherever they are used later.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let runtime = self.runtime.as_ref().expect("there until the host is dropped");
        runtime.spawn(future).await.unwrap()
    }

    /// A command that runs inside the host, with mounts of its own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace.name, program]).stdin(Stdio::null());
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The ordinary drop waits, which tokio forbids inside a test's runtime.
            runtime.shutdown_background();
        }
    }
}

/// A network namespace under a name that no other process or test has.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new(role: &str) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        SWEPT.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("peerage-{}-{number}-{role}", std::process::id());
        ip(&["netns", "add", &name], "")?;
        Ok(Self { name })
    }

    /// Runs `ip` commands inside.
    fn configure(&self, commands: &[&str]) {
        ip(&["-netns", &self.name, "-batch", "-"], &commands.join("\n")).unwrap();
    }

    /// A runtime of one thread inside.
    fn runtime(&self) -> Runtime {
        let path = format!("/run/netns/{}", self.name);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().on_thread_start(move || {
            let namespace = File::open(&path).unwrap();
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        });
        builder.build().unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&["netns", "delete", &self.name], "");
    }
}

/// Removes the namespaces of test processes that were killed.
fn sweep() {
    let Ok(entries) = fs::read_dir("/run/netns") else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = name.strip_prefix("peerage-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = ip(&["netns", "delete", &name], "");
        }
    }
}

fn ip(arguments: &[&str], input: &str) -> Result<(), String> {
    let run = || -> std::io::Result<Output> {
        let mut command = Command::new("ip");
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().expect("piped").write_all(input.as_bytes())?;
        child.wait_with_output()
    };
    let output = run().map_err(|error| format!("cannot run `ip` (iproute2): {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
