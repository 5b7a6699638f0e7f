//! Runs JavaScript peers, from `tests/interop/js`, and reads what they print.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::skip;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/js");
const OLDEST_NODE: u32 = 20;
const LINE_TIMEOUT: Duration = Duration::from_secs(60);

/// A folder in which the packages of `tests/interop/js` are installed and
/// its scripts lie; made once for a lock file, under cargo's target folder.
/// `None`, after a line that says so, where Node.js is missing.
pub(crate) fn home(what: &str) -> Option<&'static Path> {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match HOME.get_or_init(|| install().map_err(|error| error.to_string())) {
        Ok(home) => Some(home),
        Err(why) => {
            skip(what, why);
            None
        }
    }
}

fn install() -> io::Result<PathBuf> {
    check_node()?;
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-js");
    std::fs::create_dir_all(&home)?;
    let lock = std::fs::File::create(home.join(".lock"))?;
    lock.lock()?;
    let wanted = std::fs::read(Path::new(SOURCES).join("package-lock.json"))?;
    let mark = home.join(".installed");
    if std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(home);
    }
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        std::fs::copy(Path::new(SOURCES).join(name), home.join(name))?;
    }
    let output = Command::new("npm").args(["ci", "--omit=dev"]).current_dir(&home).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("npm ci failed: {said}")));
    }
    std::fs::write(mark, wanted)?;
    Ok(home)
}

fn check_node() -> io::Result<()> {
    let missing = || io::Error::other(format!("Node.js {OLDEST_NODE} or newer is not on the PATH"));
    let output = Command::new("node").arg("--version").output().map_err(|_| missing())?;
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = version.trim().trim_start_matches('v').split('.').next();
    match major.and_then(|text| text.parse::<u32>().ok()) {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(missing()),
    }
}

/// A running script; it is killed when dropped.
pub(crate) struct Script {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Starts a script of `tests/interop/js` by its name. It is copied beside
    /// the installed packages, where Node.js looks for them.
    pub(crate) fn start(home: &Path, script: &str, arguments: &[&str]) -> Self {
        let copy = home.join(format!("{}-{script}", std::process::id()));
        std::fs::copy(Path::new(SOURCES).join(script), &copy).unwrap();
        let mut child = tokio::process::Command::new("node")
            .arg(copy)
            .args(arguments)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, lines }
    }

    /// The next line that the script prints.
    pub(crate) async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(LINE_TIMEOUT, self.lines.next_line())
            .await
            .expect("the script printed nothing in time")
            .expect("the script's output can be read");
        let line = line.expect("the script ended too early");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }

    /// The next line whose `event` is this; the ones before are passed over,
    /// but one that reports a failure fails the test.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self.line().await;
            if line["event"] == name {
                return line;
            }
            assert_ne!(line["event"], "failed", "{line}");
        }
    }

    /// Writes a line to the script's standard input.
    #[allow(dead_code, reason = "for scripts that take commands")]
    pub(crate) async fn tell(&mut self, line: &Value) {
        let input = self.input.as_mut().expect("the script's input is open");
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Ends the script by ending its input, and waits for it.
    pub(crate) async fn finish(mut self) {
        drop(self.input.take());
        let _ = tokio::time::timeout(LINE_TIMEOUT, self.child.wait()).await;
    }
}
