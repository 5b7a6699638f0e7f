//! A pool that tasks share: places are given back when they are dropped, can be
//! waited for, and can be taken back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use peerage_core::routing::pool::{Origin, Pool, PoolLimits, Refused};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::sync::lock;

/// A [`Pool`] with a clock; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct SharedPool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Told whenever a place comes back.
    freed: Notify,
    started: Instant,
}

#[derive(Debug)]
struct State {
    pool: Pool<u64>,
    /// The number of the latest place.
    last: u64,
    /// By which each place is told that it was taken back.
    given: HashMap<u64, CancellationToken>,
}

/// A place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pool: SharedPool,
    number: u64,
    lost: CancellationToken,
}

impl SharedPool {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        let state = State { pool: Pool::new(limits), last: 0, given: HashMap::new() };
        let (state, freed) = (Mutex::new(state), Notify::new());
        Self(Arc::new(Inner { state, freed, started: Instant::now() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    fn now(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// A place now, or none.
    pub(crate) fn enter(&self, origin: &Origin, weight: usize) -> Result<Share, Refused> {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        for lost in state.pool.enter(number, origin, weight, self.now())? {
            if let Some(token) = state.given.remove(&lost) {
                token.cancel();
            }
        }
        let lost = CancellationToken::new();
        state.given.insert(number, lost.clone());
        Ok(Share { pool: self.clone(), number, lost })
    }

    /// A place as soon as there is one, within a time.
    pub(crate) async fn wait(
        &self,
        origin: &Origin,
        weight: usize,
        time: Duration,
    ) -> Result<Share, Refused> {
        let waiting = async {
            loop {
                let freed = self.0.freed.notified();
                tokio::pin!(freed);
                // From here on nothing is missed.
                freed.as_mut().enable();
                match self.enter(origin, weight) {
                    Ok(share) => return share,
                    Err(_) => {
                        // Some fall silent without a word.
                        let _ = timeout(RETRY, freed).await;
                    }
                }
            }
        };
        match timeout(time, waiting).await {
            Ok(share) => Ok(share),
            Err(_) => self.enter(origin, weight),
        }
    }

    /// How many places are given.
    pub(crate) fn len(&self) -> usize {
        self.state().pool.len()
    }
}

/// How often who waits looks whether somebody has fallen silent.
const RETRY: Duration = Duration::from_millis(250);

impl Share {
    /// Notes that who has the place has said something.
    pub(crate) fn heard(&self) {
        let now = self.pool.now();
        self.pool.state().pool.heard(&self.number, now);
    }

    /// Whether the place was taken back.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Waits until the place is taken back.
    pub(crate) fn lost(&self) -> impl Future<Output = ()> + use<> {
        self.lost.clone().cancelled_owned()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.pool.leave(&self.number);
        state.given.remove(&self.number);
        drop(state);
        self.pool.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> Origin {
        Origin::address([192, 0, last, 1].into())
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_when_a_place_comes_back() {
        let pool = SharedPool::new(PoolLimits::of(1));
        let first = pool.enter(&at(1), 1).unwrap();
        assert_eq!(pool.wait(&at(2), 1, Duration::from_secs(1)).await.err(), Some(Refused::Full));
        let origin = at(2);
        let waiting = pool.wait(&origin, 1, Duration::from_secs(10));
        tokio::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(first);
        waiting.await.unwrap();
        assert_eq!(pool.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_hears_that_its_place_is_gone() {
        let limits = PoolLimits::of(2).with_silence(Duration::from_secs(5));
        let pool = SharedPool::new(limits);
        let (silent, other) = (pool.enter(&at(1), 1).unwrap(), pool.enter(&at(2), 1).unwrap());
        tokio::time::advance(Duration::from_secs(5)).await;
        other.heard();
        let newcomer = pool.enter(&at(3), 1).unwrap();
        silent.lost().await;
        assert!(silent.is_lost() && !other.is_lost() && !newcomer.is_lost());
        drop(silent);
        assert_eq!(pool.len(), 2);
    }
}
