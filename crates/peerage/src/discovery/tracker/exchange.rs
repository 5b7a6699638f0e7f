//! One question to one tracker, and what to believe of its answer.

use crate::limits::{
    MAX_ADDRESSES_PER_PEER, MAX_RENDEZVOUS_ANSWER_BYTES, MAX_TRACKER_ANSWER_BYTES,
    MAX_TRACKER_COOKIE_BYTES, MAX_TRACKER_PAGES, MAX_TRACKER_RESULTS, MAX_TRACKER_SENTENCE_BYTES,
};
use libp2p::{Multiaddr, PeerId};
use peerage_core::discovery::rendezvous::{self, Registration, Status};
use peerage_core::discovery::tracker::{self, PeerAddresses};
use peerage_core::discovery::{Key, LegacyPeerRecord, SignedPeerRecord};
use peerage_core::text::for_terminal;

use super::super::{Finding, WayError};
use super::frame::{self, FrameError};
use crate::node::Stream;
use crate::routing::of_peer;

impl From<FrameError> for WayError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => Self::Unavailable(error.to_string()),
            other => Self::Malformed(other.to_string()),
        }
    }
}

fn malformed(reason: impl ToString) -> WayError {
    WayError::Malformed(reason.to_string())
}

/// A refusal in the tracker's words, made safe to show.
fn refused(sentence: &str) -> WayError {
    let sentence = &sentence[..sentence.floor_char_boundary(MAX_TRACKER_SENTENCE_BYTES)];
    let shown = for_terminal(sentence, MAX_TRACKER_SENTENCE_BYTES);
    WayError::Unavailable(format!("it refused: {shown:?}"))
}

/// Sends one message of `/peerage/tracker/1` and reads the answer.
pub(super) async fn ask(
    stream: &mut Stream,
    request: &tracker::Message,
) -> Result<tracker::Message, WayError> {
    let broken = |error: std::io::Error| WayError::Unavailable(error.to_string());
    frame::write(stream, &request.encode()).await.map_err(broken)?;
    let answer = frame::read(stream, MAX_TRACKER_ANSWER_BYTES).await?;
    let answer = answer.ok_or_else(|| WayError::Unavailable("it did not answer".to_owned()))?;
    match tracker::Message::decode(&answer).map_err(malformed)? {
        tracker::Message::Error(kind) => Err(refused(&format!("{kind:?}"))),
        tracker::Message::Refused(sentence) => Err(refused(&sentence)),
        answer => Ok(answer),
    }
}

/// Announces by `/peerage/tracker/1`.
pub(super) async fn announce(
    stream: &mut Stream,
    announcement: &tracker::Message,
) -> Result<(), WayError> {
    match ask(stream, announcement).await? {
        tracker::Message::ClientAnnouncementOk => Ok(()),
        _ => Err(malformed("another answer than to an announcement")),
    }
}

/// Looks a key up by `/peerage/tracker/1`.
pub(super) async fn find(stream: &mut Stream, key: &Key) -> Result<Vec<Finding>, WayError> {
    if let Key::Peer(peer) = key {
        return query(stream, *peer).await;
    }
    let (mut found, mut cookie) = (Vec::new(), None);
    for _ in 0..MAX_TRACKER_PAGES {
        let limit = Some(MAX_TRACKER_RESULTS as u64);
        let request = tracker::Message::FindKey { key: key.to_string(), limit, cookie };
        let answer = ask(stream, &request).await?;
        let tracker::Message::FindKeyResponse { peers, cookie: next } = answer else {
            return Err(malformed("another answer than to a question for a key"));
        };
        for peer in &peers {
            found.push(read_peer(peer)?);
        }
        if peers.len() < MAX_TRACKER_RESULTS || cookie == Some(next) {
            break;
        }
        cookie = Some(next);
    }
    Ok(found)
}

async fn query(stream: &mut Stream, peer: PeerId) -> Result<Vec<Finding>, WayError> {
    let request = tracker::Message::QueryClientAnnouncement(vec![peer.to_base58()]);
    match ask(stream, &request).await? {
        tracker::Message::QueryClientAnnouncementResponse(peers) => {
            let found: Vec<_> = peers.iter().map(read_peer).collect::<Result<_, _>>()?;
            if found.iter().any(|finding| finding.peer != peer) {
                return Err(malformed("a peer that was not asked for"));
            }
            Ok(found)
        }
        _ => Err(malformed("another answer than to a query")),
    }
}

