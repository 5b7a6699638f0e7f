//! Ping: answers it, measures round trips, and notices peers that hang.
//!
//! Follows <https://github.com/libp2p/specs/blob/master/ping/ping.md>: 32
//! random bytes go there and come back, any number of times on one stream.
//! `libp2p-ping` keeps the first missing answer to itself, which doubles the
//! time until a dead peer is noticed; so this is our own.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, StreamProtocol};
use tokio::sync::Notify;
use tokio::sync::mpsc::WeakSender;

use super::command::Command;
use super::connections::Connections;
use super::error::PingError;
use super::stream::Stream;
use super::streams::IncomingStreams;

pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// How long an answer is waited for by one who asked for a round trip.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How often each connection is pinged.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long a connection with a question open may be quiet. A peer that hangs
/// is noticed within 5 s by this, whatever was on its way; one that vanished,
/// by the transport.
const PATIENCE: Duration = Duration::from_millis(2_600);

/// The same, when there is reason to doubt: an address has changed, or the
/// peer has come back on another connection.
const PATIENCE_IN_DOUBT: Duration = Duration::from_millis(900);

/// How often a connection with a question open is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Sends 32 bytes, and measures until they are back.
pub(super) async fn round_trip<S>(stream: &mut S) -> Result<Duration, PingError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut sent = [0u8; 32];
    getrandom::fill(&mut sent).map_err(io::Error::other)?;
    let begin = Instant::now();
    stream.write_all(&sent).await?;
    stream.flush().await?;
    let mut received = [0u8; 32];
    stream.read_exact(&mut received).await?;
    if received == sent { Ok(begin.elapsed()) } else { Err(PingError::WrongAnswer) }
}

/// Answers all who ping, until the node ends.
pub(super) async fn answer_all(mut incoming: IncomingStreams) {
    while let Some((_, stream)) = incoming.next().await {
        tokio::spawn(async move {
            let mut stream = stream.without_notice();
            // The other end decides how often, and ends it.
            let _ = answer(&mut stream).await;
            let _ = stream.close().await;
        });
    }
}

async fn answer(stream: &mut Stream) -> io::Result<()> {
    let mut bytes = [0u8; 32];
    loop {
        stream.read_exact(&mut bytes).await?;
        stream.write_all(&bytes).await?;
        stream.flush().await?;
    }
}

/// One connection that is being watched.
pub(super) struct Watch {
    pub(super) peer: PeerId,
    pub(super) id: ConnectionId,
    pub(super) connections: Connections,
    pub(super) commands: WeakSender<Command>,
    /// Tells that there is reason to doubt that the connection lives.
    pub(super) doubt: Arc<Notify>,
    /// The connection finds another path by itself, given time.
    pub(super) roams: bool,
}

impl Watch {
    /// Pings the connection until it ends; reports it when the peer hangs.
    /// A peer that does not speak ping is left alone.
    pub(super) async fn run(self) {
        let Some(line) = self.connections.line(&self.peer, self.id) else { return };
        let Ok(stream) = line.open([PROTOCOL].into()).await else { return };
        let mut stream = stream.without_notice();
        let mut patience = PATIENCE;
        while let Some(answer) = self.answer_to(&mut stream, patience).await {
            let Ok(rtt) = answer else { return };
            self.connections.set_rtt(&self.peer, rtt);
            patience = tokio::select! {
                () = tokio::time::sleep(INTERVAL) => PATIENCE,
                () = self.doubt.notified() => self.patience_in_doubt(),
            };
        }
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.send(Command::Hangs { peer: self.peer, id: self.id }).await;
        }
    }

    fn patience_in_doubt(&self) -> Duration {
        if self.roams { PATIENCE } else { PATIENCE_IN_DOUBT }
    }

    /// Asks for a round trip; `None` when the connection has gone quiet. While
    /// other bytes get through, a late answer only means that the peer is busy.
    async fn answer_to(
        &self,
        stream: &mut Stream,
        mut patience: Duration,
    ) -> Option<Result<Duration, PingError>> {
        let mut answer = std::pin::pin!(round_trip(stream));
        let (mut seen, mut since) = (self.activity(), Instant::now());
        while since.elapsed() < patience {
            tokio::select! {
                answer = &mut answer => return Some(answer),
                () = self.doubt.notified() => patience = self.patience_in_doubt(),
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = self.activity();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        None
    }

    fn activity(&self) -> Option<u64> {
        self.connections.line(&self.peer, self.id).map(|line| line.activity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    #[tokio::test]
    async fn other_bytes_are_no_answer() {
        let (near, far) = tokio::io::duplex(64);
        let (mut near, mut far) = (near.compat(), far.compat());
        let (result, ()) = futures::join!(round_trip(&mut near), async {
            far.write_all(&[0; 32]).await.unwrap();
            far.read_exact(&mut [0; 32]).await.unwrap();
        });
        assert!(matches!(result, Err(PingError::WrongAnswer)));
    }
}
