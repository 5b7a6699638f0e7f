//! Which peer fetches which part of a graph.
//!
//! A download is a stack of [`Item`]s still to be fetched. A provider that has
//! time takes a [`Unit`] off it: one request's worth. What a provider could not
//! deliver comes back to the stack; what a slow one holds, a faster one that
//! has nothing left to do takes away. Nothing here knows of sockets or clocks:
//! time is passed in.

use std::{collections::BTreeMap, time::Duration};

use super::item::{Item, Place};
use crate::{
    advice::Advice,
    data::{Cid, codec},
    limits::{DOWNLOAD_PENDING_ITEMS, DOWNLOAD_UNIT_BYTES},
};

/// Names a unit while it is being fetched.
pub type UnitId = u64;

/// Names a provider within one download.
pub type ProviderId = u32;

/// What to ask of a gateway for one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// One block alone: the graph below it is too large for one request, or of
    /// unknown size.
    Block(Cid),
    /// A block and everything below it.
    Graph(Cid),
    /// A run of neighbours in a file: the bytes `from..=to` of the file whose
    /// root (or inner node) is `parent`. The answer begins with `parent`.
    Range {
        /// The node whose children are wanted.
        parent: Cid,
        /// The first byte wanted, counted from the start of `parent`.
        from: u64,
        /// The last byte wanted, counted from the start of `parent`.
        to: u64,
    },
}

/// One request's worth of a download.
#[derive(Clone, Debug)]
pub struct Unit<F> {
    /// Its name, for reporting back.
    pub id: UnitId,
    /// What to ask of a gateway.
    pub fetch: Fetch,
    /// What is to arrive, as a stack: the last element arrives first.
    pub items: Vec<Item<F>>,
    /// About how many bytes will arrive; 0 when unknown.
    pub bytes: u64,
}

#[derive(Debug)]
struct Running {
    provider: ProviderId,
    since: Duration,
    bytes: u64,
    received: u64,
    /// A unit changes hands only once an interval, so that two slow providers
    /// don't pass it to and fro.
    cancelled: bool,
}

/// A share of the pending items is beyond what memory should hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("more than {DOWNLOAD_PENDING_ITEMS} parts wait at once")]
pub struct TooWide;

impl Advice for TooWide {
    fn hint(&self) -> Option<&'static str> {
        Some("ask whoever made it to split its folders")
    }
}

/// What is still to fetch, and who fetches what.
///
/// ```
/// use std::time::Duration;
/// use peerage_core::data::{HashKind, codec, hash};
/// use peerage_core::exchange::download::{Fetch, Item, Plan};
///
/// let root = hash(codec::DAG_PB, HashKind::Sha2_256, b"an album");
/// let mut plan = Plan::<()>::new();
/// plan.push(vec![Item::root(root)])?;
/// let unit = plan.take(1, Duration::ZERO).expect("the root waits");
/// assert_eq!(unit.fetch, Fetch::Block(root));
/// plan.complete(unit.id, vec![])?;
/// assert!(plan.is_done());
/// # Ok::<(), peerage_core::exchange::download::TooWide>(())
/// ```
#[derive(Debug)]
pub struct Plan<F> {
    /// Last in, first out: depth first, so that memory grows with the depth of
    /// the graph and not with its width.
    pending: Vec<Item<F>>,
    running: BTreeMap<UnitId, Running>,
    next_unit: UnitId,
}

impl<F> Default for Plan<F> {
    fn default() -> Self {
        Self { pending: Vec::new(), running: BTreeMap::new(), next_unit: 1 }
    }
}

impl<F> Plan<F> {
    /// A plan with nothing to do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds items to fetch, as a stack: the last one is fetched first.
    ///
    /// # Errors
    ///
    /// When more than [`DOWNLOAD_PENDING_ITEMS`] would wait.
    pub fn push(&mut self, items: Vec<Item<F>>) -> Result<(), TooWide> {
        if self.pending.len() + items.len() > DOWNLOAD_PENDING_ITEMS {
            return Err(TooWide);
        }
        self.pending.extend(items);
        Ok(())
    }

