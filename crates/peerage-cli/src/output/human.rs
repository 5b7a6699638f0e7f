//! Events as text for people.

use std::io::{self, Write as _};

use super::{
    Qr, clean, lines,
    progress::Progress,
    qr,
    size::{amount, count, rate, seconds},
};
use crate::{
    event::{Diagnosis, Event, FindingLine, Got, HubLine, PeerLine, RoleLine, Shared, Standing},
    settings::{Settings, Voice},
};

/// Shows events as text.
#[derive(Debug)]
pub(crate) struct Human {
    progress: Progress,
    talks: bool,
    verbose: bool,
    colours: bool,
    /// Standard output takes colours.
    paints: bool,
    qr_columns: Option<usize>,
}

impl Human {
    pub(super) fn new(settings: &Settings, qr: Qr) -> Self {
        let talks = settings.voice == Voice::Talkative;
        Self {
            progress: Progress::new(talks, settings.draws),
            talks,
            verbose: settings.verbose > 0,
            colours: settings.colours,
            paints: settings.colours && settings.shows,
            qr_columns: qr_columns(qr, settings.shows && talks),
        }
    }

    pub(super) fn clear(&mut self) {
        self.progress.clear();
    }

    /// Shows one event.
    ///
    /// # Errors
    ///
    /// When standard output is closed or full; standard error may be closed.
    pub(super) fn show(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Importing { files, bytes } => self.progress.importing(*files, *bytes),
            Event::Found { name, bytes } => self.progress.found(&clean(name), *bytes),
            Event::Verified { bytes } => self.verified(*bytes),
            Event::Progress { bytes, total, rate, .. } => {
                self.progress.advance(*bytes, *total, *rate);
            }
            Event::Error(failure) => self.tell(lines(failure).trim_end()),
            Event::Interrupted { resume } => self.interrupted(resume.as_deref()),
            Event::Shared(shared) => return self.shared(shared),
            Event::Got(got) => return self.got(got),
            other => return self.line(other),
        }
        Ok(())
    }

    /// The events that are a line each.
    fn line(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Hub(hub) = event {
            self.tell(&hub_lines(hub));
        }
        if let Some(result) = result_line(event) {
            self.progress.clear();
            return super::write_out(format!("{result}\n").as_bytes());
        }
        match event {
            Event::Warning { message } => self.warn(message),
            Event::FileChanged { reason, .. } => self.warn(reason),
            Event::Connecting { .. } | Event::Served { .. } if !self.verbose => {}
            other => {
                if let Some(text) = chatter_line(other) {
                    self.tell(&text);
                }
            }
        }
        Ok(())
    }

    fn verified(&mut self, bytes: u64) {
        if bytes > 0 {
            self.tell(&format!("Continuing: {} were there and are verified", amount(bytes)));
        }
        self.progress.resumed(bytes);
    }

    fn interrupted(&mut self, resume: Option<&str>) {
        self.progress.clear();
        if let Some(command) = resume {
            self.tell(&format!("Stopped. What is there is kept; continue with:\n  {command}"));
        }
    }

    fn shared(&mut self, shared: &Shared) -> io::Result<()> {
        self.progress.clear();
        self.tell(&format!(
            "Sharing {}: {}, {} (read and hashed in {})",
            clean(&shared.name),
            count(shared.files, "file"),
            amount(shared.bytes),
            seconds(shared.milliseconds)
        ));
        let code = self.qr_columns.and_then(|columns| qr::draw(&shared.qr, columns, self.paints));
        if let Some(code) = code {
            super::write_out(format!("{code}\n").as_bytes())?;
        }
        super::write_out(format!("{}\n", shared.link).as_bytes())?;
        if let Some(http) = &shared.http {
            self.tell(&format!("Also at http://{http}/ipfs/{}", shared.cid));
        }
        self.tell(&format!(
            "On the other machine: peerage get '{}'\nServing until Ctrl-C",
            shared.link
        ));
        Ok(())
    }

    fn got(&mut self, got: &Got) -> io::Result<()> {
        self.progress.clear();
        let kept = match got.resumed {
            0 => String::new(),
            bytes => format!(", {} of it from before", amount(bytes)),
        };
        self.tell(&format!(
            "Got {}, {}{kept}, verified, in {} ({})",
            count(got.files, "file"),
            amount(got.bytes),
            seconds(got.milliseconds),
            rate(got.bytes.saturating_sub(got.resumed), got.milliseconds)
        ));
        super::write_out(format!("{}\n", clean(&got.path)).as_bytes())
    }

    fn warn(&self, message: &str) {
        let label = if self.colours { "\x1b[1;33mwarning:\x1b[0m" } else { "warning:" };
        // Warnings are for quiet runs too: they say what may go wrong later.
        self.progress.above(|| drop(writeln!(io::stderr(), "{label} {}", clean(message))));
    }

    fn tell(&self, text: &str) {
        if self.talks {
            // When standard error is closed nobody misses the line.
            self.progress.above(|| drop(writeln!(io::stderr(), "{text}")));
        }
    }
}

/// How wide a QR code may be; `None` for no code at all.
fn qr_columns(qr: Qr, terminal: bool) -> Option<usize> {
    match qr {
        Qr::Never => None,
        Qr::Always => Some(usize::MAX),
        Qr::Auto if terminal => Some(usize::from(console::Term::stdout().size().1)),
        Qr::Auto => None,
    }
}

