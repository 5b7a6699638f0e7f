//! The turn of an answer: it is taken back from a reader who stalls, and waited
//! for again when it reads on.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use peerage_core::routing::pool::{Origin, Refused};

use crate::routing::{Share, SharedPool};

/// A turn among all answers; given back when it is dropped.
pub(super) struct Turn {
    pool: SharedPool,
    origin: Origin,
    /// How long to wait for another turn.
    patience: Duration,
    state: State,
}

type Waiting = Pin<Box<dyn Future<Output = Result<Share, Refused>> + Send>>;

enum State {
    Held(Share),
    Waiting(Waiting),
}

impl Turn {
    /// Waits for a turn.
    pub(super) async fn wait(
        pool: &SharedPool,
        origin: &Origin,
        time: Duration,
        patience: Duration,
    ) -> Result<Self, Refused> {
        let share = pool.wait(origin, 1, time).await?;
        let state = State::Held(share);
        Ok(Self { pool: pool.clone(), origin: origin.clone(), patience, state })
    }

    /// Sees to it that the turn is still there, when the next piece is wanted.
    pub(super) fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        loop {
            match &mut self.state {
                State::Held(share) if !share.is_lost() => {
                    share.heard();
                    return Poll::Ready(Ok(()));
                }
                State::Held(_) => self.state = State::Waiting(self.another()),
                State::Waiting(waiting) => {
                    let share = ready!(waiting.as_mut().poll(cx))?;
                    self.state = State::Held(share);
                }
            }
        }
    }

    fn another(&self) -> Waiting {
        let (pool, origin, patience) = (self.pool.clone(), self.origin.clone(), self.patience);
        Box::pin(async move { pool.wait(&origin, 1, patience).await })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use peerage_core::routing::pool::PoolLimits;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_stalls_gives_its_turn_back_and_gets_another() {
        let silence = Duration::from_secs(2);
        let pool = SharedPool::new(PoolLimits::of(2).with_silence(silence));
        let at = |last| Origin::address([192, 0, last, 1].into());
        let (time, patience) = (Duration::from_secs(4), Duration::from_secs(30));
        let mut slow = Turn::wait(&pool, &at(1), time, patience).await.unwrap();
        let other = Turn::wait(&pool, &at(2), time, patience).await.unwrap();
        let newcomer = Turn::wait(&pool, &at(3), time, patience).await.unwrap();
        drop(other);
        drop(newcomer);
        poll_fn(|cx| slow.poll_held(cx)).await.unwrap();
        assert_eq!(pool.len(), 1);
    }
}
