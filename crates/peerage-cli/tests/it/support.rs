//! Real `peerage` processes on homes in temporary folders.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How many events of a process can wait to be read by the test.
const EVENTS: usize = 100_000;

/// The command under test.
pub(crate) const PEERAGE: &str = env!("CARGO_BIN_EXE_peerage");

/// Bytes that are not the same everywhere.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A home of its own, and a folder to work in.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder to work in, beside the home.
    pub(crate) fn work(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The command, on the loopback interface alone.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.settle(Command::new(PEERAGE));
        command.env("PEERAGE_LISTEN", "/ip4/127.0.0.1/tcp/0").env("PEERAGE_NO_DISCOVERY", "1");
        command
    }

    /// Lets a command that runs [`PEERAGE`] use this home.
    pub(crate) fn settle(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env("PEERAGE_HOME", self.path())
            .env_remove("PEERAGE_LISTEN")
            .env_remove("PEERAGE_NO_DISCOVERY")
            .env_remove("PEERAGE_IDENTITY")
            .env_remove("PEERAGE_PEERS")
            .env_remove("PEERAGE_HUBS")
            .env_remove("PEERAGE_ZONES")
            .env_remove("PEERAGE_MAINLINE")
            .env_remove("PEERAGE_NO_PORT_MAPPING")
            .env_remove("PEERAGE_PASSPHRASE_FILE");
        command
    }

    /// Runs a command to its end, with `input` on standard input.
    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, arguments: &[S], input: &[u8]) -> Finished {
        let mut running = Running::of(self.command().args(arguments));
        running.write(input);
        running.close_input();
        running.finish()
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Finished {
        self.run_with(arguments, b"")
    }

    /// Runs a command that must end with exit code 0, and gives its output.
    pub(crate) fn ok<S: AsRef<OsStr>>(&self, arguments: &[S]) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.code, Some(0), "{}", finished.errors);
        finished.text()
    }

    /// Starts a command with `--json`.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Events {
        Events::of(self.command().arg("--json").args(arguments))
    }

    /// Starts a command whose standard input and output are bytes.
    pub(crate) fn start_bytes<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Running {
        Running::of(self.command().args(arguments))
    }

    /// Starts `up`, and gives the address of the node.
    pub(crate) fn up(&self) -> (Events, String) {
        let mut up = self.start(&["up"]);
        let listening = up.wait_for("listening");
        let address = format!(
            "{}/p2p/{}",
            listening["addresses"][0].as_str().unwrap(),
            listening["peer"].as_str().unwrap()
        );
        (up, address)
    }
}

/// What a process left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) output: Vec<u8>,
    pub(crate) errors: String,
}

impl Finished {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.output.clone()).unwrap()
    }
}

/// A process whose output is bytes; killed when dropped.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<JoinHandle<Vec<u8>>>,
    errors: Lines,
}

impl Running {
    fn of(command: &mut Command) -> Self {
        let mut child = spawn(command);
        let mut stdout = child.stdout.take().unwrap();
        let output = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let errors = Lines::of(child.stderr.take().unwrap());
        Self { input: child.stdin.take(), child, output: Some(output), errors }
    }

    /// Writes to its standard input; a process that has ended takes nothing.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ended = self.input.as_mut().unwrap().write_all(bytes);
    }

    pub(crate) fn close_input(&mut self) {
        drop(self.input.take());
    }

    /// Waits for a line on standard error that contains `text`.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        self.errors.wait(|line| line.contains(text))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        let status = wait(&mut self.child);
        let output = self.output.take().unwrap().join().unwrap();
        Finished { code: status.code(), output, errors: self.errors.rest() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A process that tells what happens in JSON; killed when dropped.
pub(crate) struct Events {
    child: Child,
    lines: Lines,
    errors: Lines,
}

impl Events {
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = spawn(command);
        let lines = Lines::of(child.stdout.take().unwrap());
        let errors = Lines::of(child.stderr.take().unwrap());
        Self { child, lines, errors }
    }

    /// Waits for an event.
    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        self.wait_until(event, |_| true)
    }

    /// Waits for an event that is as wanted.
    pub(crate) fn wait_until(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = |line: &str| {
            let line = parse(line);
            line["event"] == event && wanted(&line)
        };
        parse(&self.lines.wait(found))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and gives its exit code with the events not yet read.
    pub(crate) fn finish(mut self) -> (Option<i32>, Vec<Value>) {
        let status = wait(&mut self.child);
        let events = self.lines.rest().lines().map(parse).collect();
        let errors = self.errors.rest();
        assert!(!errors.contains("panicked"), "{errors}");
        (status.code(), events)
    }

    /// Ends it by Ctrl-C.
    pub(crate) fn interrupt(self) -> (Option<i32>, Vec<Value>) {
        self.signal(Signal::INT);
        self.finish()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))
}

/// Lines that a thread reads, so that a test can stop waiting.
struct Lines {
    receiver: Receiver<String>,
    read: Vec<String>,
}

impl Lines {
    fn of(stream: impl std::io::Read + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(EVENTS);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { receiver, read: Vec::new() }
    }

    fn wait(&mut self, found: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(line) if found(&line) => return line,
                Ok(line) => self.read.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("no such line; read: {:#?}", self.read),
                Err(RecvTimeoutError::Disconnected) => panic!("ended; read: {:#?}", self.read),
            }
        }
    }

    fn rest(&mut self) -> String {
        self.receiver.iter().map(|line| line + "\n").collect()
    }
}

fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            end(child);
            panic!("the process did not end");
        }
        // The standard library waits for a child without a limit or not at all.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn end(child: &mut Child) {
    let _ended = child.kill();
    let _reaped = child.wait();
}
