use std::time::Duration;

use libp2p_identity::{Keypair, PeerId};
use proptest::prelude::*;
use serde_bytes::ByteBuf;

use super::*;
use crate::discovery::SignedPeerRecord;
use crate::discovery::registry::{Caller, Refusal, Registry};
use crate::limits::{MAX_TRACKER_QUERY_PEERS, MAX_TRACKER_RESULTS};

const VECTORS: &str = include_str!("../../../tests/vectors/tracker-1.txt");
const A: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
const B: &str = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq";
const NOW: Duration = Duration::from_secs(1_700_000_000);

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn addresses() -> Vec<String> {
    strings(&["/ip4/192.0.2.1/tcp/4001", "/ip4/10.0.0.2/udp/4001/quic-v1"])
}

fn plain(peer_id: &str, addresses: Vec<String>) -> Message {
    Message::ClientAnnouncement {
        peer_id: peer_id.to_owned(),
        addresses,
        record: None,
        legacy_record: None,
        keys: Vec::new(),
        ttl: None,
    }
}

fn peer(id: &str, addresses: Vec<String>) -> PeerAddresses {
    PeerAddresses { peer_id: id.to_owned(), addresses, record: None }
}

fn meant(name: &str) -> Message {
    let first = || addresses()[..1].to_vec();
    match name {
        "announcement" => plain(A, addresses()),
        "announcement-extended" => Message::ClientAnnouncement {
            peer_id: A.to_owned(),
            addresses: first(),
            record: Some(ByteBuf::from([1, 2])),
            legacy_record: Some(ByteBuf::from([3])),
            keys: strings(&["topic:lisbon"]),
            ttl: Some(600),
        },
        "announcement-ok" => Message::ClientAnnouncementOk,
        "query" => Message::QueryClientAnnouncement(strings(&[A, B])),
        "response" => Message::QueryClientAnnouncementResponse(vec![peer(A, addresses())]),
        "response-extended" => {
            let record = Some(ByteBuf::from([1, 2]));
            let one = PeerAddresses { record, ..peer(A, first()) };
            Message::QueryClientAnnouncementResponse(vec![one])
        }
        "response-empty" => Message::QueryClientAnnouncementResponse(Vec::new()),
        "invalid-auth" => Message::Error(ErrorKind::InvalidAuthErr),
        "invalid-request" => Message::Error(ErrorKind::InvalidReqErr),
        "internal-error" => Message::Error(ErrorKind::InternalServerErr),
        "find" => Message::FindKey { key: "topic:lisbon".to_owned(), limit: None, cookie: None },
        "find-on" => Message::FindKey {
            key: "topic:lisbon".to_owned(),
            limit: Some(32),
            cookie: Some(70_000),
        },
        "found" => Message::FindKeyResponse { peers: vec![peer(B, Vec::new())], cookie: 70_001 },
        "withdraw" => Message::Withdraw,
        "withdraw-ok" => Message::WithdrawOk,
        "refused" => Message::Refused("the registry is full".to_owned()),
        other => panic!("no meaning is known of {other}"),
    }
}

#[test]
fn other_softwares_messages_are_read_and_ours_are_theirs() {
    for line in VECTORS.lines() {
        let (name, hex) = line.split_once(' ').unwrap();
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        let message = meant(name.trim_start_matches("read:"));
        assert_eq!(Message::decode(&bytes), Ok(message.clone()), "{name}");
        if !name.starts_with("read:") {
            assert_eq!(message.encode(), bytes, "{name}");
        }
    }
}

/// The seed's definition, which knows nothing of what was added.
#[test]
fn a_reader_of_the_seeds_definition_passes_over_additions() {
    #[derive(serde::Deserialize)]
    enum Seed {
        ClientAnnouncement { peer_id: String, addresses: Vec<String> },
        QueryClientAnnouncementResponse(Vec<SeedPeer>),
    }
    #[derive(serde::Deserialize)]
    struct SeedPeer {
        peer_id: String,
    }
    let read = |name| rmp_serde::from_slice::<Seed>(&meant(name).encode()).unwrap();
    let Seed::ClientAnnouncement { peer_id, addresses } = read("announcement-extended") else {
        panic!("another message");
    };
    assert_eq!((peer_id.as_str(), addresses.len()), (A, 1));
    let Seed::QueryClientAnnouncementResponse(peers) = read("response-extended") else {
        panic!("another message");
    };
    assert_eq!(peers[0].peer_id, A);
}

