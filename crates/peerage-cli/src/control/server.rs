//! The node's end of the socket.

use std::{io, path::PathBuf, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Ask, Greeting, Opening, PATIENCE, VERSION, lines, place};
use crate::{
    context::Context,
    event::Event,
    failure::{Code, Failure},
    handler,
    host::Host,
    limits::{MAX_ATTACHED_COMMANDS, MAX_CONTROL_OPENING_BYTES, MAX_WAITING_EVENTS},
    request::Request,
    streams::Streams,
};

/// Serves attached commands until it is stopped.
#[derive(Debug)]
pub(crate) struct Server {
    home: PathBuf,
    ending: CancellationToken,
    tasks: TaskTracker,
}

/// What every conversation needs.
#[derive(Debug)]
struct Shared {
    host: Arc<Host>,
    ending: CancellationToken,
    streams: Arc<Streams>,
}

impl Server {
    /// Binds the socket of the home that `host` holds the lock of.
    ///
    /// # Errors
    ///
    /// When the home cannot be written.
    pub(crate) fn start(host: Arc<Host>) -> io::Result<Self> {
        let home = host.home().to_path_buf();
        let listener = place::bind(&home)?;
        let ending = CancellationToken::new();
        let tasks = TaskTracker::new();
        let shared = Arc::new(Shared { host, ending: ending.clone(), streams: Arc::default() });
        tasks.spawn(accept(listener, shared, tasks.clone()));
        Ok(Self { home, ending, tasks })
    }

    /// Removes the socket, and asks attached commands to take over.
    pub(crate) async fn stop(self) {
        // A socket that stays is stale, and handled by the next process.
        drop(place::remove(&self.home));
        self.ending.cancel();
        self.tasks.close();
        drop(timeout(PATIENCE, self.tasks.wait()).await);
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = shared.ending.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if tasks.len() <= MAX_ATTACHED_COMMANDS && same_user(&stream) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, &shared).await {
                        tracing::debug!(%error, "an attached command went away");
                    }
                });
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the control socket accepts no more");
                return;
            }
        }
    }
}

fn same_user(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|credentials| credentials.uid() == own)
}

async fn converse(stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let greeting = Greeting {
        version: VERSION,
        process: std::process::id(),
        peer: shared.host.peer(),
        identity: shared.host.identity(),
    };
    lines::write(stream.get_mut(), &greeting).await?;
    let opening = timeout(PATIENCE, lines::read::<Opening>(&mut stream, MAX_CONTROL_OPENING_BYTES));
    let Some(opening) = opening.await?? else {
        return Ok(());
    };
    match opening.ask {
        _ if opening.version != VERSION => {
            let failure = Failure::new(
                Code::HomeInUse,
                "the node of this home runs another version of peerage",
                "end it and try again",
            );
            lines::write(stream.get_mut(), &Event::Error(failure)).await
        }
        Ask::Stream(number) => {
            shared.streams.give(number, stream);
            Ok(())
        }
        Ask::Request(request) => serve(request, stream.into_inner(), shared).await,
    }
}

/// Runs a request and forwards its events, until it ends or the command goes.
async fn serve(request: Request, stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let cancel = shared.ending.child_token();
    let (events, received) = mpsc::channel(MAX_WAITING_EVENTS);
    let context = Context::attached(events, cancel.clone(), Arc::clone(&shared.streams));
    let handling = handler::run(request, &shared.host, context);
    let outcome = tokio::select! {
        (outcome, ()) = async { tokio::join!(handling, forward(received, &mut writer, &cancel)) } => outcome,
        never = watch(reader, &cancel) => match never {},
    };
    lines::write(&mut writer, &last_word(outcome, shared)).await
}

fn last_word(outcome: Result<(), Failure>, shared: &Shared) -> Event {
    match outcome {
        _ if shared.ending.is_cancelled() => Event::Handover,
        Ok(()) => Event::Done,
        Err(failure) => Event::Error(failure),
    }
}

/// Writes events until the handler has no more; a command that does not take
/// them is gone.
async fn forward(
    mut received: mpsc::Receiver<Event>,
    writer: &mut OwnedWriteHalf,
    cancel: &CancellationToken,
) {
    while let Some(event) = received.recv().await {
        if !cancel.is_cancelled() || matches!(event, Event::Interrupted { .. }) {
            let written = timeout(PATIENCE, lines::write(writer, &event)).await;
            if !matches!(written, Ok(Ok(()))) {
                cancel.cancel();
            }
        }
    }
}

/// Cancels when the command closes its sending half or dies.
async fn watch(mut reader: OwnedReadHalf, cancel: &CancellationToken) -> std::convert::Infallible {
    let mut byte = [0];
    // A command says nothing after its opening: whatever comes ends it.
    drop(reader.read(&mut byte).await);
    cancel.cancel();
    std::future::pending().await
}
