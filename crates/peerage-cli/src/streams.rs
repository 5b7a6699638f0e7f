//! The second connections of attached commands, which carry raw bytes.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{io::BufReader, net::UnixStream, sync::oneshot, time::timeout};

use crate::{
    failure::{Code, Failure},
    limits::{CONTROL_ANSWER_SECONDS, MAX_ATTACHED_COMMANDS},
};

/// How long a command may take to open the connection that was asked for.
const PATIENCE: Duration = Duration::from_secs(CONTROL_ANSWER_SECONDS);

/// A connection whose opening line was read; what follows may be buffered.
pub(crate) type RawStream = BufReader<UnixStream>;

/// Brings the handlers that ask for raw bytes together with the connections
/// that offer them.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    handlers: HashMap<u64, oneshot::Sender<RawStream>>,
}

/// A number to tell the command, and the connection it will come back with.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    /// The number.
    pub(crate) number: u64,
    arrival: oneshot::Receiver<RawStream>,
    streams: &'a Streams,
}

impl Streams {
    /// Expects a connection.
    ///
    /// # Errors
    ///
    /// When too many are expected already.
    pub(crate) fn expect(&self) -> Result<Expected<'_>, Failure> {
        let mut waiting = self.lock();
        if waiting.handlers.len() >= MAX_ATTACHED_COMMANDS {
            return Err(Failure::new(
                Code::HomeInUse,
                "too many commands are attached to this home's node",
                "end one of them and try again",
            ));
        }
        waiting.last += 1;
        let number = waiting.last;
        let (sender, arrival) = oneshot::channel();
        waiting.handlers.insert(number, sender);
        Ok(Expected { number, arrival, streams: self })
    }

    /// Hands a connection to the handler that waits for it; drops it if none does.
    pub(crate) fn give(&self, number: u64, stream: RawStream) {
        if let Some(handler) = self.lock().handlers.remove(&number) {
            drop(handler.send(stream));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change under the lock is complete by itself.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected<'_> {
    /// Waits for the connection.
    ///
    /// # Errors
    ///
    /// When it does not come in time.
    pub(crate) async fn arrive(mut self) -> Result<RawStream, Failure> {
        match timeout(PATIENCE, &mut self.arrival).await {
            Ok(Ok(stream)) => Ok(stream),
            _ => Err(Failure::new(
                Code::Unexpected,
                "the attached command did not open its second connection",
                "try again",
            )),
        }
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.streams.lock().handlers.remove(&self.number);
    }
}
