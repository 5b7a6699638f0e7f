//! Dials that hang. A look-up asks few peers at a time, and whoever has gone
//! says nothing: its place is given to the next one long before the transport
//! gives up.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::limits::KADEMLIA_DIAL_SECONDS;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a dial may hang.
const PATIENCE: Duration = Duration::from_secs(KADEMLIA_DIAL_SECONDS);

/// The dials of one behaviour. Polled within a tokio runtime.
#[derive(Default)]
pub(super) struct Dials {
    open: HashSet<ConnectionId>,
    /// All that may be open still, in the order in which they hang.
    waiting: VecDeque<(Instant, ConnectionId, PeerId)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Dials {
    /// A dial has begun.
    pub(super) fn began(&mut self, id: ConnectionId, peer: PeerId) {
        self.open.insert(id);
        self.waiting.push_back((Instant::now() + PATIENCE, id, peer));
    }

    /// A dial has ended, one way or the other; perhaps somebody else's.
    pub(super) fn ended(&mut self, id: ConnectionId) {
        self.open.remove(&id);
    }

    /// The next that hangs. It is told once, and may yet succeed.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<(ConnectionId, PeerId)> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(context));
                self.timer = None;
            }
            let Some((at, id, peer)) = self.waiting.front().copied() else {
                return Poll::Pending;
            };
            if self.open.contains(&id) && at > Instant::now() {
                self.timer = Some(Box::pin(sleep_until(at)));
                continue;
            }
            self.waiting.pop_front();
            if self.open.remove(&id) {
                return Poll::Ready((id, peer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_told_once_and_what_has_ended_is_not() {
        let mut dials = Dials::default();
        let peer = PeerId::random();
        let [first, second, third] = [1, 2, 3].map(ConnectionId::new_unchecked);
        let start = Instant::now();
        dials.began(first, peer);
        dials.began(second, peer);
        dials.ended(first);
        assert_eq!(poll_fn(|context| dials.poll(context)).await, (second, peer));
        assert_eq!(start.elapsed(), PATIENCE);
        dials.ended(second);
        dials.began(third, peer);
        assert_eq!(poll_fn(|context| dials.poll(context)).await, (third, peer));
        assert_eq!(start.elapsed(), 2 * PATIENCE);
        assert!(dials.open.is_empty() && dials.waiting.is_empty());
    }
}
