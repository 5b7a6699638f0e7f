//! What a handler has of the command that asked: where to say what happens,
//! when to stop, and where raw bytes come from and go to.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::{event::Event, failure::Failure, streams::Streams};

/// The command that a handler works for.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
    bytes: RawBytes,
}

#[derive(Clone, Debug)]
enum RawBytes {
    Standard,
    Attached(Arc<Streams>),
}

/// Raw bytes that come in.
pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;
/// Raw bytes that go out.
pub(crate) type Sink = Box<dyn AsyncWrite + Send + Unpin>;

impl Context {
    /// For a command in this process: raw bytes are standard input and output.
    pub(crate) const fn standard(events: mpsc::Sender<Event>, cancel: CancellationToken) -> Self {
        Self { events, cancel, bytes: RawBytes::Standard }
    }

    /// For an attached command.
    pub(crate) const fn attached(
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
        streams: Arc<Streams>,
    ) -> Self {
        Self { events, cancel, bytes: RawBytes::Attached(streams) }
    }

    /// Says what happens; waits when the command is slow to take it.
    pub(crate) async fn say(&self, event: Event) {
        // A command that is gone has cancelled already.
        drop(self.events.send(event).await);
    }

    /// Says what happens, if it is something.
    pub(crate) async fn say_all(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.say(event).await;
        }
    }

    /// The token that is cancelled when the command wants to stop.
    pub(crate) const fn stop(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Says something that is worth saying only now: dropped if the command is slow.
    pub(crate) fn mention(&self, event: Event) {
        drop(self.events.try_send(event));
    }

    /// Comes when the command wants to stop.
    pub(crate) fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        self.cancel.cancelled()
    }

    /// Whether the command wants to stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Does `work` unless the command stops first.
    ///
    /// # Errors
    ///
    /// What `work` fails with, or that it was interrupted.
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(Failure::interrupted()),
        }
    }

    /// The command's raw bytes, both ways.
    ///
    /// # Errors
    ///
    /// When an attached command does not open its second connection.
    pub(crate) async fn raw_bytes(&self) -> Result<(Input, Sink), Failure> {
        match &self.bytes {
            RawBytes::Standard => Ok((Box::new(tokio::io::stdin()), Box::new(tokio::io::stdout()))),
            RawBytes::Attached(streams) => {
                let expected = streams.expect()?;
                self.say(Event::Stream { number: expected.number }).await;
                let (reader, writer) = tokio::io::split(expected.arrive().await?);
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }
}
