use std::net::IpAddr;

use libp2p_identity::PeerId;

use super::*;

const NOW: Duration = Duration::from_secs(1000);

fn peer(number: u16) -> PeerId {
    let mut hash = vec![0x12, 32];
    hash.extend([number.to_be_bytes(); 16].concat());
    PeerId::from_bytes(&hash).unwrap()
}

fn at(text: &str) -> Origin {
    Origin::address(text.parse().unwrap())
}

/// How many of `tries` places somebody gets.
fn takes(pool: &mut Pool<(Origin, usize)>, origin: &Origin, tries: usize) -> usize {
    let enter = |n: &usize| pool.enter((origin.clone(), *n), origin, 1, NOW).is_ok();
    (0..tries).filter(enter).count()
}

#[test]
fn an_address_takes_two_fifths_and_all_its_neighbours_two_thirds() {
    let mut pool = Pool::new(PoolLimits::of(120));
    let alone = takes(&mut pool, &at("192.0.2.1"), 200);
    assert!((48..=54).contains(&alone), "{alone}");
    let neighbours = (2..=255u8).map(|n| takes(&mut pool, &at(&format!("192.0.2.{n}")), 200));
    let crowd = alone + neighbours.sum::<usize>();
    assert!((70..=80).contains(&crowd), "{crowd}");
    assert!(takes(&mut pool, &at("198.51.100.1"), 200) >= 10);
}

#[test]
fn eight_networks_of_one_owner_count_together() {
    let mut pool = Pool::new(PoolLimits::of(256));
    let owner = |n: u16| at(&format!("2001:db8:1:{:x}::1", n << 8));
    let taken: usize = (0..8).map(|n| takes(&mut pool, &owner(n), 300)).sum();
    assert!(taken <= 170, "{taken}");
    assert!(takes(&mut pool, &at("2001:db8:2::1"), 1) == 1);
}

#[test]
fn forty_honest_peers_behind_one_hub_have_their_places() {
    let hub = Relay::Peer(peer(0));
    let behind = |n| Origin::through(hub.clone(), peer(n));
    let mut pool = Pool::new(PoolLimits::of(128));
    assert!((1..=40).all(|n| takes(&mut pool, &behind(n), 1) == 1));
    assert!((1..=20).all(|n| takes(&mut pool, &behind(n), 2) == 2), "again, and one more");
    assert_eq!(takes(&mut pool, &behind(41), 1), 1);
    assert!(takes(&mut pool, &at("192.0.2.1"), 9) == 9);
}

#[test]
fn forty_silent_ones_behind_a_hub_give_way_to_an_honest_one() {
    let hub = Relay::Peer(peer(0));
    let behind = |n| Origin::through(hub.clone(), peer(n));
    let limits = PoolLimits::of(128).with_silence(Duration::from_secs(5));
    let mut pool = Pool::new(limits);
    for n in 1..=40 {
        takes(&mut pool, &behind(n), 100);
    }
    let later = NOW + Duration::from_secs(5);
    for n in 0..4 {
        let key = (behind(99), n);
        assert!(pool.enter(key, &behind(99), 1, later).is_ok(), "{n}");
    }
}

#[test]
fn an_office_behind_one_address_has_forty_places() {
    let mut pool = Pool::new(PoolLimits::of(128));
    assert_eq!(takes(&mut pool, &at("192.0.2.1"), 40), 40);
}

#[test]
fn a_strangers_relay_counts_as_one() {
    let mut pool = Pool::new(PoolLimits::of(100));
    let relay = Relay::At("/ip4/192.0.2.1/tcp/80/http/p2p-circuit".parse().unwrap());
    assert_eq!(takes(&mut pool, &Origin::through_stranger(relay), 200), 44);
}

#[test]
fn peers_of_this_machine_count_by_their_ids() {
    let mut pool = Pool::new(PoolLimits { one: 4, ..PoolLimits::of(100) });
    let here: IpAddr = [127, 0, 0, 1].into();
    assert_eq!(takes(&mut pool, &Origin::peer_at(here, peer(1)), 9), 4);
    assert_eq!(takes(&mut pool, &Origin::peer_at(here, peer(2)), 9), 4);
}

#[test]
fn who_says_nothing_gives_way_to_who_has_less() {
    let limits = PoolLimits::of(3).with_silence(Duration::from_secs(10));
    let mut pool = Pool::new(limits);
    let [greedy, other, third] = ["192.0.2.1", "198.51.100.1", "203.0.113.1"].map(at);
    for (key, origin) in [(1, &greedy), (2, &other), (3, &third)] {
        assert_eq!(pool.enter(key, origin, 1, NOW), Ok(vec![]));
    }
    let later = NOW + Duration::from_secs(10);
    let newcomer = at("203.0.114.1");
    pool.heard(&1, later);
    pool.heard(&3, later);
    assert_eq!(pool.enter(4, &newcomer, 1, NOW), Err(Refused::Full), "not yet");
    assert_eq!(pool.enter(4, &newcomer, 1, later), Ok(vec![2]));
    assert_eq!(pool.enter(5, &newcomer, 1, later), Err(Refused::Full), "the others spoke");
}

#[test]
fn a_claim_of_many_is_shared_out_too() {
    let mut pool = Pool::new(PoolLimits::of(32 * 1024));
    let claim = 4 * 1024;
    let claims = |pool: &mut Pool<_>, origin: &Origin, from: u32| {
        (from..from + 9).filter(|key| pool.enter(*key, origin, claim, NOW).is_ok()).count()
    };
    assert_eq!(claims(&mut pool, &at("192.0.2.1"), 0), 3);
    assert!(claims(&mut pool, &at("198.51.100.1"), 100) >= 1);
    assert!(pool.enter(200, &at("203.0.113.1"), claim, NOW).is_ok());
}
