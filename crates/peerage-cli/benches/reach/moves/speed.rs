//! How many Mbit/s one stream carries: a pipe between two homes.

use std::{
    fs::File,
    io::{self, Write as _},
    process::Stdio,
    time::{Duration, Instant},
};

use super::{
    build,
    command::{Running, hub, peerage},
    lines_of_the_table,
};

/// How long a direct path may take to be found before what carries is measured.
const SETTLES: Duration = Duration::from_secs(6);

/// How much goes through.
const BYTES: usize = 120_000_000;

/// How often the peer is looked for: it has only just begun to announce itself.
const TRIES: usize = 5;

pub(super) fn print() -> io::Result<()> {
    let lossy = ["delay=25 loss=1 queue=4000", "delay=0", "delay=5"].map(str::to_owned);
    let fast = lines_of_the_table("rate=200 queue=2000");
    let paths = [
        ("direct, 50 ms, 1 % loss each way", ["none", "none"], &lossy),
        ("the same, where UDP is blocked", ["udpblock", "none"], &lossy),
        ("direct, 60 ms, 200 Mbit/s", ["cone", "cone"], &fast),
        ("relayed, 80 ms, 200 Mbit/s", ["sym", "sym"], &fast),
    ];
    println!("| one stream | Mbit/s | path |");
    println!("| --- | ---: | --- |");
    for (name, homes, lines) in paths {
        match measure(homes, lines) {
            Ok((rate, path)) => println!("| {name} | {rate:.0} | {path} |"),
            Err(error) => println!("| {name} | {error} | |"),
        }
    }
    Ok(())
}

fn measure(homes: [&str; 2], lines: &[String; 3]) -> io::Result<(f64, String)> {
    let lab = build(homes, lines)?;
    let (ann, bob, helper) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
    let (_hub, hubs) = hub(&lab, helper.path())?;
    let up = Running::start(peerage(&lab, "a", bob.path(), &hubs).arg("up"))?;
    up.wait_for("listening")?;
    let sink = File::create("/dev/null")?;
    let mut listen = peerage(&lab, "b", ann.path(), &hubs);
    let mut listening = listen
        .args(["pipe", "listen"])
        .stdin(Stdio::piped())
        .stdout(sink)
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = listening.stderr.take().ok_or_else(|| io::Error::other("no output"))?;
    let peer = peer_in(&mut said)?;
    // Time for a direct path to be found before it is measured.
    let ping = || {
        let ping = ["ping", &peer, "--count", "1"];
        let pinged = Running::start(peerage(&lab, "a", bob.path(), &hubs).args(ping))?;
        Ok::<_, io::Error>(pinged.wait_for("pong")?["path"].as_str().unwrap_or_default().to_owned())
    };
    let first = (0..TRIES).find_map(|_| ping().ok());
    first.ok_or_else(|| io::Error::other("the peer is not found"))?;
    std::thread::sleep(SETTLES);
    let path = ping()?;
    let mut connecting = peerage(&lab, "a", bob.path(), &hubs)
        .args(["pipe", "connect", &peer])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let started = Instant::now();
    let mut input = connecting.stdin.take().ok_or_else(|| io::Error::other("no input"))?;
    let block = vec![7; 1 << 20];
    for _ in 0..BYTES / block.len() {
        input.write_all(&block)?;
    }
    drop((input, listening.stdin.take()));
    connecting.wait()?;
    listening.wait()?;
    let rate = BYTES as f64 * 8.0 / started.elapsed().as_secs_f64() / 1e6;
    Ok((rate, path.split(' ').next().unwrap_or_default().to_owned()))
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
