//! A local network of its own: hosts with a cable each to one switch. Nothing
//! of it touches the network of the machine.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    process::Command,
};

use tokio::runtime::Runtime;

use super::{lab::Lab, namespace::Namespace};

/// The name of a host's interface to the switch.
pub(crate) const CABLE: &str = "eth0";

/// A switch with hosts on it, removed on drop.
pub(crate) struct Lan {
    // Dropped in this order.
    pub(crate) hosts: Vec<Host>,
    _lab: Lab,
}

impl Lan {
    /// A network of so many hosts, or `None`, said aloud, where the system
    /// does not permit it.
    pub(crate) fn new(test: &str, hosts: u8) -> Option<Self> {
        let lab = super::lab_or_skip(test, &["lan", &hosts.to_string()])?;
        let hosts = (1..=hosts).map(|number| Host::new(number, &lab)).collect();
        Some(Self { hosts, _lab: lab })
    }
}

/// A host of a [`Lan`].
pub(crate) struct Host {
    number: u8,
    namespace: Namespace,
    runtime: Option<Runtime>,
}

impl Host {
    fn new(number: u8, lab: &Lab) -> Self {
        let namespace = lab.host(&format!("h{number}"));
        let runtime = Some(namespace.runtime());
        Self { number, namespace, runtime }
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
        self.namespace.command(program)
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
