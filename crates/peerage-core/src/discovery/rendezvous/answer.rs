//! What a rendezvous point answers.

use std::time::Duration;

use cid::Cid;

use super::message::Refused;
use super::{Message, Registration, Status};
use crate::advice::Advice as _;
use crate::discovery::registry::{
    Caller, Found, Question, RecordForm, Refusal, Registry, Statement,
};
use crate::discovery::{Key, LegacyPeerRecord, SignedPeerRecord, Topic};
use crate::identity::parse_peer_id;
use crate::limits::{
    MAX_RENDEZVOUS_NAMESPACE_BYTES, MAX_TRACKER_COOKIE_BYTES, MAX_TRACKER_RESULTS,
    RENDEZVOUS_TTL_SECONDS,
};

/// The key that a namespace stands for; `None` when it is empty, too long, or
/// has control characters.
#[must_use]
pub fn key_of(namespace: &str) -> Option<Key> {
    if namespace.len() > MAX_RENDEZVOUS_NAMESPACE_BYTES {
        return None;
    }
    let peer = parse_peer_id(namespace).ok().map(Key::Peer);
    let content = || Cid::try_from(namespace).ok().map(Key::Content);
    let same = |key: &Key| namespace_of(key).as_deref() == Some(namespace);
    let topic = || Topic::new(namespace).ok().map(Key::Topic);
    peer.filter(same).or_else(|| content().filter(same)).or_else(topic)
}

/// The namespace that a key is registered under; `None` when it is too long.
#[must_use]
pub fn namespace_of(key: &Key) -> Option<String> {
    let namespace = match key {
        Key::Topic(topic) => topic.as_str().to_owned(),
        other => other.to_string(),
    };
    (namespace.len() <= MAX_RENDEZVOUS_NAMESPACE_BYTES).then_some(namespace)
}

/// Answers the request of a peer, whose software is known to read records of
/// the form `reads`. Some requests have no answer.
pub fn answer(
    registry: &mut Registry,
    caller: &Caller,
    reads: RecordForm,
    request: Message,
    now: Duration,
) -> Option<Message> {
    match request {
        Message::Register(registration) => {
            Some(Message::Registered(register(registry, caller, &registration, now)))
        }
        Message::Unregister { namespace } => {
            if let Some(key) = key_of(&namespace) {
                registry.unregister(&caller.peer, &key);
            }
            None
        }
        Message::Discover { namespace, limit, cookie } => {
            let reads = registry.form_of(&caller.peer).unwrap_or(reads);
            let question = question(registry, namespace.as_deref(), limit, cookie, reads);
            let found = question.map(|question| discover(registry, question, namespace, now));
            Some(Message::Discovered(found))
        }
        Message::Registered(_) | Message::Discovered(_) => None,
    }
}

fn register(
    registry: &mut Registry,
    caller: &Caller,
    registration: &Registration,
    now: Duration,
) -> Result<u64, Refused> {
    let key = key_of(&registration.namespace).ok_or_else(bad_namespace)?;
    let statement = statement(&registration.record)?;
    let ttl = registration.ttl.unwrap_or(RENDEZVOUS_TTL_SECONDS);
    let kept = registry.register(caller, statement, &key, Duration::from_secs(ttl), now);
    kept.map_err(|refusal| (status(refusal), refusal.whole()))?;
    Ok(ttl)
}

fn statement(record: &[u8]) -> Result<Statement, Refused> {
    match SignedPeerRecord::decode(record) {
        Ok(record) => Ok(Statement::signed(record)),
        Err(error) => LegacyPeerRecord::decode(record)
            .map(Statement::legacy)
            .map_err(|_| (Status::InvalidRecord, error.to_string())),
    }
}

const fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Stale | Refusal::Contradiction => Status::InvalidRecord,
        Refusal::Ttl => Status::InvalidTtl,
        Refusal::Full | Refusal::NetworkFull | Refusal::Cids | Refusal::Topics => {
            Status::Unavailable
        }
        _ => Status::NotAuthorized,
    }
}

fn bad_namespace() -> Refused {
    let text = format!("a namespace has 1 to {MAX_RENDEZVOUS_NAMESPACE_BYTES} bytes of text");
    (Status::InvalidNamespace, text)
}

fn question(
    registry: &Registry,
    namespace: Option<&str>,
    limit: Option<u64>,
    cookie: Option<Vec<u8>>,
    form: RecordForm,
) -> Result<Question, Refused> {
    let key = namespace.map(|namespace| key_of(namespace).ok_or_else(bad_namespace));
    let after = cookie.map_or(Some(0), |cookie| after(&cookie, namespace.unwrap_or("")));
    let after = after.filter(|after| *after <= registry.last());
    let after = after.ok_or_else(|| {
        (Status::InvalidCookie, "this cookie is not ours; ask without one".to_owned())
    })?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let limit = limit.min(MAX_TRACKER_RESULTS);
    Ok(Question { key: key.transpose()?, after, limit, form: Some(form) })
}

fn discover(
    registry: &mut Registry,
    mut question: Question,
    namespace: Option<String>,
    now: Duration,
) -> (Vec<Registration>, Vec<u8>) {
    let mut page = registry.find(&question, now);
    if page.found.is_empty() {
        question.form = question.form.map(RecordForm::other);
        page = registry.find(&question, now);
    }
    let form = question.form.unwrap_or(RecordForm::Standard);
    let registrations = page.found.iter().filter_map(|found| registration(found, form)).collect();
    (registrations, cookie(page.next, &namespace.unwrap_or_default()))
}

fn registration(found: &Found, form: RecordForm) -> Option<Registration> {
    let listing = &found.listing;
    let record = match form {
        RecordForm::Standard => listing.record.as_ref()?.encode(),
        RecordForm::Legacy => listing.legacy.as_ref()?.encode(),
    };
    let ttl = Some(found.left.as_secs().max(1));
    Some(Registration { namespace: namespace_of(&found.key)?, record, ttl })
}

/// A number in eight bytes, the highest first, and the namespace: the form
/// that rust-libp2p's clients expect.
fn cookie(number: u64, namespace: &str) -> Vec<u8> {
    [&number.to_be_bytes()[..], namespace.as_bytes()].concat()
}

fn after(cookie: &[u8], namespace: &str) -> Option<u64> {
    if cookie.len() > MAX_TRACKER_COOKIE_BYTES {
        return None;
    }
    let (number, of) = cookie.split_first_chunk()?;
    (of == namespace.as_bytes()).then(|| u64::from_be_bytes(*number))
}
