use libp2p_identity::Keypair;

use super::*;
use crate::discovery::Topic;
use crate::limits::{
    MAX_REGISTRY_CIDS_PER_PEER, MAX_REGISTRY_TOPICS_PER_PEER, REGISTRY_MAX_TTL_SECONDS,
    REGISTRY_MIN_TTL_SECONDS,
};

const NOW: Duration = Duration::from_secs(1_700_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn key(number: u16) -> Keypair {
    let [high, low] = number.to_be_bytes();
    let mut secret = [7; 32];
    secret[..2].copy_from_slice(&[high, low]);
    Keypair::ed25519_from_bytes(secret).unwrap()
}

fn id(number: u16) -> PeerId {
    key(number).public().to_peer_id()
}

fn registry() -> Registry {
    Registry::new(id(9999))
}

/// A peer with a record of this sequence, at 192.0.2.`host`.
fn peer(number: u16, host: u8, sequence: u64) -> (Caller, Statement) {
    let address = format!("/ip4/192.0.2.{host}/tcp/1").parse().unwrap();
    let record = SignedPeerRecord::sign(&key(number), sequence, vec![address]).unwrap();
    let caller = Caller { peer: record.peer(), seen: vec![[192, 0, 2, host].into()] };
    (caller, Statement::signed(record))
}

fn topic(name: &str) -> Key {
    Key::Topic(Topic::new(name).unwrap())
}

fn cid(number: usize) -> Key {
    Key::Content(crate::data::hash(
        crate::data::codec::RAW,
        crate::data::HashKind::Sha2_256,
        &number.to_le_bytes(),
    ))
}

fn announce(
    registry: &mut Registry,
    who: (Caller, Statement),
    keys: &[Key],
    now: Duration,
) -> Result<Duration, Refusal> {
    registry.announce(&who.0, who.1, keys, None, now)
}

fn under(registry: &mut Registry, key: &Key, now: Duration) -> Vec<PeerId> {
    let question = Question { key: Some(key.clone()), after: 0, limit: 99, form: None };
    registry.find(&question, now).found.iter().map(|found| found.listing.peer).collect()
}

/// Nothing is left in any table.
fn assert_empty(registry: &Registry) {
    assert_eq!((registry.peers(), registry.bytes()), (0, 0));
    assert!(registry.registrations.is_empty() && registry.expiry.is_empty());
    assert!(registry.by_key.is_empty() && registry.networks.is_empty());
}

#[test]
fn what_is_announced_is_found_until_its_time() {
    let mut registry = registry();
    let ttl = announce(&mut registry, peer(1, 1, 1), &[topic("a"), topic("a"), cid(1)], NOW);
    assert_eq!(ttl, Ok(HOUR));
    assert_eq!(under(&mut registry, &topic("a"), NOW), [id(1)]);
    assert_eq!(under(&mut registry, &cid(1), NOW), [id(1)]);
    assert_eq!(under(&mut registry, &Key::Peer(id(1)), NOW), [id(1)]);

    // Said again, with other keys and later.
    announce(&mut registry, peer(1, 1, 1), &[topic("b")], NOW + HOUR / 2).unwrap();
    assert!(under(&mut registry, &topic("a"), NOW + HOUR / 2).is_empty());
    assert_eq!(under(&mut registry, &topic("b"), NOW + HOUR), [id(1)]);
    assert_eq!(registry.live(NOW + HOUR).count(), 1);
    assert_eq!(registry.live(NOW + HOUR * 2).count(), 0, "even before a sweep");
    assert!(registry.peer(&id(1), NOW + HOUR * 2).is_none());

    registry.sweep(NOW + HOUR * 2);
    assert_empty(&registry);
    assert_eq!((registry.counters().accepted, registry.counters().expired), (2, 2));
}

#[test]
fn the_newest_announcement_is_told_first_and_each_peer_once() {
    let mut registry = registry();
    for number in [1, 2, 3, 1] {
        announce(&mut registry, peer(number, 1, 1), &[topic("a"), topic("b")], NOW).unwrap();
    }
    let live: Vec<_> = registry.live(NOW).map(|listing| listing.peer).collect();
    assert_eq!(live, [id(1), id(3), id(2)]);
}

#[test]
fn an_older_record_does_not_replace_a_newer_one() {
    let mut registry = registry();
    announce(&mut registry, peer(1, 1, 5), &[], NOW).unwrap();
    assert_eq!(announce(&mut registry, peer(1, 1, 4), &[], NOW), Err(Refusal::Stale));
    announce(&mut registry, peer(1, 1, 5), &[], NOW).unwrap();
    assert_eq!(announce(&mut registry, peer(1, 2, 5), &[], NOW), Err(Refusal::Stale));
    let (caller, _) = peer(1, 1, 0);
    let unsigned = Statement::unsigned(id(1), ["/ip4/192.0.2.1/tcp/9".parse().unwrap()]);
    let outcome = registry.announce(&caller, unsigned, &[], None, NOW);
    assert_eq!(outcome, Err(Refusal::Stale), "nor does one that nobody signed");
    announce(&mut registry, peer(1, 2, 6), &[], NOW).unwrap();
    let listing = &registry.find_peers(&[id(1)], NOW)[0];
    assert_eq!(listing.record.as_ref().unwrap().sequence(), 6);
    assert_eq!(registry.counters().refused[&Refusal::Stale], 3);
}

#[test]
fn others_and_their_addresses_cannot_be_announced() {
    let mut registry = registry();
    let (_, statement) = peer(1, 1, 1);
    let (other, _) = peer(2, 1, 1);
    let outcome = registry.announce(&other, statement.clone(), &[], None, NOW);
    assert_eq!(outcome, Err(Refusal::NotYours));
    let own = Caller { peer: id(1), seen: vec!["198.51.100.1".parse().unwrap()] };
    let outcome = registry.announce(&own, statement.clone(), &[], None, NOW);
    assert_eq!(outcome, Err(Refusal::ForeignAddress));
    let nowhere = Caller { peer: id(1), seen: Vec::new() };
    assert_eq!(registry.announce(&nowhere, statement, &[], None, NOW), Err(Refusal::Unseen));
    let (caller, statement) = peer(1, 1, 1);
    let outcome = registry.announce(&caller, statement, &[Key::Peer(id(2))], None, NOW);
    assert_eq!(outcome, Err(Refusal::NotYours));
    assert_empty(&registry);
    assert_eq!(registry.counters().refused.values().sum::<u64>(), 4);
}

#[test]
fn what_is_not_vouched_for_is_kept_back() {
    let mut registry = registry();
    let addresses = ["/ip4/192.0.2.1/tcp/1", "/ip6/2001:db8::1/tcp/1"].map(|a| a.parse().unwrap());
    let record = SignedPeerRecord::sign(&key(1), 1, addresses.to_vec()).unwrap();
    let mut caller = Caller { peer: id(1), seen: vec!["192.0.2.1".parse().unwrap()] };
    let statement = Statement::signed(record);
    registry.announce(&caller, statement.clone(), &[], None, NOW).unwrap();
    let listing = registry.peer(&id(1), NOW).unwrap();
    assert_eq!((listing.addresses, listing.record), (vec![addresses[0].clone()], None));
    let ttl = Duration::from_secs(60);
    let outcome = registry.register(&caller, statement.clone(), &topic("a"), ttl, NOW);
    assert_eq!(outcome, Err(Refusal::Unproven));

    // Seen at the other family too, all of it holds.
    caller.seen = vec!["2001:db8::1".parse().unwrap()];
    registry.announce(&caller, statement.clone(), &[], None, NOW).unwrap();
    let listing = registry.peer(&id(1), NOW).unwrap();
    assert_eq!((listing.addresses.len(), listing.record.is_some()), (2, true));
    assert_eq!(registry.register(&caller, statement, &topic("a"), ttl, NOW), Ok(()));
}

#[test]
fn relays_are_known_when_set_or_announced() {
    let mut registry = registry();
    let relayed = |relay: u16| {
        let address = format!("/ip4/203.0.113.1/tcp/1/p2p/{}/p2p-circuit", id(relay));
        let (caller, _) = peer(1, 1, 1);
        let record = SignedPeerRecord::sign(&key(1), 1, vec![address.parse().unwrap()]).unwrap();
        (caller, Statement::signed(record))
    };
    assert_eq!(announce(&mut registry, relayed(9999), &[], NOW), Err(Refusal::NoAddress));
    registry.set_relay(id(9999), &["/ip4/203.0.113.1/udp/1/quic-v1".parse().unwrap()]);
    announce(&mut registry, relayed(9999), &[], NOW).unwrap();
    registry.withdraw(&id(1));

    assert_eq!(announce(&mut registry, relayed(2), &[], NOW), Err(Refusal::NoAddress));
    let address = "/ip4/203.0.113.1/tcp/1".parse().unwrap();
    let record = SignedPeerRecord::sign(&key(2), 1, vec![address]).unwrap();
    let hub = Caller { peer: id(2), seen: vec!["203.0.113.1".parse().unwrap()] };
    registry.announce(&hub, Statement::signed(record), &[], None, NOW).unwrap();
    announce(&mut registry, relayed(2), &[], NOW).unwrap();
}

#[test]
fn times_and_keys_are_bounded_from_both_sides() {
    let mut registry = registry();
    let mut with_ttl = |seconds| {
        let (caller, statement) = peer(1, 1, 1);
        registry.announce(&caller, statement, &[], Some(Duration::from_secs(seconds)), NOW)
    };
    assert_eq!(with_ttl(REGISTRY_MIN_TTL_SECONDS - 1), Err(Refusal::Ttl));
    assert!(with_ttl(REGISTRY_MIN_TTL_SECONDS).is_ok());
    assert!(with_ttl(REGISTRY_MAX_TTL_SECONDS).is_ok());
    assert_eq!(with_ttl(REGISTRY_MAX_TTL_SECONDS + 1), Err(Refusal::Ttl));
    assert_eq!(with_ttl(u64::MAX), Err(Refusal::Ttl));

    let topics = |count| (0..count).map(|n| topic(&n.to_string())).collect::<Vec<_>>();
    let cids = |count| (0..count).map(cid).collect::<Vec<_>>();
    let all = [cids(MAX_REGISTRY_CIDS_PER_PEER), topics(MAX_REGISTRY_TOPICS_PER_PEER)].concat();
    announce(&mut registry, peer(1, 1, 1), &all, NOW).unwrap();
    let many = cids(MAX_REGISTRY_CIDS_PER_PEER + 1);
    assert_eq!(announce(&mut registry, peer(1, 1, 1), &many, NOW), Err(Refusal::Cids));
    let (caller, statement) = peer(1, 1, 1);
    let outcome = registry.register(&caller, statement.clone(), &topic("more"), HOUR, NOW);
    assert_eq!(outcome, Err(Refusal::Topics));
    registry.unregister(&id(1), &topic("0"));
    registry.register(&caller, statement, &topic("more"), HOUR, NOW).unwrap();
    registry.withdraw(&id(1));
    assert_empty(&registry);
}

#[test]
fn a_flood_is_refused_and_puts_nobody_out() {
    let limits = RegistryLimits { peers: 6, bytes: 1 << 20, peers_per_network: 4 };
    let mut registry = Registry::with_limits(id(9999), limits);
    announce(&mut registry, peer(1, 1, 1), &[topic("a")], NOW).unwrap();
    let flood: Vec<_> =
        (10..40).map(|n| announce(&mut registry, peer(n, 2, 1), &[topic("a")], NOW)).collect();
    assert_eq!(flood.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    assert_eq!(registry.counters().refused[&Refusal::NetworkFull], 26);
    // From many networks the registry fills, and still nobody goes.
    announce(&mut registry, peer(2, 3, 1), &[], NOW).unwrap();
    assert_eq!(announce(&mut registry, peer(3, 4, 1), &[], NOW), Err(Refusal::Full));
    assert_eq!(under(&mut registry, &topic("a"), NOW).first(), Some(&id(1)));
    announce(&mut registry, peer(1, 1, 2), &[topic("a")], NOW).unwrap();
    // A peer that moves counts where it is.
    assert_eq!(announce(&mut registry, peer(1, 2, 3), &[], NOW), Err(Refusal::NetworkFull));
    // What has run out makes room.
    let later = NOW + HOUR;
    announce(&mut registry, peer(3, 4, 1), &[], later).unwrap();
    assert_eq!(registry.peers(), 1);
}

#[test]
fn bytes_are_bounded() {
    let limits = RegistryLimits { bytes: 10_000, ..RegistryLimits::default() };
    let mut registry = Registry::with_limits(id(9999), limits);
    let keys: Vec<_> = (0..15).map(cid).collect();
    announce(&mut registry, peer(1, 1, 1), &keys, NOW).unwrap();
    assert!(registry.bytes() > 5000, "{}", registry.bytes());
    let outcome = announce(&mut registry, peer(2, 2, 1), &keys, NOW);
    assert_eq!(outcome, Err(Refusal::Full));
    announce(&mut registry, peer(1, 1, 2), &keys, NOW).unwrap();
    announce(&mut registry, peer(2, 2, 1), &keys[..2], NOW).unwrap();
}

#[test]
fn a_snapshot_is_taken_up_with_its_numbers() {
    let mut registry = registry();
    for number in 1..=3 {
        announce(&mut registry, peer(number, 1, 1), &[topic("a"), cid(1)], NOW).unwrap();
    }
    registry.set_relay(id(9999), &["/ip4/203.0.113.1/tcp/1".parse().unwrap()]);
    let relayed = format!("/ip4/203.0.113.1/tcp/1/p2p/{}/p2p-circuit", id(9999));
    let (caller, _) = peer(4, 1, 1);
    let unsigned = Statement::unsigned(id(4), [relayed.parse().unwrap()]);
    registry.announce(&caller, unsigned, &[], None, NOW + HOUR / 2).unwrap();
    let (bytes, last) = (registry.snapshot(), registry.last());

    let restored = |now| {
        let mut restored = Registry::new(id(9999));
        restored.set_relay(id(9999), &["/ip4/203.0.113.1/tcp/1".parse().unwrap()]);
        let count = restored.restore(&bytes, now).unwrap();
        assert_eq!(restored.last(), last);
        (restored, count)
    };
    let (mut same, count) = restored(NOW);
    assert_eq!((count, same.bytes()), (4, registry.bytes()));
    assert_eq!(
        same.live(NOW).collect::<Vec<_>>(),
        registry.live(NOW).collect::<Vec<_>>(),
        "in the same order"
    );
    let question = Question { key: Some(topic("a")), after: 0, limit: 2, form: None };
    assert_eq!(same.find(&question, NOW), registry.find(&question, NOW));
    let (later, count) = restored(NOW + HOUR);
    assert_eq!((count, later.peers()), (1, 1), "the others ran out meanwhile");
    same.sweep(NOW + HOUR * 2);
    assert_empty(&same);
}

#[test]
fn a_changed_snapshot_is_refused_or_leaves_the_peer_out() {
    let mut registry = registry();
    announce(&mut registry, peer(1, 1, 1), &[topic("a")], NOW).unwrap();
    let bytes = registry.snapshot();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let mut restored = Registry::new(id(9999));
        let _ = restored.restore(&changed, NOW);
        for listing in restored.live(NOW).collect::<Vec<_>>() {
            assert_eq!(listing.peer, id(1), "byte {place}");
            assert_eq!(listing.record.map(|record| record.sequence()), Some(1));
        }
        restored.sweep(NOW + HOUR * 100);
        assert_empty(&restored);
    }
    for length in 0..bytes.len() {
        assert!(Registry::new(id(1)).restore(&bytes[..length], NOW).is_err());
    }
}

#[test]
fn a_crowd_of_one_address_hides_nobody_under_a_key() {
    let mut registry = registry();
    let keys = [cid(1), topic("a")];
    for number in 1..=100 {
        announce(&mut registry, peer(number, 66, 1), &keys, NOW).unwrap();
    }
    announce(&mut registry, peer(500, 10, 1), &keys, NOW).unwrap();
    for key in keys {
        let question = Question { key: Some(key), after: 0, limit: 32, form: None };
        let page = registry.find(&question, NOW);
        let peers: Vec<_> = page.found.iter().map(|found| found.listing.peer).collect();
        assert_eq!(peers.len(), 3, "two of the crowd, and who was hidden");
        assert!(peers.contains(&id(500)));
    }
    let live: Vec<_> = registry.live_of_networks(NOW).map(|listing| listing.peer).collect();
    assert_eq!((live.len(), live.contains(&id(500))), (3, true));
}

#[test]
fn who_is_named_under_a_cid_is_drawn_each_time() {
    let mut registry = registry();
    for number in 1..=100 {
        let host = u8::try_from(number).unwrap();
        announce(&mut registry, peer(number, host, 1), &[cid(1)], NOW).unwrap();
    }
    let question = Question { key: Some(cid(1)), after: 0, limit: 8, form: None };
    let mut named = BTreeSet::new();
    for _ in 0..100 {
        let page = registry.find(&question, NOW);
        assert_eq!(page.found.len(), 8);
        named.extend(page.found.into_iter().map(|found| found.listing.peer));
    }
    assert!(named.len() > 90, "{}", named.len());
}

#[test]
fn an_office_that_fits_is_named_whole_under_its_topic() {
    let mut registry = registry();
    for number in 1..=30 {
        announce(&mut registry, peer(number, 7, 1), &[topic("a")], NOW).unwrap();
    }
    assert_eq!(under(&mut registry, &topic("a"), NOW).len(), 30);
}
