//! What a tracker answers.

use std::time::Duration;

use libp2p_identity::PeerId;
use serde_bytes::ByteBuf;

use super::{ErrorKind, Message, PeerAddresses};
use crate::advice::Advice as _;
use crate::discovery::registry::{Caller, Listing, Question, Refusal, Registry, Statement};
use crate::discovery::{Key, LegacyPeerRecord, SignedPeerRecord};
use crate::identity::parse_peer_id;
use crate::limits::{MAX_TRACKER_QUERY_PEERS, MAX_TRACKER_RESULTS};

/// Why a request is not answered as it wishes.
enum Fault {
    Registry(Refusal),
    Request(&'static str),
}

/// Answers the request of a peer.
pub fn answer(
    registry: &mut Registry,
    caller: &Caller,
    request: Message,
    now: Duration,
) -> Message {
    match request {
        Message::QueryClientAnnouncement(peers) => query(registry, &peers, now),
        Message::FindKey { key, limit, cookie } => find(registry, &key, limit, cookie, now),
        Message::Withdraw => {
            registry.withdraw(&caller.peer);
            Message::WithdrawOk
        }
        Message::ClientAnnouncement { peer_id, addresses, record, legacy_record, keys, ttl } => {
            if parse_peer_id(&peer_id).ok() != Some(caller.peer) {
                registry.count_refusal(Refusal::NotYours);
                return Message::Error(ErrorKind::InvalidAuthErr);
            }
            let extended = record.is_some() || !keys.is_empty() || ttl.is_some();
            let outcome = statement(caller.peer, &addresses, record, legacy_record)
                .and_then(|statement| Ok((statement, read_keys(&keys)?)))
                .and_then(|(statement, keys)| {
                    let ttl = ttl.map(Duration::from_secs);
                    let kept = registry.announce(caller, statement, &keys, ttl, now);
                    kept.map_err(Fault::Registry)
                });
            match outcome {
                Ok(_) => Message::ClientAnnouncementOk,
                Err(fault) => fault.answer(extended),
            }
        }
        // Answers are no requests.
        _ => Message::Error(ErrorKind::InvalidReqErr),
    }
}

impl Fault {
    /// The answer for one who knows `Refused`, or does not.
    fn answer(&self, extended: bool) -> Message {
        match self {
            Self::Registry(Refusal::NotYours) => Message::Error(ErrorKind::InvalidAuthErr),
            Self::Registry(refusal) if extended => Message::Refused(refusal.whole()),
            Self::Request(sentence) if extended => Message::Refused((*sentence).to_owned()),
            Self::Registry(Refusal::Full | Refusal::NetworkFull) => {
                Message::Error(ErrorKind::InternalServerErr)
            }
            _ => Message::Error(ErrorKind::InvalidReqErr),
        }
    }
}

/// What is announced. A signed record says all; its addresses as text are for
/// others.
fn statement(
    peer: PeerId,
    addresses: &[String],
    record: Option<ByteBuf>,
    legacy: Option<ByteBuf>,
) -> Result<Statement, Fault> {
    let forged = Fault::Request("the signed record is damaged, forged or too large; sign it anew");
    let Some(record) = record else {
        // Bare IP addresses, which Spacedrive's clients sent, lead nowhere.
        let read = addresses.iter().filter_map(|text| text.parse().ok());
        return Ok(Statement::unsigned(peer, read));
    };
    let Ok(record) = SignedPeerRecord::decode(&record) else { return Err(forged) };
    match legacy.map(|legacy| LegacyPeerRecord::decode(&legacy)) {
        None => Ok(Statement::signed(record)),
        Some(Ok(legacy)) => Statement::both(record, legacy).map_err(Fault::Registry),
        Some(Err(_)) => Err(forged),
    }
}

fn read_keys(texts: &[String]) -> Result<Vec<Key>, Fault> {
    let keys: Result<_, _> = texts.iter().map(|text| text.parse()).collect();
    keys.map_err(|_| Fault::Request("a key is no CID and no `topic:NAME`"))
}

fn query(registry: &mut Registry, peers: &[String], now: Duration) -> Message {
    let ids: Option<Vec<_>> = peers.iter().map(|text| parse_peer_id(text).ok()).collect();
    match ids {
        Some(ids) if ids.len() <= MAX_TRACKER_QUERY_PEERS => {
            let found = registry.find_peers(&ids, now);
            let peers = found.iter().map(PeerAddresses::of).collect();
            Message::QueryClientAnnouncementResponse(peers)
        }
        _ => Message::Error(ErrorKind::InvalidReqErr),
    }
}

fn find(
    registry: &mut Registry,
    key: &str,
    limit: Option<u64>,
    cookie: Option<u64>,
    now: Duration,
) -> Message {
    let Ok(key) = key.parse() else {
        return Fault::Request("the key is no peer id, no CID and no `topic:NAME`").answer(true);
    };
    // A number that was never given out is from before a restart.
    let after = cookie.filter(|number| *number <= registry.last()).unwrap_or(0);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let limit = limit.min(MAX_TRACKER_RESULTS);
    let page = registry.find(&Question { key: Some(key), after, limit, form: None }, now);
    let listings = page.found.iter().map(|found| &found.listing);
    let peers = listings.map(|listing: &Listing| PeerAddresses::of(listing)).collect();
    Message::FindKeyResponse { peers, cookie: page.next }
}
