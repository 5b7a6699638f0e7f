//! The command's end of the socket.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
};

use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Ask, Greeting, Opening, PATIENCE, VERSION, lines, place};
use crate::{
    event::Event,
    failure::{Code, Failure},
    limits::MAX_CONTROL_EVENT_BYTES,
    output::Output,
    request::Request,
};

/// A connection to the node that runs on this home.
#[derive(Debug)]
pub(crate) struct Attachment {
    home: PathBuf,
    greeting: Greeting,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With an outcome.
    Outcome(Result<(), Failure>),
    /// Because the node went away.
    Handover,
}

impl Attachment {
    /// Attaches to the node of `home`; `None` when none answers.
    ///
    /// # Errors
    ///
    /// When the socket is not ours to open, or another version answers.
    pub(crate) async fn find(home: &Path) -> Result<Option<Self>, Failure> {
        let stream = match place::connect(home).await {
            Ok(Some(stream)) => stream,
            Ok(None) => return Ok(None),
            Err(error) => return Err(unreachable(home, &error)),
        };
        let (reader, writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let greeting =
            timeout(PATIENCE, lines::read::<Greeting>(&mut reader, MAX_CONTROL_EVENT_BYTES));
        match greeting.await {
            Ok(Ok(Some(greeting))) if greeting.version == VERSION => {
                Ok(Some(Self { home: home.to_path_buf(), greeting, reader, writer }))
            }
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(greeting))) => Err(stuck(greeting.process, "runs another version")),
            Ok(Err(_)) => Ok(None),
            Err(_) => Err(stuck(0, "does not answer")),
        }
    }

    /// Who answered.
    pub(crate) const fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Has the node do `request`, and shows what it says. When `cancel` is
    /// cancelled, the node is asked to stop and given a moment for it.
    pub(crate) async fn perform(
        mut self,
        request: &Request,
        output: &mut Output,
        cancel: &CancellationToken,
    ) -> Ended {
        let opening = Opening { version: VERSION, ask: Ask::Request(request.clone()) };
        if lines::write(&mut self.writer, &opening).await.is_err() {
            return Ended::Handover;
        }
        let mut conversation = Conversation { output, refused: None, copying: None };
        let ended = {
            // One future throughout: dropping it could lose half a line.
            let mut following = pin!(conversation.follow(&mut self.reader, &self.home, cancel));
            tokio::select! {
                ended = &mut following => ended,
                () = cancel.cancelled() => {
                    // Closing our half is how a request is cancelled.
                    drop(self.writer.shutdown().await);
                    let ended = timeout(PATIENCE, following).await;
                    ended.unwrap_or_else(|_| Ended::Outcome(Err(Failure::interrupted())))
                }
            }
        };
        conversation.finish(ended).await
    }
}

/// The state while events come.
struct Conversation<'a> {
    output: &'a mut Output,
    refused: Option<Failure>,
    copying: Option<JoinHandle<()>>,
}

impl Conversation<'_> {
    /// Shows events until the last one.
    async fn follow(
        &mut self,
        reader: &mut BufReader<OwnedReadHalf>,
        home: &Path,
        cancel: &CancellationToken,
    ) -> Ended {
        loop {
            match lines::read(reader, MAX_CONTROL_EVENT_BYTES).await {
                Ok(Some(Event::Done)) => return Ended::Outcome(Ok(())),
                Ok(Some(Event::Error(failure))) => return Ended::Outcome(Err(failure)),
                Ok(Some(Event::Handover) | None) | Err(_) => return Ended::Handover,
                Ok(Some(Event::Stream { number })) => self.copying = copy(home, number).await,
                Ok(Some(event)) => self.show(&event, cancel),
            }
        }
    }

    fn show(&mut self, event: &Event, cancel: &CancellationToken) {
        if self.refused.is_none()
            && let Err(failure) = self.output.show(event)
        {
            self.refused = Some(failure);
            cancel.cancel();
        }
    }

    /// Lets the last raw bytes arrive on standard output.
    async fn finish(self, ended: Ended) -> Ended {
        if let Some(copying) = self.copying
            && matches!(ended, Ended::Outcome(Ok(())))
        {
            drop(copying.await);
        }
        match self.refused {
            Some(failure) => Ended::Outcome(Err(failure)),
            None => ended,
        }
    }
}

/// Connects standard input and output with stream `number`. The task ends
/// when everything that came has been written.
async fn copy(home: &Path, number: u64) -> Option<JoinHandle<()>> {
    let stream = open_stream(home, number).await.ok()?;
    let (mut reader, mut writer) = stream.into_inner().into_split();
    tokio::spawn(async move {
        // The node says what became of the stream; errors here are its end.
        drop(tokio::io::copy(&mut tokio::io::stdin(), &mut writer).await);
        drop(writer.shutdown().await);
    });
    Some(tokio::spawn(async move {
        let mut out = tokio::io::stdout();
        drop(tokio::io::copy(&mut reader, &mut out).await);
        drop(out.flush().await);
    }))
}

async fn open_stream(home: &Path, number: u64) -> io::Result<BufReader<UnixStream>> {
    let stream = place::connect(home).await?.ok_or(io::ErrorKind::NotConnected)?;
    let mut stream = BufReader::new(stream);
    let greeting = lines::read::<Greeting>(&mut stream, MAX_CONTROL_EVENT_BYTES);
    timeout(PATIENCE, greeting).await??.ok_or(io::ErrorKind::UnexpectedEof)?;
    let opening = Opening { version: VERSION, ask: Ask::Stream(number) };
    lines::write(stream.get_mut(), &opening).await?;
    Ok(stream)
}

fn unreachable(home: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Code::HomeInUse,
        format!("the node of {} cannot be reached: {error}", home.display()),
        "use your own home folder, or --home with another one",
    )
}

fn stuck(process: u32, what: &str) -> Failure {
    let name = if process == 0 { String::new() } else { format!(" (process {process})") };
    Failure::new(
        Code::HomeInUse,
        format!("the node of this home{name} {what}"),
        "end it and try again, or use --home with another folder",
    )
}