    /// Whether everything has been fetched.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pending.is_empty() && self.running.is_empty()
    }

    /// Whether something waits for a provider.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes the next unit for a provider, or nothing when none waits.
    pub fn take(&mut self, provider: ProviderId, now: Duration) -> Option<Unit<F>> {
        let first = self.pending.pop()?;
        let (fetch, items) = match (&first.place, first.size) {
            (Place::Part { .. }, Some(size)) if size <= DOWNLOAD_UNIT_BYTES => {
                self.take_neighbours(first)
            }
            (_, Some(size)) if size <= DOWNLOAD_UNIT_BYTES && first.cid.codec() != codec::RAW => {
                (Fetch::Graph(first.cid), vec![first])
            }
            _ => (Fetch::Block(first.cid), vec![first]),
        };
        let bytes = items.iter().filter_map(|item| item.size).sum();
        let id = self.next_unit;
        self.next_unit += 1;
        let running = Running { provider, since: now, bytes, received: 0, cancelled: false };
        self.running.insert(id, running);
        Some(Unit { id, fetch, items, bytes })
    }

    /// Takes the parts that lie behind `first` in the same node of a file, up
    /// to one unit's size: they come with one request for a range of bytes.
    fn take_neighbours(&mut self, first: Item<F>) -> (Fetch, Vec<Item<F>>) {
        let Place::Part { parent, start, .. } = first.place else {
            unreachable!("only parts of files have neighbours");
        };
        let mut end = start + first.part_length();
        let mut items = vec![first];
        while let Some(next) = self.pending.last() {
            let follows = matches!(&next.place, Place::Part { parent: p, start: s, .. } if *p == parent && *s == end);
            if !follows || end - start + next.part_length() > DOWNLOAD_UNIT_BYTES {
                break;
            }
            end += next.part_length();
            items.extend(self.pending.pop());
        }
        items.reverse();
        match items.as_slice() {
            [only] if only.cid.codec() == codec::RAW => (Fetch::Block(only.cid), items),
            [only] => (Fetch::Graph(only.cid), items),
            _ => (Fetch::Range { parent, from: start, to: end - 1 }, items),
        }
    }

    /// Notes that bytes of a unit arrived.
    pub fn received(&mut self, unit: UnitId, bytes: u64) {
        if let Some(running) = self.running.get_mut(&unit) {
            running.received += bytes;
        }
    }

    /// A unit has arrived whole; `children` were found in it that the unit's
    /// request did not cover.
    ///
    /// # Errors
    ///
    /// When more than [`DOWNLOAD_PENDING_ITEMS`] would wait.
    pub fn complete(&mut self, unit: UnitId, children: Vec<Item<F>>) -> Result<(), TooWide> {
        self.running.remove(&unit);
        self.push(children)
    }

    /// A unit could not be fetched whole: what is left of it waits again.
    pub fn give_back(&mut self, unit: UnitId, rest: Vec<Item<F>>) {
        self.running.remove(&unit);
        self.pending.extend(rest);
    }

    /// For a provider that has nothing to do: the unit that it should take
    /// over from a provider that is much slower, if there is one.
    ///
    /// The caller cancels that unit's request and gives back what is left.
    /// `rate` is what the idle provider delivered so far, in bytes a second
    /// (0 when unknown).
    pub fn steal(&mut self, provider: ProviderId, rate: u64, now: Duration) -> Option<UnitId> {
        let victim = self
            .running
            .iter()
            .filter(|(_, unit)| unit.provider != provider && !unit.cancelled)
            .max_by_key(|(_, unit)| unit.time_left(now))?;
        let mine = transfer_time(victim.1.left(), rate);
        let slow = victim.1.time_left(now) > mine * 2 + STEAL_MARGIN;
        let old = now.saturating_sub(victim.1.since) > STEAL_MARGIN;
        let id = *victim.0;
        (slow && old).then(|| {
            if let Some(unit) = self.running.get_mut(&id) {
                unit.cancelled = true;
            }
            id
        })
    }
}

/// A unit is taken over only when that saves more than this: below it, asking
/// anew costs more than waiting.
const STEAL_MARGIN: Duration = Duration::from_millis(500);

/// What an unknown rate or size is taken for, so that a stalled provider is
/// seen as slow by one that has not delivered yet: 1 MiB a second, 1 MiB.
const ASSUMED: u64 = 1 << 20;

fn transfer_time(bytes: u64, rate: u64) -> Duration {
    let rate = if rate == 0 { ASSUMED } else { rate };
    Duration::from_millis(bytes.saturating_mul(1000) / rate)
}

impl Running {
    fn left(&self) -> u64 {
        let bytes = if self.bytes == 0 { ASSUMED } else { self.bytes };
        bytes.saturating_sub(self.received)
    }

