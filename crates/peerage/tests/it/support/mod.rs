//! What the tests stand on.

#[cfg(target_os = "linux")]
pub(crate) mod avahi;
pub(crate) mod blocks;
pub(crate) mod js;
pub(crate) mod kubo;
#[cfg(target_os = "linux")]
pub(crate) mod lab;
#[cfg(target_os = "linux")]
pub(crate) mod lan;
#[cfg(target_os = "linux")]
pub(crate) mod namespace;

use std::{
    io::Write as _,
    process::{Child, Command},
    time::Duration,
};

/// How long a test waits for what must come: far longer than it takes, and
/// short of the 120 s after which DNS records expire by themselves.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tells that a test is left out and why, on the real standard error, which
/// the harness does not swallow. Fails instead under `PEERAGE_REQUIRE_ALL=1`.
pub(crate) fn skip(what: &str, why: &str) {
    let required = std::env::var_os("PEERAGE_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "PEERAGE_REQUIRE_ALL=1, but {what} cannot run: {why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}

/// A network of the lab, as `lab up` builds it, or `None`, said aloud, where
/// the system does not permit it.
#[cfg(target_os = "linux")]
pub(crate) fn lab_or_skip(test: &str, topology: &[&str]) -> Option<lab::Lab> {
    match lab::Lab::up(topology) {
        Ok(lab) => Some(lab),
        Err(why @ lab::LabError::Unavailable(_)) => {
            skip(test, &why.to_string());
            None
        }
        Err(why @ lab::LabError::Failed(_)) => panic!("{why}"),
    }
}

/// A node's address on TCP, with its peer at the end.
pub(crate) fn tcp_address(node: &peerage::node::Node) -> peerage::Multiaddr {
    let addresses = node.listen_addresses();
    let tcp = addresses.iter().find(|address| address.protocol_stack().eq(["ip4", "tcp"]));
    tcp.expect("the node listens on TCP").clone().with(peerage::Protocol::P2p(node.peer_id()))
}

/// Waits for what must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let patient = tokio::time::timeout(PATIENCE, future).await;
    patient.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
