//! One transfer that is disturbed.

use std::{
    collections::BTreeSet,
    fs, io,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Case, build,
    command::{Running, peerage},
    lines_of_the_table,
};
use crate::table::process::Player;

/// How much is transferred, over lines that need some fifteen seconds for it.
const BYTES: usize = 60_000_000;
const LINE: &str = "rate=40 queue=400";

/// When the transfer is disturbed: in the middle of it.
const DISTURBED_AT: u64 = BYTES as u64 / 6;

/// How long a hub may take until it is there.
const HUB_READY: Duration = Duration::from_secs(30);

/// How a transfer went.
pub(super) struct Outcome {
    identical: bool,
    /// How long after the network was back bytes came again.
    goes_on_after: Duration,
    /// The longest time without a byte, but for the disturbance itself.
    longest_stall: Duration,
    paths: BTreeSet<String>,
}

impl Outcome {
    pub(super) fn row(&self, name: &str) -> String {
        let same = if self.identical { "yes" } else { "NO" };
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        format!(
            "| {name} | yes | {same} | {:.1} | {:.1} | {} |",
            self.goes_on_after.as_secs_f64(),
            self.longest_stall.as_secs_f64(),
            paths.join(", ")
        )
    }
}

/// Transfers a file while it is disturbed.
pub(super) fn measure(case: &Case) -> io::Result<Outcome> {
    let lab = build(case.homes, &lines_of_the_table(LINE))?;
    let hub = Player::start(&lab, "relay", "hub", &[])?;
    let (_, hubs) = hub.ready(HUB_READY)?;
    let hubs = hubs.join(",");
    let (ann, bob) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let film = film();
    fs::write(ann.path().join("film"), &film)?;
    let share = Running::start(peerage(&lab, "b", ann.path(), &hubs).args(["share", "film"]))?;
    let link = share.wait_for("shared")?["link"].as_str().unwrap_or_default().to_owned();
    let get = Running::start(peerage(&lab, "a", bob.path(), &hubs).args(["get", &link]))?;
    let mut seen = Seen::default();
    while seen.bytes < DISTURBED_AT {
        seen.note(get.next()?);
    }
    (case.disturb)(&lab)?;
    let back = Instant::now();
    for event in get.waiting() {
        seen.note(event);
    }
    (seen.since, seen.longest) = (Some(back), seen.longest_before);
    let stopped_at = seen.bytes;
    let mut goes_on = None;
    while !seen.got {
        seen.note(get.next()?);
        if seen.bytes > stopped_at {
            goes_on.get_or_insert(back.elapsed());
        }
    }
    Ok(Outcome {
        identical: fs::read(bob.path().join("film"))? == film,
        goes_on_after: goes_on.unwrap_or_default(),
        longest_stall: seen.longest,
        paths: seen.paths,
    })
}

/// Bytes that are not the same everywhere.
fn film() -> Vec<u8> {
    let words = 0..BYTES as u64 / 8;
    words.flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

/// What the events of a get have told.
#[derive(Default)]
struct Seen {
    bytes: u64,
    got: bool,
    since: Option<Instant>,
    longest: Duration,
    /// Before the network was disturbed.
    longest_before: Duration,
    paths: BTreeSet<String>,
}

impl Seen {
    fn note(&mut self, (when, event): (Instant, Value)) {
        match event["event"].as_str() {
            Some("progress") => self.progress(when, event["bytes"].as_u64().unwrap_or(0)),
            Some("connected") => {
                let path = event["path"].as_str().unwrap_or_default();
                self.paths.extend(path.split(' ').next().map(str::to_owned));
            }
            Some("got") => self.got = true,
            _ => {}
        }
    }

    fn progress(&mut self, when: Instant, bytes: u64) {
        if bytes <= self.bytes {
            return;
        }
        self.bytes = bytes;
        if let Some(since) = self.since.replace(when) {
            self.longest = self.longest.max(when.saturating_duration_since(since));
        }
        if bytes < DISTURBED_AT {
            self.longest_before = self.longest;
        }
    }
}
