//! A network namespace: what runs inside, and how it gets there.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write as _,
    os::fd::AsFd as _,
    process::{Command, Stdio},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::{Builder, Runtime};

/// A network namespace that `ip netns` knows by this name.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn named(name: String) -> Self {
        Self { name }
    }

    /// A command that runs inside, with mounts of its own.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::null());
        command
    }

    /// Runs something on a thread inside. Sockets that it opens stay there,
    /// wherever they are used later.
    pub(crate) fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        let run = || {
            enter(&self.name);
            inside()
        };
        std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| {
            std::panic::resume_unwind(panic);
        })
    }

    /// A runtime of one thread inside.
    pub(crate) fn runtime(&self) -> Runtime {
        let name = self.name.clone();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().on_thread_start(move || enter(&name));
        builder.build().unwrap()
    }

    /// Runs `ip` commands inside.
    pub(crate) fn configure(&self, commands: &[&str]) {
        let mut ip = Command::new("ip");
        ip.args(["-netns", &self.name, "-batch", "-"]).stdin(Stdio::piped());
        let mut ip = ip.stderr(Stdio::piped()).spawn().unwrap();
        ip.stdin.take().expect("piped").write_all(commands.join("\n").as_bytes()).unwrap();
        let output = ip.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {commands:?}: {errors}");
    }
}

/// Moves the calling thread into a namespace, for good.
fn enter(name: &str) {
    let namespace = File::open(format!("/run/netns/{name}")).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}