#[test]
fn what_is_no_message_is_refused() {
    let message = Message::Withdraw.encode();
    assert!(Message::decode(&[&message[..], &[0]].concat()).is_err(), "more than a message");
    assert!(Message::decode(&message[..message.len() - 1]).is_err(), "less than one");
    assert!(Message::decode(&[]).is_err());
    assert!(Message::decode(&[0x91; 5000]).is_err(), "deeper than any message");
    let many =
        |count| Message::FindKeyResponse { peers: vec![peer(A, Vec::new()); count], cookie: 0 };
    assert!(Message::decode(&many(MAX_TRACKER_RESULTS).encode()).is_ok());
    assert!(Message::decode(&many(MAX_TRACKER_RESULTS + 1).encode()).is_err());
    let large = Message::Refused("x".repeat(crate::limits::MAX_TRACKER_ANSWER_BYTES));
    assert!(matches!(Message::decode(&large.encode()), Err(DecodeError::TooLarge(_))));
}

fn key(secret: u8) -> Keypair {
    Keypair::ed25519_from_bytes([secret; 32]).unwrap()
}

fn hub() -> Registry {
    Registry::new(key(99).public().to_peer_id())
}

fn caller(secret: u8) -> Caller {
    let seen = vec![[192, 0, 2, secret].into()];
    Caller { peer: key(secret).public().to_peer_id(), seen }
}

fn signed(secret: u8, sequence: u64) -> SignedPeerRecord {
    let address = format!("/ip4/192.0.2.{secret}/tcp/1").parse().unwrap();
    SignedPeerRecord::sign(&key(secret), sequence, vec![address]).unwrap()
}

fn announcement(secret: u8, keys: &[&str]) -> Message {
    Message::announcement(&signed(secret, 1), None, strings(keys), 600)
}

fn ids(response: Message) -> Vec<PeerId> {
    match response {
        Message::QueryClientAnnouncementResponse(peers)
        | Message::FindKeyResponse { peers, .. } => {
            peers.iter().map(|one| one.peer().unwrap()).collect()
        }
        other => panic!("not peers: {other:?}"),
    }
}

#[test]
fn who_announced_is_found_by_id_and_by_key() {
    let mut hub = hub();
    let announced = answer(&mut hub, &caller(1), announcement(1, &["topic:lisbon"]), NOW);
    assert_eq!(announced, Message::ClientAnnouncementOk);

    let (own, unknown) = (caller(1).peer, caller(7).peer.to_base58());
    let query = Message::QueryClientAnnouncement(vec![unknown, own.to_base58()]);
    let Message::QueryClientAnnouncementResponse(found) = answer(&mut hub, &caller(2), query, NOW)
    else {
        panic!("no answer")
    };
    assert_eq!(found.len(), 1, "unknown peers are left out");
    assert_eq!(found[0].addresses, ["/ip4/192.0.2.1/tcp/1"]);
    let record = SignedPeerRecord::decode(found[0].record.as_ref().unwrap());
    assert_eq!(record.unwrap(), signed(1, 1));

    let find = |hub: &mut Registry, key: &str, cookie| {
        let request = Message::FindKey { key: key.to_owned(), limit: None, cookie };
        answer(hub, &caller(2), request, NOW)
    };
    assert_eq!(ids(find(&mut hub, "topic:lisbon", None)), [own]);
    assert!(ids(find(&mut hub, "topic:porto", None)).is_empty());
    let last = hub.last();
    assert!(ids(find(&mut hub, "topic:lisbon", Some(last))).is_empty());
    assert_eq!(ids(find(&mut hub, "topic:lisbon", Some(1 << 40))), [own], "before a restart");
    assert!(matches!(find(&mut hub, "lisbon", None), Message::Refused(_)));

    assert_eq!(answer(&mut hub, &caller(1), Message::Withdraw, NOW), Message::WithdrawOk);
    assert!(ids(find(&mut hub, "topic:lisbon", None)).is_empty());
}

