//! Ping: measures one round trip on a stream of its own.
//!
//! Follows <https://github.com/libp2p/specs/blob/master/ping/ping.md>: 32
//! random bytes go there and come back.

use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;

use super::error::PingError;

pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// How long one answer is waited for.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn round_trip<S>(mut stream: S) -> Result<Duration, PingError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut sent = [0u8; 32];
    getrandom::fill(&mut sent).map_err(std::io::Error::other)?;
    let begin = Instant::now();
    stream.write_all(&sent).await?;
    stream.flush().await?;
    let mut received = [0u8; 32];
    stream.read_exact(&mut received).await?;
    let took = begin.elapsed();
    stream.close().await?;
    if received == sent { Ok(took) } else { Err(PingError::WrongAnswer) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    #[tokio::test]
    async fn other_bytes_are_no_answer() {
        let (near, far) = tokio::io::duplex(64);
        let mut far = far.compat();
        let (result, ()) = futures::join!(round_trip(near.compat()), async {
            far.write_all(&[0; 32]).await.unwrap();
            far.read_exact(&mut [0; 32]).await.unwrap();
        });
        assert!(matches!(result, Err(PingError::WrongAnswer)));
    }
}