/// A peer of an answer. A record that is there must be the peer's own.
fn read_peer(answer: &PeerAddresses) -> Result<Finding, WayError> {
    let peer = answer.peer().ok_or_else(|| malformed("a peer id that is none"))?;
    let Some(record) = &answer.record else {
        let addresses = answer.addresses.iter().take(MAX_ADDRESSES_PER_PEER);
        let addresses = addresses.filter_map(|text| of_peer(&text.parse().ok()?, &peer));
        return Ok(Finding { peer, addresses: addresses.collect(), record: None });
    };
    let record = SignedPeerRecord::decode(record).map_err(malformed)?;
    if record.peer() != peer {
        return Err(malformed("the record of another peer"));
    }
    Ok(of_record(record))
}

fn of_record(record: SignedPeerRecord) -> Finding {
    let peer = record.peer();
    Finding { peer, addresses: bare(peer, record.addresses()), record: Some(record) }
}

/// The addresses of a record without the peer at their end; those that end with
/// another are left out.
fn bare(peer: PeerId, addresses: &[Multiaddr]) -> Vec<Multiaddr> {
    addresses.iter().filter_map(|address| of_peer(address, &peer)).collect()
}

/// Sends one message of rendezvous and reads the answer; `None` when the point
/// ends the stream instead.
async fn ask_point(
    stream: &mut Stream,
    request: &rendezvous::Message,
) -> Result<Option<rendezvous::Message>, WayError> {
    let sent = frame::write(stream, &request.encode()).await;
    sent.map_err(|error| WayError::Unavailable(error.to_string()))?;
    match frame::read(stream, MAX_RENDEZVOUS_ANSWER_BYTES).await {
        Ok(None) | Err(FrameError::Io(_)) => Ok(None),
        Ok(Some(answer)) => rendezvous::Message::decode(&answer).map(Some).map_err(malformed),
        Err(error) => Err(error.into()),
    }
}

/// What became of a registration.
#[derive(Debug)]
pub(super) enum Registered {
    /// It is kept for so many seconds.
    For(u64),
    /// The point does not read this form of record.
    Unread,
}

/// Registers at a rendezvous point.
pub(super) async fn register(
    stream: &mut Stream,
    namespace: String,
    record: Vec<u8>,
) -> Result<Registered, WayError> {
    let registration = Registration { namespace, record, ttl: None };
    match ask_point(stream, &rendezvous::Message::Register(registration)).await? {
        Some(rendezvous::Message::Registered(Ok(ttl))) => Ok(Registered::For(ttl)),
        None | Some(rendezvous::Message::Registered(Err((Status::InvalidRecord, _)))) => {
            Ok(Registered::Unread)
        }
        Some(rendezvous::Message::Registered(Err((_, text)))) => Err(refused(&text)),
        Some(_) => Err(malformed("another answer than to a registration")),
    }
}

/// Asks a rendezvous point for one page: what it found, and a cookie when
/// there may be more.
pub(super) async fn discover(
    stream: &mut Stream,
    namespace: &str,
    cookie: Option<Vec<u8>>,
) -> Result<(Vec<Finding>, Option<Vec<u8>>), WayError> {
    let limit = Some(MAX_TRACKER_RESULTS as u64);
    let named = Some(namespace.to_owned());
    let request = rendezvous::Message::Discover { namespace: named, limit, cookie };
    match ask_point(stream, &request).await? {
        Some(rendezvous::Message::Discovered(Ok((registrations, cookie)))) => {
            if registrations.len() > MAX_TRACKER_RESULTS || cookie.len() > MAX_TRACKER_COOKIE_BYTES
            {
                return Err(malformed("more than was asked for"));
            }
            let found = registrations.iter().map(|one| read_registration(one, namespace));
            let found = found.collect::<Result<Vec<_>, _>>()?;
            let more = found.len() == MAX_TRACKER_RESULTS;
            Ok((found, more.then_some(cookie)))
        }
        Some(rendezvous::Message::Discovered(Err((_, text)))) => Err(refused(&text)),
        Some(_) => Err(malformed("another answer than to a question")),
        None => Err(WayError::Unavailable("it did not answer".to_owned())),
    }
}

fn read_registration(registration: &Registration, namespace: &str) -> Result<Finding, WayError> {
    if registration.namespace != namespace {
        return Err(malformed("a namespace that was not asked for"));
    }
    match SignedPeerRecord::decode(&registration.record) {
        Ok(record) => Ok(of_record(record)),
        // As good as the other form, but other ways do not read it.
        Err(error) => {
            let record = LegacyPeerRecord::decode(&registration.record);
            let record = record.map_err(|_| malformed(error))?;
            let addresses = bare(record.peer(), record.addresses());
            Ok(Finding { peer: record.peer(), addresses, record: None })
        }
    }
}

/// Takes a registration back; that is not answered.
pub(super) async fn unregister(stream: &mut Stream, namespace: String) -> Result<(), WayError> {
    let request = rendezvous::Message::Unregister { namespace };
    ask_point(stream, &request).await.map(|_| ())
}
