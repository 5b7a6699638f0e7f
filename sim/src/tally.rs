//! What became of look-ups.

use std::fmt;
use std::time::Duration;

/// How soon a look-up is to find what it looks for.
const IN_TIME: Duration = Duration::from_secs(10);

/// How one look-up ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// After this long.
    Found(Duration),
    /// Without the record, though both peers were there.
    Missed,
    /// Without the record, but one of the two vanished meanwhile: it does not
    /// count.
    Gone,
}

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    found: Vec<Duration>,
    missed: usize,
    gone: usize,
}

impl FromIterator<Outcome> for Tally {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut tally = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Found(time) => tally.found.push(time),
                Outcome::Missed => tally.missed += 1,
                Outcome::Gone => tally.gone += 1,
            }
        }
        tally.found.sort_unstable();
        tally
    }
}

impl Tally {
    fn all(&self) -> usize {
        self.found.len() + self.missed
    }

    fn in_time(&self) -> usize {
        self.found.iter().filter(|time| **time <= IN_TIME).count()
    }

    /// The time within which so many hundredths of those that were found were.
    fn within(&self, hundredths: usize) -> Duration {
        let place = (self.found.len() * hundredths).div_ceil(100).max(1) - 1;
        self.found.get(place).copied().unwrap_or_default()
    }

    /// Whether at least so many of a hundred were found in time.
    pub(crate) fn reaches(&self, hundredths: usize) -> bool {
        self.all() > 0 && self.in_time() * 100 >= self.all() * hundredths
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "of {} look-ups {} found within {} s, {} in all; median {} ms, 99 % {} ms, \
             worst {} ms; {} more lost a peer meanwhile",
            self.all(),
            self.in_time(),
            IN_TIME.as_secs(),
            self.found.len(),
            self.within(50).as_millis(),
            self.within(99).as_millis(),
            self.within(100).as_millis(),
            self.gone,
        )
    }
}
