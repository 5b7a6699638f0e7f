//! When a node does what nobody asked it to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::KademliaConfig;
use super::holders::Looked;

/// How soon bootstrapping comes again when nobody answered, or when few did;
/// twice as long each time that this is still so.
const FIRST_RETRY: Duration = Duration::from_secs(2);

/// How soon it is looked whether others are nearest to the own record by now;
/// twice as long each time that hardly any are.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// How often that is looked at the most.
const SOONEST_LOOK: Duration = Duration::from_secs(30);

/// How often what has expired is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Bootstrap,
    Holders,
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
    /// Bootstrapping comes first, and then the holders.
    rounds: Vec<Round>,
    retry: Duration,
    longest_look: Duration,
}

impl Pace {
    /// Bootstraps at once, and does everything again at its interval.
    pub(super) fn new(config: &KademliaConfig) -> Self {
        let bootstrap = Round::new(Due::Bootstrap, Duration::ZERO, config.bootstrap_interval);
        let longest_look = config.republish_interval;
        let republish = Round::new(Due::Republish, longest_look, longest_look);
        let look = FIRST_LOOK.min(longest_look);
        let holders = Round::new(Due::Holders, look, look);
        let walk = config.random_walk_interval;
        let walk = walk.map(|interval| Round::new(Due::RandomWalk, interval, interval));
        let rounds = [bootstrap, holders, republish, Round::new(Due::Sweep, SWEEP, SWEEP)];
        let rounds = rounds.into_iter().chain(walk).collect();
        Self { rounds, retry: FIRST_RETRY, longest_look }
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

    /// The own record is another one: who is nearest to it is looked at soon.
    pub(super) fn put(&mut self) {
        self.look_after(FIRST_LOOK);
    }

    /// So many of those who are nearest to the own record were new. Looks again
    /// as much sooner or later as keeps it at about a tenth of them.
    pub(super) fn looked(&mut self, looked: Looked) {
        let interval = self.rounds[1].interval;
        match looked {
            Looked { nearest, new } if new * 5 >= nearest => self.look_after(interval / 2),
            Looked { nearest, new } if new * 20 <= nearest => self.look_after(interval * 2),
            _ => {}
        }
    }

    fn look_after(&mut self, interval: Duration) {
        let holders = &mut self.rounds[1];
        let soonest = SOONEST_LOOK.min(self.longest_look);
        holders.interval = interval.clamp(soonest, self.longest_look);
        holders.set(holders.interval);
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

    #[tokio::test(start_paused = true)]
    async fn holders_are_looked_at_the_sooner_the_more_of_them_are_new() {
        let mut pace = Pace::new(&KademliaConfig::default());
        let mut waits = Vec::new();
        for new in [2, 0, 0, 5, 5, 20, 20, 1, 1] {
            pace.looked(Looked { nearest: 20, new });
            waits.push(pace.rounds[1].interval.as_secs());
        }
        assert_eq!(waits, [60, 120, 240, 120, 60, 30, 30, 60, 120]);
        (0..20).for_each(|_| pace.looked(Looked { nearest: 20, new: 0 }));
        assert_eq!(pace.rounds[1].interval, KademliaConfig::default().republish_interval);
        pace.put();
        let start = Instant::now();
        while poll_fn(|context| pace.poll(context)).await != Due::Holders {}
        assert_eq!(start.elapsed().as_secs(), 60);
    }
}
