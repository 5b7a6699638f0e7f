//! How many Mbit/s one stream carries: a pipe between two homes.

use std::{
    fs::File,
    io::{self, Write as _},
    process::Stdio,
    time::{Duration, Instant},
};

use super::{
    build,
    command::{Running, peerage},
};
use crate::table::process::Player;

/// How much goes through.
const BYTES: usize = 120_000_000;

/// How long a hub may take until it is there.
const HUB_READY: Duration = Duration::from_secs(30);

/// A path: between which homes, over which lines.
const PATHS: [(&str, [&str; 2], &str); 4] = [
    ("direct, 1 % loss each way", ["none", "none"], "loss=1 queue=4000"),
    ("direct, no loss, 200 Mbit/s", ["cone", "cone"], "rate=200 queue=2000"),
    ("relayed, no loss, 200 Mbit/s", ["sym", "sym"], "rate=200 queue=2000"),
    ("over TCP alone, 1 % loss each way", ["udpblock", "none"], "loss=1 queue=4000"),
];

pub(super) fn print() -> io::Result<()> {
    println!("| one stream, 60 to 80 ms there and back | Mbit/s | path |");
    println!("| --- | ---: | --- |");
    for (name, homes, line) in PATHS {
        match measure(homes, line) {
            Ok((rate, path)) => println!("| {name} | {rate:.0} | {path} |"),
            Err(error) => println!("| {name} | {error} | |"),
        }
    }
    Ok(())
}

fn measure(homes: [&str; 2], line: &str) -> io::Result<(f64, String)> {
    let lab = build(homes, line)?;
    let hub = Player::start(&lab, "relay", "hub", &[])?;
    let (_, hubs) = hub.ready(HUB_READY)?;
    let hubs = hubs.join(",");
    let (ann, bob) = (tempfile::tempdir()?, tempfile::tempdir()?);
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
    let ping = ["ping", &peer, "--count", "6"];
    let pinged = Running::start(peerage(&lab, "a", bob.path(), &hubs).args(ping))?;
    let mut path = String::new();
    for _ in 0..6 {
        path = pinged.wait_for("pong")?["path"].as_str().unwrap_or_default().to_owned();
    }
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
