use std::time::Duration;

use libp2p_core::PeerRecord;
use libp2p_identity::Keypair;
use proptest::prelude::*;

use super::*;
use crate::discovery::registry::{Caller, RecordForm, Registry, Statement};
use crate::discovery::{Key, LegacyPeerRecord, SignedPeerRecord};
use crate::limits::{
    MAX_RENDEZVOUS_NAMESPACE_BYTES, MAX_TRACKER_RESULTS, REGISTRY_MAX_TTL_SECONDS,
};

const NOW: Duration = Duration::from_secs(1_700_000_000);
const CID: &str = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";

fn key(secret: u8) -> Keypair {
    Keypair::ed25519_from_bytes([secret; 32]).unwrap()
}

fn hub() -> Registry {
    Registry::new(key(99).public().to_peer_id())
}

fn caller(secret: u8) -> Caller {
    Caller { peer: key(secret).public().to_peer_id(), seen: vec![[192, 0, 2, secret].into()] }
}

fn standard(secret: u8) -> SignedPeerRecord {
    let address = format!("/ip4/192.0.2.{secret}/tcp/1").parse().unwrap();
    SignedPeerRecord::sign(&key(secret), 1, vec![address]).unwrap()
}

fn registration(secret: u8, namespace: &str, ttl: Option<u64>) -> Message {
    let (namespace, record) = (namespace.to_owned(), standard(secret).encode());
    Message::Register(Registration { namespace, record, ttl })
}

fn ask(hub: &mut Registry, who: u8, request: Message) -> Message {
    answer(hub, &caller(who), RecordForm::Standard, request, NOW).expect("an answer")
}

fn discover(
    hub: &mut Registry,
    namespace: Option<&str>,
    limit: Option<u64>,
    cookie: Option<Vec<u8>>,
) -> Result<(Vec<Registration>, Vec<u8>), Status> {
    let namespace = namespace.map(ToOwned::to_owned);
    match ask(hub, 50, Message::Discover { namespace, limit, cookie }) {
        Message::Discovered(outcome) => outcome.map_err(|(status, _)| status),
        other => panic!("not what was asked for: {other:?}"),
    }
}

