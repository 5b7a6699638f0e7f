//! What happens when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Things in the order of their times; of one time, in the order in which they
/// were put in. So there is one history only.
pub(super) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    count: u64,
}

struct Entry<T> {
    at: Duration,
    number: u64,
    what: T,
}

impl<T> Entry<T> {
    /// The heap has its greatest first.
    fn rank(&self) -> Reverse<(Duration, u64)> {
        Reverse((self.at, self.number))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }

    /// Puts something in; answers its number, which nothing else has.
    pub(super) fn push(&mut self, at: Duration, what: T) -> u64 {
        self.count += 1;
        self.heap.push(Entry { at, number: self.count, what });
        self.count
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The next thing: when it happens, its number, and what it is.
    pub(super) fn pop(&mut self) -> Option<(Duration, u64, T)> {
        self.heap.pop().map(|entry| (entry.at, entry.number, entry.what))
    }
}
