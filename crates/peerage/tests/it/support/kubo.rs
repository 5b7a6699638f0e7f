//! Kubo, the IPFS of the Go world, as a process of `tests/interop/kubo`.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use peerage::{Multiaddr, PeerId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

use super::{skip, soon};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../peerage/tests/interop/kubo");

/// A running Kubo with an empty repository; it ends with this.
pub(crate) struct Kubo {
    pub(crate) peer: PeerId,
    pub(crate) addresses: Vec<Multiaddr>,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
    folder: TempDir,
}

impl Kubo {
    /// Starts it, or `None`, said aloud, where it cannot run. It asks nobody
    /// but those that it is connected to.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        Self::start_routing(test, "none").await
    }

    /// As [`start`](Self::start), with one of Kubo's kinds of routing.
    pub(crate) async fn start_routing(test: &str, routing: &str) -> Option<Self> {
        let python = python(test)?;
        let folder = tempfile::tempdir().unwrap();
        let mut process = tokio::process::Command::new(python)
            .arg(Path::new(SOURCES).join("kubo.py"))
            .arg(folder.path().join("repo"))
            .arg(routing)
            // It leaves a log where it runs.
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let identity = read(&mut lines).await;
        let addresses = identity["addresses"].as_array().unwrap().iter();
        Some(Self {
            peer: text(&identity["id"]).parse().unwrap(),
            addresses: addresses.map(|address| text(address).parse().unwrap()).collect(),
            input,
            lines,
            _process: process,
            folder,
        })
    }

    /// Where its files may be put.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets it connect to a peer.
    pub(crate) async fn connect(&mut self, address: &Multiaddr) {
        let answer = self.ask(json!(["connect", address])).await;
        assert_eq!(answer["code"], 0, "Kubo could not connect to {address}");
    }

    /// Lets it add a file or folder; the root's CID.
    pub(crate) async fn add(&mut self, path: &Path) -> String {
        text(&self.ask(json!(["add", path])).await["cid"]).to_owned()
    }

    /// Lets it find a peer; nowhere when it cannot.
    pub(crate) async fn find(&mut self, peer: PeerId) -> Vec<Multiaddr> {
        let answer = self.ask(json!(["find", peer.to_base58()])).await;
        let addresses = answer["addresses"].as_array().unwrap().iter();
        addresses.map(|address| text(address).parse().unwrap()).collect()
    }

    /// Lets it get a file or folder from those it is connected to, or finds.
    pub(crate) async fn get(&mut self, cid: &str) -> PathBuf {
        let path = self.folder().join(cid);
        let answer = self.ask(json!(["get", cid, path])).await;
        assert_eq!(answer["code"], 0, "Kubo could not get {cid}");
        path
    }

    async fn ask(&mut self, command: Value) -> Value {
        self.input.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        read(&mut self.lines).await
    }
}

async fn read(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = soon("Kubo's answer", lines.next_line()).await.unwrap();
    serde_json::from_str(&line.expect("Kubo ended early")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text"))
}

/// The Python that has Kubo; installed once, under cargo's target folder.
fn python(test: &str) -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| install().map_err(|error| error.to_string()));
    python.as_deref().inspect_err(|why| skip(test, &format!("Kubo: {why}"))).ok()
}

fn install() -> io::Result<PathBuf> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(io::Error::other("its package is for Linux on x86-64"));
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-kubo");
    std::fs::create_dir_all(&home)?;
    let lock = std::fs::File::create(home.join("lock"))?;
    lock.lock()?;
    let (environment, mark) = (home.join("environment"), home.join("installed"));
    let python = environment.join("bin/python");
    let requirements = Path::new(SOURCES).join("requirements.txt");
    let wanted = std::fs::read(&requirements)?;
    if std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r"];
    run(Command::new(&python).args(install).arg(requirements))?;
    std::fs::write(mark, wanted)?;
    Ok(python)
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?} failed: {said}")))
}
