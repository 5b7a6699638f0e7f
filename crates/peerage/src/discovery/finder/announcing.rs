//! Keeps this node announced by one way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use peerage_core::routing::keep::Backoff;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{Presence, Way, WayError},
    status::{Announced, Tally},
};

/// How long announcing may take: a walk to twenty nodes far away, and a message
/// to each.
const ANNOUNCE_TIME: Duration = Duration::from_secs(60);

/// How long taking back may take.
const WITHDRAW_TIME: Duration = Duration::from_secs(2);

/// The shortest pause before an announcement is renewed, so that no way can
/// make us announce without end.
const SOONEST_RENEWAL: Duration = Duration::from_secs(5);

/// Runs [`keep`] until it ends or is stopped; then takes back what it announced.
pub(super) async fn until_stopped(
    keeping: impl Future<Output = ()>,
    way: Arc<dyn Way>,
    stop: CancellationToken,
) {
    tokio::select! {
        () = keeping => {}
        () = stop.cancelled() => {}
    }
    withdraw(&way).await;
}

/// Announces what `presence` holds, whenever it changes and before it expires,
/// until its sender is gone.
pub(super) async fn keep(
    way: Arc<dyn Way>,
    mut presence: watch::Receiver<Option<Arc<Presence>>>,
    tally: Arc<Tally>,
) {
    let mut pauses = Backoff::default();
    loop {
        let now = presence.borrow_and_update().clone();
        let step = async {
            let Some(pause) = once(&way, now.as_deref(), &tally, &mut pauses).await else {
                return std::future::pending().await;
            };
            sleep(pause).await;
        };
        let changed = tokio::select! {
            () = step => None,
            changed = presence.changed() => Some(changed),
        };
        match changed {
            None => {}
            Some(Ok(())) => pauses.reset(),
            Some(Err(_)) => return,
        }
    }
}

/// Announces once, or takes back; answers when to announce again.
async fn once(
    way: &Arc<dyn Way>,
    presence: Option<&Presence>,
    tally: &Tally,
    pauses: &mut Backoff,
) -> Option<Duration> {
    let Some(presence) = presence else {
        if tally.status().announced.is_some() {
            withdraw(way).await;
        }
        return None;
    };
    let began = Instant::now();
    let result = timeout(ANNOUNCE_TIME, way.announce(presence)).await;
    let result = result.unwrap_or(Err(WayError::TimedOut(ANNOUNCE_TIME)));
    if let Err(error) = &result {
        tracing::debug!(way = %way.name(), %error, "not announced");
    }
    let again = pause(&result, pauses);
    tally.announced(Announced { when: Instant::now(), took: began.elapsed(), result }, again);
    again
}

/// How long to wait before the next announcement; nothing when there is none.
fn pause(result: &Result<Duration, WayError>, pauses: &mut Backoff) -> Option<Duration> {
    match result {
        Ok(holds) => {
            pauses.reset();
            Some((*holds * 4 / 5).max(SOONEST_RENEWAL))
        }
        Err(WayError::Unsupported) => None,
        Err(_) => Some(pauses.next_pause()),
    }
}

async fn withdraw(way: &Arc<dyn Way>) {
    if timeout(WITHDRAW_TIME, way.withdraw()).await.is_err() {
        tracing::debug!(way = %way.name(), "what was announced could not be taken back in time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tried_again_soon_and_then_slowly() {
        let failed = Err(WayError::Unavailable("x".to_owned()));
        let mut pauses = Backoff::default();
        assert_eq!(pause(&failed, &mut pauses), Some(Backoff::SHORTEST));
        let later = (0..20).filter_map(|_| pause(&failed, &mut pauses)).last();
        assert_eq!(later, Some(Backoff::LONGEST));
        assert_eq!(pause(&Err(WayError::Unsupported), &mut pauses), None);
        pause(&Ok(Duration::from_secs(100)), &mut pauses);
        assert_eq!(pause(&failed, &mut pauses), Some(Backoff::SHORTEST), "it had worked");
    }

    #[test]
    fn what_holds_is_renewed_before_it_ends() {
        let mut pauses = Backoff::default();
        let mut renewed =
            |seconds| pause(&Ok(Duration::from_secs(seconds)), &mut pauses).unwrap().as_secs();
        assert_eq!([0, 1, 100, 7200].map(&mut renewed), [5, 5, 80, 5760]);
    }
}
