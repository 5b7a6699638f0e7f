//! What is answered to a request.

use std::sync::Arc;

use crate::limits::{GATEWAY_STALL_SECONDS, GATEWAY_TURN_MILLISECONDS};
use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderName, HeaderValue},
};
use peerage_core::Advice as _;
use peerage_core::exchange::gateway::{
    Format, GatewayRequest, PROTOCOLS_JSON, RequestError, Route,
};
use peerage_core::routing::pool::Origin;
use tokio::task::{JoinError, spawn_blocking};

use super::{
    body::{Answer, CarBody},
    caller::Caller,
    reader::{CarReader, ReadError, read_block, size_of_block},
    server::{Account, Shared},
    turn::Turn,
};
use crate::{access::Requester, exchange::serving::Reader};

const IMMUTABLE: &str = "public, max-age=29030400, immutable";
const X_IPFS_PATH: HeaderName = HeaderName::from_static("x-ipfs-path");

/// When a client that was refused for want of room should try again, in
/// seconds.
const RETRY_AFTER: &str = "1";

/// Answers a request; every failure is an answer too.
pub(super) async fn respond(
    shared: &Arc<Shared>,
    caller: Caller,
    origin: &Origin,
    request: &Request<Incoming>,
) -> Response<Answer> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let accept = joined(request.headers(), &header::ACCEPT);
    let content = match Route::parse(request.method().as_str(), target, Some(&accept)) {
        Ok(Route::Protocols) => return json(PROTOCOLS_JSON),
        Ok(Route::Content(content)) => content,
        Err(error) => return refusal(&error),
    };
    if names(&joined(request.headers(), &header::IF_NONE_MATCH), &content.etag()) {
        return head(&content, target, StatusCode::NOT_MODIFIED, Answer::Text(None));
    }
    let limits = &shared.limits;
    let waiting = Turn::wait(&shared.turns, origin, limits.turn, limits.write_stall);
    let Ok(turn) = waiting.await else {
        return busy();
    };
    let requester = caller.requester(request);
    let asked = Asked { shared, caller, origin, requester, content: &content, target, turn };
    match asked.answer(request.method() == Method::HEAD).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(%requester, %error, "a request was not met");
            unavailable(&error, request.headers())
        }
    }
}

/// A request for blocks whose turn has come.
struct Asked<'a> {
    shared: &'a Arc<Shared>,
    caller: Caller,
    origin: &'a Origin,
    requester: Requester,
    content: &'a GatewayRequest,
    target: &'a str,
    turn: Turn,
}

impl Asked<'_> {
    async fn answer(self, head_only: bool) -> Result<Response<Answer>, ReadError> {
        match (self.content.format, head_only) {
            (Format::Raw, true) => self.block_head().await,
            (Format::Raw, false) => self.block().await,
            (Format::Car, _) => self.car(head_only).await,
        }
    }

    async fn block_head(self) -> Result<Response<Answer>, ReadError> {
        let (blocks, cid) = (self.blocks(), self.content.root);
        let size = finished(spawn_blocking(move || size_of_block(&blocks, &cid)).await)?;
        let mut response = head(self.content, self.target, StatusCode::OK, Answer::Text(None));
        response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
        Ok(response)
    }

    async fn block(self) -> Result<Response<Answer>, ReadError> {
        let (blocks, cid) = (self.blocks(), self.content.root);
        let block = finished(spawn_blocking(move || read_block(&blocks, &cid)).await)?;
        let (content, target) = (self.content, self.target);
        let body = Answer::Block(Some(block), Box::new(self.account()));
        Ok(head(content, target, StatusCode::OK, body))
    }

    /// The first piece is read before the answer begins, so that what is not
    /// here is answered with 404.
    async fn car(self, head_only: bool) -> Result<Response<Answer>, ReadError> {
        let reader = Box::new(CarReader::new(self.blocks(), self.content));
        let (reader, first) = finished(
            spawn_blocking(|| {
                let (reader, first) = reader.step();
                first.map(|first| (reader, first))
            })
            .await,
        )?;
        let (content, target) = (self.content, self.target);
        let body = match first {
            Some(first) if !head_only => {
                let read_ahead = (self.shared.read_ahead.clone(), self.origin.clone());
                Answer::Car(Box::new(CarBody::new(first, reader, read_ahead, self.account())))
            }
            _ => Answer::Text(None),
        };
        Ok(head(content, target, StatusCode::OK, body))
    }

    fn blocks(&self) -> Reader {
        self.shared.serving.reader(self.requester)
    }

    fn account(self) -> Account {
        let exchange = self.caller.exchange();
        let given = self.shared.serving.account(self.requester, exchange, self.content.root);
        Account::new(self.shared, given, self.turn)
    }
}

/// What another thread found; its panic goes on here.
fn finished<T>(result: Result<Result<T, ReadError>, JoinError>) -> Result<T, ReadError> {
    match result {
        Ok(result) => result,
        Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
        Err(_) => Err(ReadError::Stopped),
    }
}

/// An answer about blocks, with all that the specification wants in its head.
fn head(
    content: &GatewayRequest,
    target: &str,
    status: StatusCode,
    body: Answer,
) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let canonical = content.target();
    let path = canonical.split('?').next().unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(IMMUTABLE));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content.content_type()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    set(headers, header::ETAG, &content.etag());
    set(headers, header::CONTENT_DISPOSITION, &content.content_disposition());
    set(headers, X_IPFS_PATH, path);
    if canonical != target {
        set(headers, header::CONTENT_LOCATION, &canonical);
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn json(text: &'static str) -> Response<Answer> {
    let mut response = Response::new(Answer::Text(Some(Bytes::from_static(text.as_bytes()))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A sentence with a status.
fn sentence(status: StatusCode, sentence: &str) -> Response<Answer> {
    let mut response = Response::new(Answer::Text(Some(format!("{sentence}\n").into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refusal(error: &RequestError) -> Response<Answer> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = sentence(status, &error.whole());
    if *error == RequestError::Method {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// A request for a host that is not this server.
pub(super) fn misdirected() -> Response<Answer> {
    let text = "this server has another name; --http-host gives it more";
    sentence(StatusCode::MISDIRECTED_REQUEST, text)
}

fn busy() -> Response<Answer> {
    let mut response = sentence(
        StatusCode::TOO_MANY_REQUESTS,
        "too many requests are being answered; try again in a moment",
    );
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    response
}

/// What is not here or cannot be read. The reason stays here: it may name a
/// file of the user's.
fn unavailable(error: &ReadError, asked: &HeaderMap) -> Response<Answer> {
    let cached_only = joined(asked, &header::CACHE_CONTROL).contains("only-if-cached");
    match error.status() {
        404 if cached_only => {
            sentence(StatusCode::PRECONDITION_FAILED, "the block is not at hand here")
        }
        404 => sentence(StatusCode::NOT_FOUND, &error.public_reason()),
        400 => sentence(StatusCode::BAD_REQUEST, &error.public_reason()),
        _ => sentence(StatusCode::INTERNAL_SERVER_ERROR, &error.public_reason()),
    }
}

/// All values of a header as one list; what is not text is left out.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(", ")
}

/// Whether an `If-None-Match` list names this tag, weak or strong.
fn names(list: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    !list.is_empty() && list.split(',').any(|one| one.trim() == "*" || plain(one) == plain(tag))
}

// A client must still be waiting when it is told that there is no room.
const _: () = assert!(GATEWAY_TURN_MILLISECONDS < GATEWAY_STALL_SECONDS * 1_000);
