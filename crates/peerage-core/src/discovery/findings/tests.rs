//! Tests of what is put together of all findings.

use libp2p_identity::Keypair;
use proptest::prelude::*;

use super::*;

const WAYS: [WayName; 3] = [WayName::Lan, WayName::Kademlia, WayName::Tracker];

fn key(seed: u16) -> Keypair {
    let mut secret = [1; 32];
    secret[..2].copy_from_slice(&seed.to_be_bytes());
    Keypair::ed25519_from_bytes(secret).unwrap()
}

fn peer(seed: u16) -> PeerId {
    key(seed).public().to_peer_id()
}

fn address(number: u16) -> Multiaddr {
    format!("/ip4/192.0.2.1/tcp/{number}").parse().unwrap()
}

fn addresses(numbers: &[u16]) -> Vec<Multiaddr> {
    numbers.iter().copied().map(address).collect()
}

fn claimed(seed: u16, numbers: &[u16]) -> Finding {
    Finding { peer: peer(seed), addresses: addresses(numbers), record: None }
}

fn signed(seed: u16, sequence: u64, numbers: &[u16]) -> Finding {
    let record = SignedPeerRecord::sign(&key(seed), sequence, addresses(numbers)).unwrap();
    Finding { peer: peer(seed), addresses: addresses(numbers), record: Some(record) }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn what_two_ways_say_is_one_peer() {
    let mut findings = Findings::default();
    assert_eq!(findings.take(WayName::Lan, &claimed(1, &[1, 2]), seconds(0)), Outcome::New);
    let again = findings.take(WayName::Lan, &claimed(1, &[2, 1]), seconds(1));
    assert_eq!(again, Outcome::Unchanged);
    let other = findings.take(WayName::Tracker, &claimed(1, &[2]), seconds(2));
    assert_eq!(other, Outcome::Confirmed);
    let own = findings.take(WayName::Kademlia, &signed(1, 1, &[3]), seconds(3));
    assert_eq!(own, Outcome::Changed);
    let found = findings.get(&peer(1)).unwrap();
    assert_eq!(found.addresses, addresses(&[3, 2, 1]), "signed, said by two, said by one");
    assert_eq!(found.score, Score { signed: true, ways: 3, seen: seconds(3) });
}

#[test]
fn a_newer_record_replaces_and_a_stale_one_is_refused() {
    let mut findings = Findings::default();
    findings.take(WayName::Lan, &signed(1, 5, &[1, 2]), seconds(0));
    let stale = findings.take(WayName::Tracker, &signed(1, 4, &[9]), seconds(0));
    assert_eq!(stale, Outcome::Refused(Refusal::Stale { known: 5, came: 4 }));
    assert_eq!(findings.get(&peer(1)).unwrap().addresses, addresses(&[1, 2]));
    findings.take(WayName::Tracker, &signed(1, 6, &[3]), seconds(0));
    assert_eq!(findings.get(&peer(1)).unwrap().addresses, addresses(&[3]));
}

#[test]
fn a_record_of_another_peer_is_refused() {
    let mut findings = Findings::default();
    let finding = Finding { peer: peer(2), ..signed(1, 1, &[1]) };
    let refused = findings.take(WayName::Tracker, &finding, seconds(0));
    assert_eq!(refused, Outcome::Refused(Refusal::AnotherPeer));
    assert!(findings.is_empty());
}

#[test]
fn an_address_of_another_peer_or_without_measure_is_left_out() {
    let mut findings = Findings::default();
    let long = format!("/dns/{}/tcp/1", "x".repeat(MAX_CLAIMED_ADDRESS_BYTES));
    let texts = [
        format!("/ip4/192.0.2.1/tcp/1/p2p/{}", peer(2)),
        format!("/ip4/192.0.2.1/tcp/2/p2p/{}", peer(1)),
        format!("/p2p/{}", peer(1)),
        long,
    ];
    let addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
    let finding = Finding { peer: peer(1), addresses, record: None };
    findings.take(WayName::Mainline, &finding, seconds(0));
    assert_eq!(findings.get(&peer(1)).unwrap().addresses, [address(2)]);
}

#[test]
fn a_crowd_of_claims_never_pushes_out_one_that_spoke_for_itself() {
    let mut findings = Findings::default();
    findings.take(WayName::Lan, &signed(0, 1, &[1]), seconds(0));
    for seed in 1..=u16::try_from(MAX_FOUND_PEERS).unwrap() {
        let outcome = findings.take(WayName::Tracker, &claimed(seed, &[1]), seconds(1));
        assert!(outcome == Outcome::New || outcome == Outcome::Refused(Refusal::Full));
    }
    assert_eq!(findings.len(), MAX_FOUND_PEERS);
    assert_eq!(findings.best()[0].peer, peer(0));
}

#[test]
fn a_way_that_lies_pushes_out_only_its_own_claims() {
    let mut findings = Findings::default();
    findings.take(WayName::Lan, &claimed(1, &[1]), seconds(0));
    for number in 2..1000 {
        findings.take(WayName::Tracker, &claimed(1, &[number]), seconds(u64::from(number)));
    }
    let found = findings.get(&peer(1)).unwrap();
    assert_eq!(found.addresses.len(), 1 + MAX_CLAIMED_ADDRESSES);
    assert!(found.addresses.contains(&address(1)));
}

#[test]
fn what_is_not_heard_of_again_is_forgotten() {
    let mut findings = Findings::new(seconds(10));
    findings.take(WayName::Lan, &claimed(1, &[1]), seconds(0));
    findings.take(WayName::Tracker, &claimed(1, &[2]), seconds(8));
    assert_eq!(findings.sweep(seconds(11)), []);
    let left = findings.get(&peer(1)).unwrap();
    assert_eq!((left.addresses, left.ways), (addresses(&[2]), vec![WayName::Tracker]));
    assert_eq!(findings.sweep(seconds(19)), [peer(1)]);
    assert!(findings.is_empty());
    findings.take(WayName::Lan, &signed(1, 9, &[1]), seconds(20));
    let outcome = findings.take(WayName::Lan, &signed(1, 1, &[2]), seconds(31));
    assert_eq!(outcome, Outcome::New, "a forgotten record refuses nothing");
}

/// A step: which way, whose, an optional record's number, ports, seconds later.
type Step = (usize, u16, Option<u64>, Vec<u16>, u64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let numbers = proptest::collection::vec(1..40_u16, 0..20);
    let step = (0..WAYS.len(), 0..3_u16, proptest::option::of(0..6_u64), numbers, 0..8_u64);
    proptest::collection::vec(step, 1..40)
}

fn finding(step: &Step) -> Finding {
    let (_, seed, sequence, numbers, _) = step;
    match sequence {
        Some(sequence) => {
            let numbers = &numbers[..numbers.len().min(MAX_ADDRESSES_PER_PEER)];
            signed(*seed, *sequence, numbers)
        }
        None => claimed(*seed, numbers),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_comes_is_bounded_and_a_stale_record_replaces_nothing(steps in steps()) {
        let mut findings = Findings::new(seconds(20));
        let mut now = seconds(0);
        for step in steps {
            now += seconds(step.4);
            let finding = finding(&step);
            let before = findings.get(&finding.peer);
            findings.sweep(now);
            let kept = findings.get(&finding.peer).and_then(|known| known.record);
            let outcome = findings.take(WAYS[step.0], &finding, now);
            let after = findings.get(&finding.peer).expect("what was taken is known");
            let most = MAX_ADDRESSES_PER_PEER + WAYS.len() * MAX_CLAIMED_ADDRESSES;
            prop_assert!(after.addresses.len() <= most);
            let distinct: BTreeSet<_> = after.addresses.iter().collect();
            prop_assert_eq!(distinct.len(), after.addresses.len());
            if let Some(kept) = kept {
                prop_assert!(after.record.as_ref().is_some_and(|it| it.sequence() >= kept.sequence()));
            }
            if before.is_none() {
                prop_assert_eq!(outcome, Outcome::New);
            }
        }
        findings.sweep(now + seconds(21));
        prop_assert!(findings.is_empty());
    }

    #[test]
    fn signed_addresses_do_not_depend_on_the_order_of_arrival(
        records in proptest::collection::vec((0..4_u64, proptest::collection::vec(1..9_u16, 1..4)), 1..8),
        turn in 0..8_usize,
    ) {
        let arrive = |records: &[(u64, Vec<u16>)]| {
            let mut findings = Findings::default();
            for (sequence, numbers) in records {
                findings.take(WayName::Tracker, &signed(1, *sequence, numbers), seconds(0));
            }
            findings.get(&peer(1)).expect("one at least").addresses
        };
        let mut turned = records.clone();
        turned.rotate_left(turn % records.len());
        let mut reversed = records.clone();
        reversed.reverse();
        prop_assert_eq!(arrive(&records), arrive(&turned));
        prop_assert_eq!(arrive(&records), arrive(&reversed));
    }
}
