//! How the network treats messages.

use std::time::Duration;

use super::Rng;

/// The way from any peer to any other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// How long a message takes, from and to; each equally likely.
    pub delay: (Duration, Duration),
    /// The share of messages that never arrive, 0 to 1.
    pub loss: f64,
    /// The share of those that arrive twice, 0 to 1.
    pub duplication: f64,
    /// The share of those that may overtake what was sent before, 0 to 1. The
    /// others wait for it.
    pub reordering: f64,
}

impl Default for Link {
    /// A good one: 10 to 50 ms, nothing lost, doubled or out of order.
    fn default() -> Self {
        let delay = (Duration::from_millis(10), Duration::from_millis(50));
        Self { delay, loss: 0.0, duplication: 0.0, reordering: 0.0 }
    }
}

impl Link {
    /// How long one message takes.
    #[must_use]
    pub fn one_way(&self, chance: &mut Rng) -> Duration {
        let (least, most) = self.delay;
        least + most.saturating_sub(least).mul_f64(chance.f64())
    }

    /// Whether one message is lost.
    #[must_use]
    pub fn loses(&self, chance: &mut Rng) -> bool {
        chance.f64() < self.loss
    }

    /// When a message that is sent at `now` arrives: never, once or twice.
    /// `latest` is when the last one between the two that keeps its order does.
    pub(super) fn arrivals(
        &self,
        chance: &mut Rng,
        now: Duration,
        latest: &mut Duration,
    ) -> Vec<Duration> {
        if self.loses(chance) {
            return Vec::new();
        }
        let copies = if chance.f64() < self.duplication { 2 } else { 1 };
        let arrive = |_| {
            let at = now + self.one_way(chance);
            if chance.f64() < self.reordering {
                return at;
            }
            *latest = at.max(*latest);
            *latest
        };
        (0..copies).map(arrive).collect()
    }
}
