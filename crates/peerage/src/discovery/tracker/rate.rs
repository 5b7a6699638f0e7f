//! How many requests each may make.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::limits::MAX_TRACKER_RATES;

/// How often those who have rested are forgotten, at the most.
const CLEANING: Duration = Duration::from_secs(1);

/// Lets each of many do `burst` things at once and `per_second` more in each
/// second. Knows at most [`MAX_TRACKER_RATES`] of them.
#[derive(Debug)]
pub(super) struct Rates<K> {
    burst: u32,
    per_second: u32,
    spent: HashMap<K, Spent>,
    cleaned: Option<Instant>,
}

/// How much of the burst was spent by a time.
#[derive(Clone, Copy, Debug)]
struct Spent {
    amount: f64,
    at: Instant,
}

impl<K: Eq + Hash> Rates<K> {
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        Self { burst, per_second, spent: HashMap::new(), cleaned: None }
    }

    /// Whether `who` may do one thing more; that counts as done.
    pub(super) fn allow(&mut self, who: K, now: Instant) -> bool {
        if self.spent.len() >= MAX_TRACKER_RATES && !self.spent.contains_key(&who) {
            self.clean(now);
            if self.spent.len() >= MAX_TRACKER_RATES {
                return false;
            }
        }
        let per_second = f64::from(self.per_second);
        let spent = self.spent.entry(who).or_insert(Spent { amount: 0.0, at: now });
        let left = spent.left(per_second, now);
        *spent = Spent { amount: left, at: now };
        if left + 1.0 > f64::from(self.burst) {
            return false;
        }
        spent.amount += 1.0;
        true
    }

    fn clean(&mut self, now: Instant) {
        if self.cleaned.is_some_and(|last| now.saturating_duration_since(last) < CLEANING) {
            return;
        }
        self.cleaned = Some(now);
        let per_second = f64::from(self.per_second);
        self.spent.retain(|_, spent| spent.left(per_second, now) > 0.0);
    }
}

impl Spent {
    fn left(self, per_second: f64, now: Instant) -> f64 {
        let rested = now.saturating_duration_since(self.at).as_secs_f64();
        (self.amount - rested * per_second).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_burst_and_rests() {
        let (mut rates, start) = (Rates::new(3, 2), Instant::now());
        let allowed = (0..5).filter(|_| rates.allow("a", start)).count();
        assert_eq!(allowed, 3);
        assert!(rates.allow("b", start));
        let later = start + Duration::from_secs(1);
        assert_eq!((0..5).filter(|_| rates.allow("a", later)).count(), 2);
    }

    #[test]
    fn a_crowd_is_bounded_until_it_rests() {
        let (mut rates, start) = (Rates::new(1, 1), Instant::now());
        assert!((0..MAX_TRACKER_RATES).all(|who| rates.allow(who, start)));
        assert!(!rates.allow(MAX_TRACKER_RATES, start));
        assert!(rates.allow(MAX_TRACKER_RATES, start + Duration::from_secs(2)));
        assert_eq!(rates.spent.len(), 1);
    }
}
