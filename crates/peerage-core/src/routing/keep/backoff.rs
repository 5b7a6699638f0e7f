//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// The pauses after the first failures, in seconds; later ones are as the last.
/// Short for as long as people wait for a network to be back, and because a dial
/// that hangs sends its first packet again ever more seldom; then seldom enough
/// that whoever is away for days costs nothing.
const PAUSES: [u64; 11] = [1, 1, 2, 2, 2, 2, 2, 2, 5, 15, 60];

/// The pauses between tries of the same thing: short at first, then longer.
///
/// ```
/// use std::time::Duration;
/// use peerage_core::routing::keep::Backoff;
///
/// let mut pauses = Backoff::default();
/// assert_eq!(pauses.next_pause(), Backoff::SHORTEST);
/// let longest = (0..99).map(|_| pauses.next_pause()).max();
/// assert_eq!(longest, Some(Backoff::LONGEST));
/// pauses.reset();
/// assert_eq!(pauses.next_pause(), Backoff::SHORTEST);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    failures: usize,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::up_to(Self::LONGEST)
    }
}

impl Backoff {
    /// The shortest pause.
    pub const SHORTEST: Duration = Duration::from_secs(PAUSES[0]);

    /// The longest pause.
    pub const LONGEST: Duration = Duration::from_secs(PAUSES[PAUSES.len() - 1]);

    /// Pauses of `longest` at most, for those who wait for the outcome.
    #[must_use]
    pub fn up_to(longest: Duration) -> Self {
        Self { failures: 0, longest: longest.max(Self::SHORTEST) }
    }

    /// The pause after one more failure.
    pub fn next_pause(&mut self) -> Duration {
        let pause = Duration::from_secs(PAUSES[self.failures.min(PAUSES.len() - 1)]);
        self.failures = self.failures.saturating_add(1);
        pause.min(self.longest)
    }

    /// How many failures there were since the start, or the last success.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// Notes a success, or that there is reason to hope for one: the next pauses
    /// are short again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Bounds the pauses to come.
    pub fn limit(&mut self, longest: Duration) {
        self.longest = longest.max(Self::SHORTEST);
    }
}
