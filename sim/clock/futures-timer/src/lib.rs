//! Stands in for the crate of this name, by which libp2p waits: here by tokio's
//! timers, whose clock a simulation pauses and moves.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Ends after a while. To be made within a tokio runtime.
pub struct Delay(Pin<Box<Sleep>>);

impl Delay {
    /// Ends after this long from now.
    #[must_use]
    pub fn new(after: Duration) -> Self {
        Self(Box::pin(sleep(after)))
    }

    /// Ends after this long from now instead.
    pub fn reset(&mut self, after: Duration) {
        self.0.as_mut().reset(Instant::now() + after);
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Delay").field(&self.0.deadline()).finish()
    }
}
