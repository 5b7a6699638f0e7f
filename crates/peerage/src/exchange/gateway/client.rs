//! Asking a gateway over one stream.

use std::{future::Future, time::Duration};

use crate::limits::{
    GATEWAY_STALL_SECONDS, MAX_BLOCK_BYTES, MAX_GATEWAY_HEADER_BYTES, MAX_GATEWAY_HEADERS,
    MAX_GATEWAY_SENTENCE_BYTES, MAX_GATEWAY_SHOWN_CHARACTERS,
};
use bytes::{Bytes, BytesMut};
use futures::{AsyncRead, AsyncWrite};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use peerage_core::{
    data::Block,
    exchange::gateway::{Format, GatewayRequest},
};
use tokio::task::AbortHandle;

use super::{GatewayError, io::StreamIo};

/// The most that is read from a stream at once, in bytes; less where less comes.
/// A body's pieces are slices of what was read, so a piece that is kept holds
/// on to as much memory.
const READ_BUFFER: usize = 256 * 1024;

/// What our side calls itself in requests. The specification wants a host; a
/// peer reached over a stream has none.
const HOST: &str = "localhost";

/// A gateway at the other end of a stream: requests go one after another.
///
/// Dropping it closes the stream.
pub struct GatewayClient {
    requests: SendRequest<Empty<Bytes>>,
    driver: AbortHandle,
    stall: Duration,
}

impl GatewayClient {
    /// Speaks HTTP/1.1 over `stream`: a libp2p stream opened for
    /// [`PROTOCOL`](super::PROTOCOL), or anything else of futures' traits. The
    /// connection is driven by a task of its own; call this in a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the stream is closed already.
    pub async fn new<S>(stream: S) -> Result<Self, GatewayError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (requests, connection) = http1::Builder::new()
            .max_headers(MAX_GATEWAY_HEADERS)
            .max_header_size(MAX_GATEWAY_HEADER_BYTES)
            .max_buf_size(READ_BUFFER)
            .handshake(TokioIo::new(StreamIo::new(stream)))
            .await
            .map_err(GatewayError::Lost)?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a gateway's stream ended");
            }
        });
        let stall = Duration::from_secs(GATEWAY_STALL_SECONDS);
        Ok(Self { requests, driver: driver.abort_handle(), stall })
    }

    /// Waits no longer than this for a next byte, instead of
    /// [`GATEWAY_STALL_SECONDS`].
    #[must_use]
    pub const fn stall_after(mut self, limit: Duration) -> Self {
        self.stall = limit;
        self
    }

    /// Whether the connection takes another request. It does not once the
    /// gateway has closed it, or an answer was dropped before its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Asks, and returns when the answer begins. The answer must be read to its
    /// end (or dropped, which ends the connection) before the next request.
    ///
    /// # Errors
    ///
    /// [`GatewayError::NotFound`], [`GatewayError::Busy`] and
    /// [`GatewayError::Refused`] leave the connection open; after any other it
    /// is of no more use.
    pub async fn get(&mut self, request: &GatewayRequest) -> Result<GatewayBody, GatewayError> {
        let answer = self.send(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(answer).await);
        }
        let expected = media_type(request.format);
        let found = content_type(&answer);
        if !found.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(expected) {
            return Err(GatewayError::ContentType { expected, found });
        }
        Ok(GatewayBody { incoming: answer.into_body(), stall: self.stall })
    }

    /// One block, verified.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]; and when the body ends early, is longer than a block
    /// may be, or does not hash to the CID.
    pub async fn block(&mut self, cid: peerage_core::data::Cid) -> Result<Block, GatewayError> {
        let body = self.get(&GatewayRequest::raw(cid)).await?;
        let data = body.collect(MAX_BLOCK_BYTES).await?;
        Ok(Block::verified(cid, data)?)
    }

    async fn send(&mut self, request: &GatewayRequest) -> Result<Response<Incoming>, GatewayError> {
        let stall = self.stall;
        within(stall, self.requests.ready()).await?.map_err(|_| GatewayError::Closed)?;
        let request = Request::get(request.target())
            .header(header::HOST, HOST)
            .header(header::ACCEPT, request.accept())
            .body(Empty::new())
            .expect("a percent-encoded path and constant headers make a request");
        within(stall, self.requests.send_request(request)).await?.map_err(GatewayError::Lost)
    }

    /// What an answer other than 200 says. Its body is read, so that the
    /// connection can be used again.
    async fn refusal(&self, answer: Response<Incoming>) -> GatewayError {
        let status = answer.status();
        let body = GatewayBody { incoming: answer.into_body(), stall: self.stall };
        let sentence = match body.collect(MAX_GATEWAY_SENTENCE_BYTES).await {
            Ok(text) => printable(&text),
            Err(GatewayError::TooLong { .. }) => "with a text too long to show".to_owned(),
            Err(error) => return error,
        };
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => GatewayError::NotFound { sentence },
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                GatewayError::Busy { sentence }
            }
            other => GatewayError::Refused { status: other.as_u16(), sentence },
        }
    }
}

impl Drop for GatewayClient {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The body of an answer, as it arrives.
#[derive(Debug)]
pub struct GatewayBody {
    incoming: Incoming,
    stall: Duration,
}

impl GatewayBody {
    /// The next piece, of a size that is the network's affair; `None` at the
    /// end, which only comes when the gateway sent all it meant to.
    ///
    /// Little is read ahead: a piece that is not asked for stays in the network.
    ///
    /// # Errors
    ///
    /// When nothing comes for too long, or the connection ends before the body.
    pub async fn next(&mut self) -> Option<Result<Bytes, GatewayError>> {
        loop {
            let frame = match within(self.stall, self.incoming.frame()).await {
                Ok(frame) => frame?,
                Err(error) => return Some(Err(error)),
            };
            match frame {
                // Trailers are of no use here.
                Ok(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Some(Ok(data)),
                    _ => {}
                },
                Err(error) => return Some(Err(GatewayError::Lost(error))),
            }
        }
    }

    /// The whole body, if it is no longer than `limit` bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::next`]; and [`GatewayError::TooLong`].
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, GatewayError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if whole.len() + piece.len() > limit {
                return Err(GatewayError::TooLong { limit });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Raw => "application/vnd.ipld.raw",
        Format::Car => "application/vnd.ipld.car",
    }
}

fn content_type(answer: &Response<Incoming>) -> String {
    let value = answer.headers().get(header::CONTENT_TYPE);
    value.map_or_else(String::new, |value| printable(value.as_bytes()))
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, GatewayError> {
    tokio::time::timeout(limit, future)
        .await
        .map_err(|_| GatewayError::Stalled { seconds: limit.as_secs() })
}

/// A peer's text as one line without control characters, cut to a length that
/// fits an error message.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_GATEWAY_SHOWN_CHARACTERS).map(clean).collect()
}
