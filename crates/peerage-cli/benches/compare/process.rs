//! Processes that are measured: wall and CPU seconds, and peak memory.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// How often peak memory is read: it only grows, so little is missed.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// What a process used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// From its start to its end, in seconds.
    pub(crate) wall: f64,
    /// In user and system mode, its children's included, in seconds.
    pub(crate) cpu: f64,
    /// The largest resident set, in bytes.
    pub(crate) memory: u64,
}

/// A process being measured; killed when dropped.
pub(crate) struct Measured {
    child: Child,
    started: Instant,
    lines: Option<BufReader<ChildStdout>>,
    memory: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Measured {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let lines = child.stdout.take().map(BufReader::new);
        let (memory, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watcher = std::thread::spawn({
            let (id, memory, ended) = (child.id(), Arc::clone(&memory), Arc::clone(&ended));
            move || {
                while !ended.load(Ordering::Relaxed) {
                    memory.fetch_max(peak(id), Ordering::Relaxed);
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        });
        Ok(Self { child, started, lines, memory, ended, watcher: Some(watcher) })
    }

    /// The next line of output that contains `text`, and when it came.
    pub(crate) fn wait_for(&mut self, text: &str) -> io::Result<(String, f64)> {
        let reader = self.lines.as_mut().ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            if line.contains(text) {
                return Ok((line, self.started.elapsed().as_secs_f64()));
            }
            line.clear();
        }
        Err(io::Error::other(format!("it ended before it said {text:?}")))
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Ends it by a signal, however it likes to end.
    pub(crate) fn stop(mut self, signal: Signal) -> io::Result<Usage> {
        self.memory.fetch_max(peak(self.child.id()), Ordering::Relaxed);
        self.signal(signal)?;
        self.wait().map(|(usage, _)| usage)
    }

    /// Waits for its good end.
    pub(crate) fn finish(mut self) -> io::Result<Usage> {
        let (usage, status) = self.wait()?;
        if status.success() {
            Ok(usage)
        } else {
            Err(io::Error::other(format!("it ended with {status}")))
        }
    }

    fn wait(&mut self) -> io::Result<(Usage, ExitStatus)> {
        // A full pipe would hold it up.
        let drain = self.lines.take().map(|lines| {
            std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop))
        });
        let process = WaitId::Pid(Pid::from_child(&self.child));
        waitid(process, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        let wall = self.started.elapsed().as_secs_f64();
        let cpu = cpu(self.child.id())?;
        let status = self.child.wait()?;
        self.ended.store(true, Ordering::Relaxed);
        if let Some(drain) = drain {
            drain.join().map_err(|_| io::Error::other("the reader panicked"))?;
        }
        Ok((Usage { wall, cpu, memory: self.memory.load(Ordering::Relaxed) }, status))
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(watcher) = self.watcher.take() {
            drop(watcher.join());
        }
    }
}

/// The largest resident set so far, in bytes; 0 when it has ended.
fn peak(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The CPU seconds of a process that has ended and was not yet reaped, and of
/// those children that it reaped itself.
fn cpu(id: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u32 = after_name
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u32>().ok())
        .sum();
    // The unit of /proc on every Linux.
    Ok(f64::from(ticks) / 100.0)
}