fn refused(answer: Message) -> Status {
    match answer {
        Message::Registered(Err((status, _))) => status,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn registered_peers_are_discovered_page_by_page() {
    let mut hub = hub();
    for secret in 1..=5 {
        let answer = ask(&mut hub, secret, registration(secret, "lisbon", None));
        assert_eq!(answer, Message::Registered(Ok(7200)));
    }
    let (first, cookie) = discover(&mut hub, Some("lisbon"), Some(3), None).unwrap();
    assert_eq!(first.len(), 3);
    assert_eq!((first[0].ttl, first[0].record.clone()), (Some(7200), standard(1).encode()));
    let (rest, cookie) = discover(&mut hub, Some("lisbon"), Some(3), Some(cookie)).unwrap();
    assert_eq!(rest.len(), 2);
    let (none, cookie) = discover(&mut hub, Some("lisbon"), None, Some(cookie)).unwrap();
    assert!(none.is_empty());

    ask(&mut hub, 6, registration(6, "lisbon", Some(600)));
    let (new, _) = discover(&mut hub, Some("lisbon"), None, Some(cookie.clone())).unwrap();
    assert_eq!(new.len(), 1, "only what is new");
    assert_eq!(
        discover(&mut hub, Some("porto"), None, Some(cookie.clone())),
        Err(Status::InvalidCookie)
    );
    assert_eq!(discover(&mut hub, None, None, Some(cookie)), Err(Status::InvalidCookie));
    assert_eq!(discover(&mut hub, None, None, Some(vec![0xff; 8])), Err(Status::InvalidCookie));
    assert_eq!(discover(&mut hub, None, None, Some(vec![0; 7])), Err(Status::InvalidCookie));
    assert_eq!(discover(&mut hub, None, None, None).unwrap().0.len(), 6, "of all namespaces");

    let away = Message::Unregister { namespace: "lisbon".to_owned() };
    assert_eq!(answer(&mut hub, &caller(1), RecordForm::Standard, away, NOW), None);
    assert_eq!(discover(&mut hub, Some("lisbon"), None, None).unwrap().0.len(), 5);
}

#[test]
fn wrong_registrations_are_refused_with_their_status() {
    let mut hub = hub();
    let mut register = |who, message| ask(&mut hub, who, message);
    assert_eq!(refused(register(2, registration(1, "a", None))), Status::NotAuthorized);
    let long = "x".repeat(MAX_RENDEZVOUS_NAMESPACE_BYTES + 1);
    assert_eq!(refused(register(1, registration(1, &long, None))), Status::InvalidNamespace);
    assert_eq!(refused(register(1, registration(1, "", None))), Status::InvalidNamespace);
    let over = Some(REGISTRY_MAX_TTL_SECONDS + 1);
    assert_eq!(refused(register(1, registration(1, "a", over))), Status::InvalidTtl);
    let forged = Registration { namespace: "a".to_owned(), record: vec![1; 40], ttl: None };
    assert_eq!(refused(register(1, Message::Register(forged))), Status::InvalidRecord);
    let elsewhere =
        SignedPeerRecord::sign(&key(1), 1, vec!["/ip4/192.0.2.9/tcp/1".parse().unwrap()]);
    let record = elsewhere.unwrap().encode();
    let foreign = Registration { namespace: "a".to_owned(), record, ttl: None };
    assert_eq!(refused(register(1, Message::Register(foreign))), Status::NotAuthorized);
    let longest = register(1, registration(1, "a", Some(REGISTRY_MAX_TTL_SECONDS)));
    assert_eq!(longest, Message::Registered(Ok(REGISTRY_MAX_TTL_SECONDS)));
}

#[test]
fn a_namespace_is_a_topic_a_cid_or_ones_own_id() {
    let mut hub = hub();
    assert!(matches!(key_of(CID), Some(Key::Content(_))));
    assert!(matches!(key_of("lisbon"), Some(Key::Topic(_))));
    for namespace in [CID, "lisbon", &caller(1).peer.to_base58()] {
        let key = key_of(namespace).unwrap();
        assert_eq!(namespace_of(&key).as_deref(), Some(namespace));
    }
    let (own, other) = (caller(1).peer.to_base58(), caller(2).peer.to_base58());
    assert_eq!(ask(&mut hub, 1, registration(1, &own, None)), Message::Registered(Ok(7200)));
    assert_eq!(refused(ask(&mut hub, 1, registration(1, &other, None))), Status::NotAuthorized);
    assert_eq!(discover(&mut hub, Some(&own), None, None).unwrap().0.len(), 1);
    assert!(discover(&mut hub, None, None, None).unwrap().0.is_empty(), "an id is no namespace");
}

#[test]
fn an_answer_has_records_of_one_form() {
    let mut hub = hub();
    let legacy = |secret: u8| {
        let address = format!("/ip4/192.0.2.{secret}/tcp/1").parse().unwrap();
        let record = PeerRecord::new(&key(secret), vec![address]).unwrap();
        record.into_signed_envelope().into_protobuf_encoding()
    };
    let legacy_registration = |secret| {
        let (namespace, record) = ("a".to_owned(), legacy(secret));
        Message::Register(Registration { namespace, record, ttl: None })
    };
    ask(&mut hub, 1, legacy_registration(1));
    let reads = |hub: &mut Registry, who, form| {
        let all = Message::Discover { namespace: Some("a".to_owned()), limit: None, cookie: None };
        match answer(hub, &caller(who), form, all, NOW) {
            Some(Message::Discovered(Ok((found, _)))) => found
                .iter()
                .map(|one| LegacyPeerRecord::decode(&one.record).is_ok())
                .collect::<Vec<_>>(),
            other => panic!("no answer: {other:?}"),
        }
    };
    assert_eq!(reads(&mut hub, 50, RecordForm::Standard), [true], "better than nothing");
    ask(&mut hub, 2, registration(2, "a", None));
    assert_eq!(reads(&mut hub, 50, RecordForm::Standard), [false]);
    assert_eq!(reads(&mut hub, 50, RecordForm::Legacy), [true]);
    assert_eq!(reads(&mut hub, 1, RecordForm::Standard), [true], "as it registered itself");

    // Who announces both forms is seen by both.
    let record = standard(3);
    let both = Statement::both(record.clone(), LegacyPeerRecord::sign(&key(3), &record).unwrap());
    hub.announce(&caller(3), both.unwrap(), &[key_of("a").unwrap()], None, NOW).unwrap();
    assert_eq!(reads(&mut hub, 50, RecordForm::Standard), [false, false]);
    assert_eq!(reads(&mut hub, 50, RecordForm::Legacy), [true, true]);
}

#[test]
fn the_fullest_answer_can_be_read() {
    let mut hub = hub();
    for secret in 1..=40 {
        let hashes = "/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g".repeat(6);
        let address = format!("/ip4/192.0.2.{secret}/udp/1/webrtc-direct{hashes}");
        let addresses = vec![address.parse().unwrap(); crate::limits::MAX_ADDRESSES_PER_PEER];
        let record = SignedPeerRecord::sign(&key(secret), 1, addresses).unwrap().encode();
        let namespace = "n".repeat(MAX_RENDEZVOUS_NAMESPACE_BYTES);
        let message = Message::Register(Registration { namespace, record, ttl: None });
        assert_eq!(ask(&mut hub, secret, message), Message::Registered(Ok(7200)));
    }
    let all = Message::Discover { namespace: None, limit: None, cookie: None };
    let answer = ask(&mut hub, 50, all);
    assert!(
        matches!(&answer, Message::Discovered(Ok((found, _))) if found.len() == MAX_TRACKER_RESULTS)
    );
    assert_eq!(Message::decode(&answer.encode()), Ok(answer));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::decode(&bytes) {
            answer(&mut hub(), &caller(1), RecordForm::Legacy, message, NOW);
        }
    }
}
