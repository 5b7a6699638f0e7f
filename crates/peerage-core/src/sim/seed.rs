//! Where all chance of a run comes from.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use super::Rng;

/// The seed of a run. As text it is a decimal number; tests take it from the
/// environment (`PEERAGE_SEED`) to repeat a run that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// A generator that gives the same numbers each time.
    #[must_use]
    pub fn chance(self) -> Rng {
        Rng::with_seed(self.0)
    }

    /// Runs something, and prints this seed to the standard error if it panics.
    pub fn hold<T>(self, run: impl FnOnce() -> T) -> T {
        let mut held = Held { seed: self, ended: false };
        let outcome = run();
        held.ended = true;
        outcome
    }
}

/// Says the seed when it is dropped before its time.
struct Held {
    seed: Seed,
    ended: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.ended {
            eprintln!("the simulation failed; repeat it with PEERAGE_SEED={}", self.seed);
        }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.trim().parse().map(Self)
    }
}