/// What belongs on standard output.
fn result_line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Added { path, cid, .. } => format!("{cid} {}", clean(path)),
        Event::Exported { cid, .. } | Event::Unshared { cid, .. } => cid.clone(),
        Event::Imported { roots, .. } => roots.join("\n"),
        Event::Role(role) => role_lines(role),
        Event::Peer(peer) => peer_line(peer),
        Event::Nearby { peer, name, os, version, addresses } => {
            let about = [name, os, version].map(|text| clean(text)).join("  ");
            format!("{peer}  {about}{}", below(addresses))
        }
        Event::Finding(finding) => finding_line(finding),
        Event::Diagnosis(diagnosis) => diagnosis_line(diagnosis),
        Event::Pong { peer, round, milliseconds, path } => {
            format!("{round}: {peer} answered in {milliseconds:.2} ms over {}", clean(path))
        }
        Event::Identity { name, peer, kind, passphrase, in_use } => {
            let star = if *in_use { '*' } else { ' ' };
            let lock = if *passphrase { "  (passphrase)" } else { "" };
            format!("{star} {}  {peer}  {kind}{lock}", clean(name))
        }
        Event::Step { text } => text.clone(),
        Event::Hub(hub) => hub.addresses.join("\n"),
        _ => return None,
    })
}

/// A role and its question, and below it what runs, what could, and what is to
/// come, as far as there is any.
fn role_lines(role: &RoleLine) -> String {
    let idle: Vec<String> =
        role.ways.iter().filter(|way| !role.running.contains(way)).cloned().collect();
    let parts = [("runs", &role.running), ("can run", &idle), ("not yet", &role.not_yet)];
    let parts = parts.iter().filter(|(_, ways)| !ways.is_empty());
    let below: String =
        parts.map(|(what, ways)| format!("\n  {what:<8}{}", clean(&ways.join(", ")))).collect();
    format!("{:<16}{}{below}", clean(&role.role), clean(&role.question))
}

fn finding_line(finding: &FindingLine) -> String {
    let FindingLine { peer, way, milliseconds, .. } = finding;
    let signed = if finding.signed { "  signed" } else { "" };
    let suggested = if finding.suggested { "  (at hand; it may not have it)" } else { "" };
    let addresses = below(&finding.addresses);
    format!("{peer}  {way}  {milliseconds:.0} ms{signed}{suggested}{addresses}")
}

fn diagnosis_line(diagnosis: &Diagnosis) -> String {
    let standing = match diagnosis.standing {
        Standing::Good => "ok   ",
        Standing::Limited => "note ",
        Standing::Bad => "FAULT",
    };
    format!("{standing}  {}: {}", clean(&diagnosis.topic), clean(&diagnosis.text))
}

/// Addresses, a line each.
fn below(addresses: &[String]) -> String {
    addresses.iter().map(|address| format!("\n  {}", clean(address))).collect()
}

/// What there is besides the addresses, which go to standard output.
fn hub_lines(hub: &HubLine) -> String {
    let mut text = format!("Running a hub as {}", hub.peer);
    for (what, places) in [("Relay", &hub.relay), ("Zone", &hub.zone)] {
        if !places.is_empty() {
            text.push_str(&format!("\n  {what} at {}", places.join(", ")));
        }
    }
    let metrics = hub.metrics.iter().map(|place| format!("\n  http://{place}/metrics"));
    text.extend(metrics);
    text + "\nOther peers use it by --hub and one of these addresses:"
}

fn peer_line(peer: &PeerLine) -> String {
    let round = peer.milliseconds.map_or_else(String::new, |value| format!("  {value:.1} ms"));
    format!(
        "{}  {}  {}  {}{round}",
        peer.peer,
        peer.direction,
        clean(&peer.path),
        clean(&peer.agent)
    )
}

/// What belongs on standard error.
fn chatter_line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Listening { peer, addresses, http } => {
            let http = http.iter().map(|address| format!("\n  http://{address}"));
            format!("Listening as {peer}\n  {}{}", addresses.join("\n  "), http.collect::<String>())
        }
        Event::Connecting { peer } => format!("Connecting to {peer}"),
        Event::Connected { peer, path, exchange } => {
            format!("Connected to {peer} over {}, {}", clean(path), clean(exchange))
        }
        Event::ProviderLost { peer, reason, again } => {
            let next = if *again { "; trying again" } else { "" };
            format!("Lost {peer}: {}{next}", clean(reason))
        }
        Event::TakenOver { from, to } => format!("{to} takes over what {from} was slow with"),
        Event::Served { peer, address, exchange, bytes, complete, .. } => {
            let who = match (peer, address) {
                (Some(peer), _) => peer.clone(),
                (None, Some(address)) => format!("somebody at {}", clean(address)),
                (None, None) => String::from("somebody on this machine"),
            };
            let part = if *complete { "" } else { ", broken off" };
            format!("{who} got {} over {}{part}", amount(*bytes), clean(exchange))
        }
        Event::Exported { blocks, bytes, file, .. } => {
            format!("Wrote {}, {}, to {}", count(*blocks, "block"), amount(*bytes), clean(file))
        }
        Event::WayFailed { way, reason, milliseconds } => {
            format!("{way}: {} (after {milliseconds:.0} ms)", clean(reason))
        }
        Event::WayEnded { way, findings, milliseconds } => {
            format!("{way}: {} within {milliseconds:.0} ms", count(*findings as u64, "finding"))
        }
        Event::PipeListening { command, .. } => format!("On the other machine: {command}"),
        Event::PipeForwarding { address, peer } => format!("Forwarding {address} to {peer}"),
        Event::PipeOpened { peer } => format!("Connected with {peer}"),
        Event::PipeClosed { peer, sent, received } => {
            format!("Closed {peer}: {} sent, {} received", amount(*sent), amount(*received))
        }
        _ => return None,
    })
}
