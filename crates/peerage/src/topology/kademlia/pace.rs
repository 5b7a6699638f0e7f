//! When a node does what nobody asked it to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::KademliaConfig;

/// How soon bootstrapping comes again when nobody answered, or when few did;
/// twice as long each time that this is still so.
const FIRST_RETRY: Duration = Duration::from_secs(2);

/// How often what has expired is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Bootstrap,
    RandomWalk,
    Republish,
    Sweep,
}

/// A timer that comes round.
struct Round {
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    due: Due,
}

impl Round {
    fn new(due: Due, first: Duration, interval: Duration) -> Self {
        Self { timer: Box::pin(sleep(first)), interval, due }
    }

    fn set(&mut self, after: Duration) {
        self.timer.as_mut().reset(Instant::now() + after);
    }
}

/// The timers of a node. Made and polled within a tokio runtime.
pub(super) struct Pace {
    /// Bootstrapping comes first.
    rounds: Vec<Round>,
    retry: Duration,
}

impl Pace {
    /// Bootstraps at once, and does everything again at its interval.
    pub(super) fn new(config: &KademliaConfig) -> Self {
        let bootstrap = Round::new(Due::Bootstrap, Duration::ZERO, config.bootstrap_interval);
        let republish = config.republish_interval;
        let republish = Round::new(Due::Republish, republish, republish);
        let walk = config.random_walk_interval;
        let walk = walk.map(|interval| Round::new(Due::RandomWalk, interval, interval));
        let rounds = [bootstrap, republish, Round::new(Due::Sweep, SWEEP, SWEEP)];
        Self { rounds: rounds.into_iter().chain(walk).collect(), retry: FIRST_RETRY }
    }

    /// What is due now; it is due again after its interval.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Due> {
        for round in &mut self.rounds {
            if round.timer.as_mut().poll(context).is_ready() {
                round.set(round.interval);
                return Poll::Ready(round.due);
            }
        }
        Poll::Pending
    }

    /// Bootstraps again soon unless many peers are known by now: nobody may
    /// have been there, and two that came at the same moment miss each other,
    /// for whoever both asked knew neither yet.
    pub(super) fn bootstrapped(&mut self, knows_many: bool) {
        let bootstrap = &mut self.rounds[0];
        if knows_many {
            self.retry = FIRST_RETRY;
            return;
        }
        bootstrap.set(self.retry.min(bootstrap.interval));
        self.retry = (self.retry * 2).min(bootstrap.interval);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn everything_comes_round_and_bootstrapping_sooner_while_few_are_known() {
        let mut pace = Pace::new(&KademliaConfig::default());
        let start = Instant::now();
        assert_eq!(poll_fn(|context| pace.poll(context)).await, Due::Bootstrap);
        assert!(start.elapsed() < Duration::from_secs(1));
        let mut waits = Vec::new();
        while waits.len() < 9 {
            pace.bootstrapped(false);
            let start = Instant::now();
            while poll_fn(|context| pace.poll(context)).await != Due::Bootstrap {}
            waits.push(start.elapsed().as_secs());
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }
}