    fn time_left(&self, now: Duration) -> Duration {
        let elapsed = now.saturating_sub(self.since);
        if self.received == 0 {
            // Nothing has come: the longer the wait, the longer the guess.
            return elapsed * 8;
        }
        let per_byte = elapsed.as_nanos() / u128::from(self.received);
        let nanos = per_byte * u128::from(self.left());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{HashKind, hash};

    fn cid(codec: u64, n: u64) -> Cid {
        hash(codec, HashKind::Sha2_256, &n.to_le_bytes())
    }

    fn part(parent: Cid, n: u64, length: u64) -> Item<()> {
        let place = Place::Part { file: (), parent, start: n * length, offset: n * length, length };
        Item { cid: cid(codec::RAW, n), place, depth: 1, size: Some(length) }
    }

    fn file_of(leaves: u64, length: u64) -> (Cid, Vec<Item<()>>) {
        let parent = cid(codec::DAG_PB, 99);
        (parent, (0..leaves).rev().map(|n| part(parent, n, length)).collect())
    }

    #[test]
    fn neighbours_in_a_file_come_with_one_request() {
        let mut plan = Plan::new();
        let (parent, leaves) = file_of(64, 1 << 20);
        plan.push(leaves).unwrap();
        let unit = plan.take(1, Duration::ZERO).unwrap();
        let to = DOWNLOAD_UNIT_BYTES - 1;
        assert_eq!(unit.fetch, Fetch::Range { parent, from: 0, to });
        let next = plan.take(1, Duration::ZERO).unwrap();
        let from = DOWNLOAD_UNIT_BYTES;
        assert_eq!(next.fetch, Fetch::Range { parent, from, to: 2 * from - 1 });
    }

    #[test]
    fn a_gap_ends_a_range() {
        let mut plan = Plan::new();
        let (parent, mut leaves) = file_of(5, 1000);
        leaves.remove(2);
        plan.push(leaves).unwrap();
        let first = plan.take(1, Duration::ZERO).unwrap();
        assert_eq!(first.fetch, Fetch::Range { parent, from: 0, to: 1999 });
        let second = plan.take(1, Duration::ZERO).unwrap();
        assert_eq!(second.fetch, Fetch::Range { parent, from: 3000, to: 4999 });
    }

    #[test]
    fn what_was_given_back_is_taken_by_another() {
        let mut plan = Plan::new();
        let (_, leaves) = file_of(3, 1000);
        plan.push(leaves).unwrap();
        let mut unit = plan.take(1, Duration::ZERO).unwrap();
        assert!(plan.take(2, Duration::ZERO).is_none());
        unit.items.pop();
        plan.give_back(unit.id, unit.items);
        let again = plan.take(2, Duration::ZERO).unwrap();
        assert_eq!(again.items.len(), 2);
        plan.complete(again.id, vec![]).unwrap();
        assert!(plan.is_done());
    }

    #[test]
    fn an_idle_provider_takes_over_from_a_stalled_one_and_only_once() {
        let mut plan = Plan::new();
        let (_, leaves) = file_of(4, 1000);
        plan.push(leaves).unwrap();
        let unit = plan.take(1, Duration::ZERO).unwrap();
        assert_eq!(plan.steal(2, 0, Duration::from_millis(100)), None);
        assert_eq!(plan.steal(1, 0, Duration::from_secs(3)), None);
        assert_eq!(plan.steal(2, 0, Duration::from_secs(3)), Some(unit.id));
        assert_eq!(plan.steal(2, 0, Duration::from_secs(4)), None);
    }

    #[test]
    fn an_equal_provider_takes_nothing_over() {
        let mut plan = Plan::new();
        let (_, leaves) = file_of(16, 1 << 20);
        plan.push(leaves).unwrap();
        let unit = plan.take(1, Duration::ZERO).unwrap();
        plan.received(unit.id, 8 << 20);
        assert_eq!(plan.steal(2, 8 << 20, Duration::from_secs(1)), None);
    }

    #[test]
    fn refuses_a_plan_without_end() {
        let mut plan = Plan::new();
        let (_, leaves) = file_of(DOWNLOAD_PENDING_ITEMS as u64, 1);
        plan.push(leaves).unwrap();
        assert_eq!(plan.push(vec![Item::root(cid(codec::RAW, 0))]), Err(TooWide));
    }
}
