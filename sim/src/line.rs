//! One way from host to host: what is sent arrives later, in order, or never.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::chance;
use crate::host::Host;

/// How long TCP waits before it sends again what was lost, beside the way there
/// and back.
const BEFORE_RETRANSMISSION: Duration = Duration::from_millis(200);

/// How long until a connection to a host that has vanished ends: a node's pings
/// notice that it hangs.
const UNTIL_NOTICED: Duration = Duration::from_secs(5);

/// What a path between two hosts is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// One way.
    pub(crate) delay: Duration,
    /// How many packets in all are lost, and sent again.
    pub(crate) loss: f64,
}

impl Path {
    /// How long one packet takes, with those that were lost before it.
    pub(crate) fn time(&self) -> Duration {
        let (mut time, mut wait) = (self.delay, BEFORE_RETRANSMISSION + 2 * self.delay);
        while chance::fraction() < self.loss {
            time += wait;
            wait *= 2;
        }
        time
    }
}

/// What is under way; `None` is the end.
struct State<T> {
    arriving: VecDeque<(Instant, Option<T>)>,
    reader: Option<Waker>,
    last: Instant,
}

type Shared<T> = Arc<Mutex<State<T>>>;

fn lock<T>(shared: &Shared<T>) -> MutexGuard<'_, State<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The near end. When it is dropped the far end hears of it: at once, or late and
/// by itself if the host has vanished.
pub(crate) struct Sender<T> {
    shared: Shared<T>,
    path: Path,
    host: Host,
}

/// The far end.
pub(crate) struct Receiver<T> {
    shared: Shared<T>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// A line that begins at a host.
pub(crate) fn line<T>(host: Host, path: Path) -> (Sender<T>, Receiver<T>) {
    let state = State { arriving: VecDeque::new(), reader: None, last: Instant::now() };
    let shared = Arc::new(Mutex::new(state));
    (Sender { shared: Arc::clone(&shared), path, host }, Receiver { shared, timer: None })
}

impl<T> Sender<T> {
    pub(crate) fn send(&self, what: T) {
        if self.host.is_alive() {
            self.put(Some(what), self.path.time());
        }
    }

    fn put(&self, what: Option<T>, after: Duration) {
        let mut state = lock(&self.shared);
        let at = (Instant::now() + after).max(state.last);
        state.last = at;
        state.arriving.push_back((at, what));
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let after = if self.host.is_alive() { self.path.time() } else { UNTIL_NOTICED };
        self.put(None, after);
    }
}

impl<T> Receiver<T> {
    /// What arrives next; nothing after the end.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(context));
                self.timer = None;
            }
            let mut state = lock(&self.shared);
            let Some((at, what)) = state.arriving.front_mut() else {
                state.reader = Some(context.waker().clone());
                return Poll::Pending;
            };
            if *at > Instant::now() {
                self.timer = Some(Box::pin(sleep_until(*at)));
                continue;
            }
            // The end stays, for whoever asks again.
            let Some(what) = what.take() else { return Poll::Ready(None) };
            state.arriving.pop_front();
            return Poll::Ready(Some(what));
        }
    }
}
