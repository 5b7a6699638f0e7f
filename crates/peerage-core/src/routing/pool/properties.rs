//! What holds after any history: the sums are right, nothing is over its limit,
//! and nothing is kept of who has left.

use proptest::prelude::*;

use super::*;

const ALL: usize = 24;

#[derive(Clone, Debug)]
enum Step {
    Enter { key: u8, crowd: u8, one: u8, weight: usize },
    Heard { key: u8 },
    Leave { key: u8 },
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..40u8, 0..4u8, 0..4u8, 1..4usize)
            .prop_map(|(key, crowd, one, weight)| Step::Enter { key, crowd, one, weight }),
        1 => (0..40u8).prop_map(|key| Step::Heard { key }),
        2 => (0..40u8).prop_map(|key| Step::Leave { key }),
        1 => (0..20u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

fn origin(crowd: u8, one: u8) -> Origin {
    Origin::address([192, 0, crowd, one].into())
}

fn limits() -> impl Strategy<Value = PoolLimits> {
    (1..=ALL, 1..=ALL, 1..30u64).prop_map(|(crowd, one, silence)| {
        PoolLimits { crowd, one, ..PoolLimits::of(ALL) }.with_silence(Duration::from_secs(silence))
    })
}

/// The sums, made anew from the places.
fn check(pool: &Pool<u8>) {
    let weight: usize = pool.places.values().map(|place| place.weight).sum();
    assert_eq!(pool.held, weight);
    assert!(weight <= ALL);
    let mut crowds: HashMap<Crowd, Held> = HashMap::new();
    for place in pool.places.values() {
        let crowd = crowds.entry(place.origin.crowd.clone()).or_default();
        crowd.all += place.weight;
        *crowd.ones.entry(place.origin.one.clone()).or_default() += place.weight;
    }
    assert_eq!(crowds.len(), pool.crowds.len());
    for (name, crowd) in &crowds {
        assert_eq!((crowd.all, &crowd.ones), (pool.crowds[name].all, &pool.crowds[name].ones));
    }
}

proptest! {
    #[test]
    fn sums_and_limits_hold(
        limits in limits(), steps in prop::collection::vec(step(), 0..200)
    ) {
        let (mut pool, mut now) = (Pool::new(limits), Duration::ZERO);
        for step in steps {
            match step {
                Step::Enter { key, crowd, one, weight } => {
                    let newcomer = origin(crowd, one);
                    pool.leave(&key);
                    let before = pool.len();
                    match pool.enter(key, &newcomer, weight, now) {
                        Ok(lost) => prop_assert_eq!(pool.len(), before + 1 - lost.len()),
                        Err(_) => prop_assert_eq!(pool.len(), before),
                    }
                    let (crowd, one) = pool.of(&newcomer);
                    if pool.holds(&key) {
                        prop_assert!(crowd <= limits.crowd.max(weight));
                        prop_assert!(one <= limits.one.max(weight));
                    }
                }
                Step::Heard { key } => pool.heard(&key, now),
                Step::Leave { key } => pool.leave(&key),
                Step::Wait { seconds } => now += Duration::from_secs(seconds),
            }
            check(&pool);
        }
        (0..40).for_each(|key| pool.leave(&key));
        prop_assert!(pool.is_empty() && pool.crowds.is_empty() && pool.held == 0);
    }

    /// However greedy and patient as many crowds are as places are kept, one of
    /// another crowd gets a place.
    #[test]
    fn a_newcomer_gets_a_place(order in prop::collection::vec((0..3u8, 0..200u8), 0..600)) {
        let (mut pool, now) = (Pool::new(PoolLimits::of(ALL)), Duration::ZERO);
        for (key, (crowd, one)) in order.into_iter().enumerate() {
            let _ = pool.enter(key, &origin(crowd, one), 1, now);
        }
        let newcomer = Origin::address([203, 0, 113, 1].into());
        prop_assert_eq!(pool.enter(usize::MAX, &newcomer, 1, now), Ok(vec![]));
    }
}
