//! Progress: a bar where standard error is a terminal, a line now and then
//! where it is not.

use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::size::{amount, count};

/// How often a line is written where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows how far a transfer or an import is.
#[derive(Debug)]
pub(super) struct Progress {
    way: Way,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Silent,
    Lines,
    Bar,
}

impl Progress {
    pub(super) fn new(talks: bool, draws: bool) -> Self {
        let way = match (talks, draws) {
            (false, _) => Way::Silent,
            (true, false) => Way::Lines,
            (true, true) => Way::Bar,
        };
        Self { way, bar: None, last_line: Instant::now() }
    }

    /// So much was read and hashed.
    pub(super) fn importing(&mut self, files: u64, bytes: u64) {
        let text = format!("Reading: {}, {}", count(files, "file"), amount(bytes));
        match self.way {
            Way::Silent => {}
            Way::Lines => self.line(&text),
            Way::Bar => self.bar.get_or_insert_with(ProgressBar::new_spinner).set_message(text),
        }
    }

    /// A transfer of `total` bytes begins.
    pub(super) fn found(&mut self, name: &str, total: Option<u64>) {
        match self.way {
            Way::Silent => {}
            Way::Lines => say(&match total {
                Some(total) => format!("Getting {name}, {}", amount(total)),
                None => format!("Getting {name}"),
            }),
            Way::Bar => {
                self.clear();
                self.bar = Some(transfer_bar(total).with_message(name.to_owned()));
            }
        }
    }

    /// So much needs no transfer: it does not count for the rate.
    pub(super) fn resumed(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.reset_eta();
        }
    }

    /// A transfer has come so far.
    pub(super) fn advance(&mut self, bytes: u64, total: Option<u64>, rate: u64) {
        match (self.way, &self.bar) {
            (Way::Silent, _) => {}
            (Way::Lines, _) => self.line(&so_far(bytes, total, rate)),
            (Way::Bar, Some(bar)) => {
                if let Some(total) = total {
                    bar.set_length(total);
                }
                bar.set_position(bytes);
            }
            (Way::Bar, None) => self.bar = Some(transfer_bar(total)),
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Writes something above the bar.
    pub(super) fn above(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn line(&mut self, text: &str) {
        if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            say(text);
        }
    }
}

fn say(text: &str) {
    // When standard error is closed nobody misses the line.
    drop(writeln!(io::stderr(), "{text}"));
}

/// How far a transfer is, in words.
fn so_far(bytes: u64, total: Option<u64>, rate: u64) -> String {
    let Some(total) = total else {
        return format!("{}, {}/s", amount(bytes), amount(rate));
    };
    format!(
        "{} of {} ({} %), {}/s, {} left",
        amount(bytes),
        amount(total),
        u128::from(bytes) * 100 / u128::from(total.max(1)),
        amount(rate),
        left(total.saturating_sub(bytes), rate)
    )
}

fn transfer_bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{wide_msg} {bar:20} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {wide_msg} {decimal_bytes} {decimal_bytes_per_sec}",
        ),
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style)
}

/// How long `bytes` take at `rate`.
fn left(bytes: u64, rate: u64) -> String {
    match bytes.checked_div(rate) {
        Some(seconds) => indicatif::HumanDuration(Duration::from_secs(seconds)).to_string(),
        None => "unknown time".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_bytes_over_rate() {
        assert_eq!(left(100, 10), "10 seconds");
        assert_eq!(left(100, 0), "unknown time");
    }
}
