//! How many Mbit/s one stream carries: a pipe between two homes.

use std::{
    io::{self, Read as _, Write as _},
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    build,
    command::{Running, hub, peerage},
    lines_of_the_table,
};
use crate::table::options::Options;

/// How long a direct path may take to be found before what carries is measured.
const SETTLES: Duration = Duration::from_secs(6);

/// How much goes through.
const BYTES: usize = 120_000_000;

/// How often the peer is looked for: it has only just begun to announce itself.
const TRIES: usize = 5;

pub(super) fn print(options: &Options) -> io::Result<()> {
    let lossy = ["delay=25 loss=1 queue=4000", "delay=0", "delay=5"].map(str::to_owned);
    let fast = lines_of_the_table("rate=200 queue=2000");
    let paths = [
        ("direct, 50 ms, 1 % loss each way", ["none", "none"], &lossy),
        ("the same, where UDP is blocked", ["udpblock", "none"], &lossy),
        ("direct, 60 ms, 200 Mbit/s", ["cone", "cone"], &fast),
        ("relayed, 80 ms, 200 Mbit/s", ["sym", "sym"], &fast),
    ];
    println!("| one stream | Mbit/s: median | each | path |");
    println!("| --- | ---: | --- | --- |");
    for (name, homes, lines) in paths.into_iter().filter(|path| path.0.contains(&options.only)) {
        let runs: io::Result<Vec<_>> = (0..options.tries).map(|_| measure(homes, lines)).collect();
        match runs {
            Ok(runs) => println!("| {name} | {} |", row(runs)),
            Err(error) => println!("| {name} | {error} | | |"),
        }
    }
    Ok(())
}

/// The median, all of them, and the paths that were taken.
fn row(mut runs: Vec<(f64, String)>) -> String {
    runs.sort_by(|one, other| one.0.total_cmp(&other.0));
    let each: Vec<String> = runs.iter().map(|(rate, _)| format!("{rate:.0}")).collect();
    let mut paths: Vec<&str> = runs.iter().map(|(_, path)| path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let median = each.get(each.len() / 2).map_or("-", String::as_str);
    format!("{median} | {} | {}", each.join(", "), paths.join(", "))
}

/// How many Mbit/s go through, and by which path.
fn measure(homes: [&str; 2], lines: &[String; 3]) -> io::Result<(f64, String)> {
    let lab = build(homes, lines)?;
    let (ann, bob, helper) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
    let (_hub, hubs) = hub(&lab, helper.path())?;
    let up = Running::start(peerage(&lab, "a", bob.path(), &hubs).arg("up"))?;
    up.wait_for("listening")?;
    let mut listening = Pipe::start(peerage(&lab, "b", ann.path(), &hubs), &["listen"])?;
    let peer = listening.peer()?;
    let peerage = || peerage(&lab, "a", bob.path(), &hubs);
    let path = direct_path(&peerage, &peer)?;
    let mut connecting = Pipe::start(peerage(), &["connect", &peer])?;
    let started = Instant::now();
    connecting.write(BYTES)?;
    drop((connecting.end_input(), listening.end_input()));
    connecting.wait()?;
    listening.wait()?;
    let rate = BYTES as f64 * 8.0 / started.elapsed().as_secs_f64() / 1e6;
    Ok((rate, path))
}

/// Gives a direct path time to be found, and tells which path there is.
fn direct_path(peerage: &dyn Fn() -> Command, peer: &str) -> io::Result<String> {
    let ping = || {
        let pinged = Running::start(peerage().args(["ping", peer, "--count", "1"]))?;
        Ok::<_, io::Error>(pinged.wait_for("pong")?["path"].as_str().unwrap_or_default().to_owned())
    };
    let first = (0..TRIES).find_map(|_| ping().ok());
    first.ok_or_else(|| io::Error::other("the peer is not found"))?;
    std::thread::sleep(SETTLES);
    Ok(ping()?.split(' ').next().unwrap_or_default().to_owned())
}

/// One end of a pipe.
struct Pipe {
    child: Child,
    said: ChildStderr,
}

impl Pipe {
    fn start(mut peerage: Command, what: &[&str]) -> io::Result<Self> {
        let command = peerage.arg("pipe").args(what).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let said = child.stderr.take().ok_or_else(|| io::Error::other("no output"))?;
        Ok(Self { child, said })
    }

    /// Writes so many bytes; a failure tells what the pipe said.
    fn write(&mut self, bytes: usize) -> io::Result<()> {
        let block = vec![7; 1 << 20];
        let mut input = self.child.stdin.take().ok_or_else(|| io::Error::other("no input"))?;
        let written = (0..bytes / block.len()).try_for_each(|_| input.write_all(&block));
        self.child.stdin = Some(input);
        written.or_else(|_| self.wait())
    }

    fn end_input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for its end; a failure tells what it said.
    fn wait(&mut self) -> io::Result<()> {
        drop(self.end_input());
        let mut said = String::new();
        self.said.read_to_string(&mut said)?;
        match self.child.wait()?.success() {
            true => Ok(()),
            false => Err(io::Error::other(said.replace('\n', " "))),
        }
    }

    /// The peer that a listening pipe names.
    fn peer(&mut self) -> io::Result<String> {
        peer_in(&mut self.said)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The peer that a listening pipe names.
fn peer_in(said: &mut impl io::Read) -> io::Result<String> {
    let mut text = String::new();
    let mut byte = [0];
    loop {
        said.read_exact(&mut byte)?;
        text.push(char::from(byte[0]));
        let found = text
            .split(|c: char| !c.is_alphanumeric())
            .find(|word| word.starts_with("12D3KooW") && word.len() == 52);
        if let Some(peer) = found {
            return Ok(peer.to_owned());
        }
    }
}
