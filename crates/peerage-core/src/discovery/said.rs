//! What was said under which keys, and what is to be said next.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::Key;

/// Remembers under which keys a peer has announced itself, so that one that has
/// many says only what is new when one is added, and goes on where it was
/// interrupted. Time is that since any fixed moment.
///
/// ```
/// use std::time::Duration;
/// use peerage_core::discovery::{Key, Said};
///
/// let (one, other): (Key, Key) = ("topic:one".parse()?, "topic:other".parse()?);
/// let mut said = Said::new(Duration::from_secs(1200));
/// said.note(one.clone(), Duration::ZERO);
/// let keys = [one.clone(), other.clone()];
/// assert_eq!(said.due(&keys, Duration::from_secs(1)), [other.clone()]);
/// assert_eq!(said.due(&keys, Duration::from_secs(900)), keys, "it is to be said again");
/// assert_eq!(said.retain(&[other]), [one], "this one is to be taken back");
/// # Ok::<(), peerage_core::discovery::KeyError>(())
/// ```
#[derive(Debug)]
pub struct Said {
    holds: Duration,
    /// When; nothing where it is to be said again whatever the time.
    at: HashMap<Key, Option<Duration>>,
}

impl Said {
    /// Nothing was said. What is said holds for so long.
    #[must_use]
    pub fn new(holds: Duration) -> Self {
        Self { holds, at: HashMap::new() }
    }

    /// Which of these keys are to be said now, in their order: those that were
    /// not, or are older than a quarter of the time for which they hold: the next
    /// round may be most of that time away.
    #[must_use]
    pub fn due(&self, keys: &[Key], now: Duration) -> Vec<Key> {
        let fresh = |key: &&Key| {
            let at = self.at.get(*key).copied().flatten();
            at.is_some_and(|at| now.saturating_sub(at) < self.holds / 4)
        };
        keys.iter().filter(|key| !fresh(key)).cloned().collect()
    }

    /// Notes that a key was said.
    pub fn note(&mut self, key: Key, now: Duration) {
        self.at.insert(key, Some(now));
    }

    /// Keeps only these keys; gives the others that were said: they are to be
    /// taken back.
    pub fn retain(&mut self, keys: &[Key]) -> Vec<Key> {
        let kept: HashSet<&Key> = keys.iter().collect();
        self.at.extract_if(|key, _| !kept.contains(key)).map(|(key, _)| key).collect()
    }

    /// Lets all be said again, for instance from another address.
    pub fn expire(&mut self) {
        self.at.values_mut().for_each(|at| *at = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        Key::Topic(super::super::Topic::new(number.to_string()).unwrap())
    }

    #[test]
    fn who_is_interrupted_goes_on_where_it_was() {
        let (keys, holds) = ((0..1000).map(key).collect::<Vec<_>>(), Duration::from_secs(1000));
        let mut said = Said::new(holds);
        for round in 0..10 {
            let now = Duration::from_secs(round * 10);
            let due = said.due(&keys, now);
            assert_eq!(
                due,
                keys[usize::try_from(round).unwrap() * 100..],
                "in order, and none twice"
            );
            due.into_iter().take(100).for_each(|key| said.note(key, now));
        }
        assert_eq!(said.due(&keys, Duration::from_secs(100)), []);
        assert_eq!(said.due(&keys, Duration::from_secs(250)), keys[..100]);
    }

    #[test]
    fn all_is_said_again_from_elsewhere_and_can_still_be_taken_back() {
        let keys = [key(1), key(2)];
        let mut said = Said::new(Duration::from_secs(1000));
        keys.iter().for_each(|key| said.note(key.clone(), Duration::ZERO));
        said.expire();
        assert_eq!(said.due(&keys, Duration::ZERO), keys);
        assert_eq!(said.retain(&keys[..1]), keys[1..]);
        assert_eq!(said.retain(&[]), keys[..1]);
        assert_eq!(said.retain(&[]), []);
    }
}
