//! Peers that come and go.

use std::time::Duration;

use super::Rng;

/// How peers come and go: each leaves with the same likelihood at any moment,
/// without a word, and a new one comes in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// How many leave a minute, of those that are there: 0.2 is every fifth.
    pub per_minute: f64,
    /// How long a place stays empty.
    pub away: Duration,
}

impl Churn {
    /// How long a peer stays; `None` for ever.
    #[must_use]
    pub fn stay(&self, chance: &mut Rng) -> Option<Duration> {
        if self.per_minute <= 0.0 {
            return None;
        }
        // Whoever leaves at random moments stays for times that are
        // exponentially distributed.
        let minutes = -(1.0 - chance.f64()).ln() / self.per_minute;
        Duration::try_from_secs_f64(60.0 * minutes).ok()
    }
}