#[test]
fn nobody_announces_another() {
    let mut hub = hub();
    let forged = answer(&mut hub, &caller(2), announcement(1, &[]), NOW);
    assert_eq!(forged, Message::Error(ErrorKind::InvalidAuthErr));
    let Message::ClientAnnouncement { addresses, record, .. } = announcement(1, &[]) else {
        panic!("another message")
    };
    // Under its own name, with another one's record.
    let mixed = Message::ClientAnnouncement {
        peer_id: caller(2).peer.to_base58(),
        addresses,
        record,
        legacy_record: None,
        keys: Vec::new(),
        ttl: None,
    };
    let mixed = answer(&mut hub, &caller(2), mixed, NOW);
    assert_eq!(mixed, Message::Error(ErrorKind::InvalidAuthErr));
    assert_eq!(hub.counters().refused[&Refusal::NotYours], 2);
    assert_eq!(hub.peers(), 0);
}

#[test]
fn the_seeds_clients_are_served_as_it_says() {
    let mut hub = hub();
    let own = caller(1).peer.to_base58();
    let announced = plain(&own, strings(&["192.168.0.1", "/ip4/192.0.2.1/tcp/1"]));
    assert_eq!(answer(&mut hub, &caller(1), announced, NOW), Message::ClientAnnouncementOk);
    let query = Message::QueryClientAnnouncement(vec![own.clone()]);
    let Message::QueryClientAnnouncementResponse(found) =
        answer(&mut hub, &caller(2), query, NOW + Duration::from_secs(3599))
    else {
        panic!("no answer")
    };
    assert_eq!(found, [peer(&own, strings(&["/ip4/192.0.2.1/tcp/1"]))]);

    let useless = plain(&own, strings(&["192.168.0.1"]));
    let refused = Message::Error(ErrorKind::InvalidReqErr);
    assert_eq!(answer(&mut hub, &caller(1), useless, NOW), refused);
    let query = |count| Message::QueryClientAnnouncement(vec![own.clone(); count]);
    let most = answer(&mut hub, &caller(2), query(MAX_TRACKER_QUERY_PEERS), NOW);
    assert!(matches!(most, Message::QueryClientAnnouncementResponse(_)));
    let many = answer(&mut hub, &caller(2), query(MAX_TRACKER_QUERY_PEERS + 1), NOW);
    assert_eq!(many, refused);
    assert_eq!(answer(&mut hub, &caller(2), Message::WithdrawOk, NOW), refused);
}

#[test]
fn the_fullest_answer_can_be_read() {
    let mut hub = hub();
    for secret in 1..=60 {
        // As many addresses, and of as long a text, as a record may have.
        let hashes = "/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g".repeat(4);
        let addresses = (1..=crate::limits::MAX_ADDRESSES_PER_PEER).map(|port| {
            format!("/ip4/192.0.2.{secret}/udp/{port}/webrtc-direct{hashes}").parse().unwrap()
        });
        let record = SignedPeerRecord::sign(&key(secret), 1, addresses.collect()).unwrap();
        let message = Message::announcement(&record, None, strings(&["topic:t"]), 600);
        let announced = answer(&mut hub, &caller(secret), message, NOW);
        assert_eq!(announced, Message::ClientAnnouncementOk);
    }
    let find = Message::FindKey { key: "topic:t".to_owned(), limit: Some(999), cookie: None };
    let full = answer(&mut hub, &caller(1), find, NOW);
    assert_eq!(ids(Message::decode(&full.encode()).unwrap()).len(), MAX_TRACKER_RESULTS);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message.clone()));
            answer(&mut hub(), &caller(1), message, NOW);
        }
    }
}
