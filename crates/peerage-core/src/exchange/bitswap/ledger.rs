//! What a server remembers of one peer's wants.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use super::message::{Entry, Want, Wantlist};
use crate::{data::Cid, limits::MAX_BITSWAP_WANTS_PER_PEER};

/// One peer's wants: what is to be answered next, and what it still waits for.
///
/// A want that could not be met stays, so that the block can be sent when it
/// arrives ([`arrived`](Self::arrived)); an answered or cancelled one goes. No
/// more than [`MAX_BITSWAP_WANTS_PER_PEER`] are kept.
///
/// ```
/// use peerage_core::{
///     data::{HashKind, codec, hash},
///     exchange::bitswap::{Entry, Ledger, Outcome, Wantlist},
/// };
///
/// let cid = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
/// let mut ledger = Ledger::default();
/// ledger.receive(&Wantlist { entries: vec![Entry::block(cid, 1)], full: false });
/// let asked = ledger.next_asked().expect("one want");
/// assert_eq!(asked.cid, cid);
/// ledger.settle(&cid, Outcome::Answered);
/// assert!(ledger.is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Ledger {
    wants: HashMap<Cid, State>,
    queue: BTreeMap<Rank, Cid>,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug)]
struct State {
    want: Want,
    send_dont_have: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Queued(Rank),
    /// Being looked up; `again` when something happened meanwhile that calls
    /// for another look.
    InHand {
        again: bool,
    },
    /// Not there so far.
    Waiting,
}

/// Higher priorities first, then first come, first served.
type Rank = (Reverse<i32>, u64);

/// A want that is to be answered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The block that is wanted.
    pub cid: Cid,
    /// The block, or only word of it.
    pub want: Want,
    /// Whether the peer wants to be told that the block is not there.
    pub send_dont_have: bool,
}

/// What became of a want that was taken out with [`Ledger::next_asked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The block, or `HAVE`, is sent: the want is met.
    Answered,
    /// The block is not here: the want stays.
    Missing,
}

/// What a want-list changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many wants were added or asked for anew.
    pub queued: usize,
    /// Wants over the limit, to be answered with `DONT_HAVE` where the peer
    /// asked for such word. No more than the message had entries.
    pub refused: Vec<Cid>,
    /// How many wants over the limit there were, word asked for or not.
    pub dropped: usize,
}

impl Ledger {
    /// Takes in a want-list.
    pub fn receive(&mut self, wantlist: &Wantlist) -> Accepted {
        if wantlist.full {
            self.wants.clear();
            self.queue.clear();
        }
        let mut accepted = Accepted::default();
        for entry in &wantlist.entries {
            if entry.cancel {
                self.cancel(&entry.cid);
            } else if self.add(entry) {
                accepted.queued += 1;
            } else {
                accepted.dropped += 1;
                if entry.send_dont_have {
                    accepted.refused.push(entry.cid);
                }
            }
        }
        accepted
    }

    /// Takes the want that is to be answered next out of the queue. Say with
    /// [`settle`](Self::settle) what became of it.
    pub fn next_asked(&mut self) -> Option<Asked> {
        let (_, cid) = self.queue.pop_first()?;
        let state = self.wants.get_mut(&cid)?;
        state.stage = Stage::InHand { again: false };
        Some(Asked { cid, want: state.want, send_dont_have: state.send_dont_have })
    }

    /// Says what became of a want. One that was cancelled meanwhile is no
    /// matter.
    pub fn settle(&mut self, cid: &Cid, outcome: Outcome) {
        let Some(state) = self.wants.get_mut(cid) else { return };
        match (state.stage, outcome) {
            (Stage::InHand { again: true }, _) => self.enqueue(*cid, 0),
            (Stage::InHand { .. }, Outcome::Answered) => {
                self.wants.remove(cid);
            }
            (Stage::InHand { .. }, Outcome::Missing) => state.stage = Stage::Waiting,
            (Stage::Queued(_) | Stage::Waiting, _) => {}
        }
    }

    /// Puts a want for a block that has just arrived here back into the queue.
    /// Returns whether there was one.
    pub fn arrived(&mut self, cid: &Cid) -> bool {
        let Some(state) = self.wants.get_mut(cid) else { return false };
        match &mut state.stage {
            Stage::Queued(_) => {}
            Stage::InHand { again } => *again = true,
            Stage::Waiting => self.enqueue(*cid, 0),
        }
        true
    }

    /// Whether the peer wants nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    /// How many wants are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.wants.len()
    }

    /// Whether [`next_asked`](Self::next_asked) has something.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    fn cancel(&mut self, cid: &Cid) {
        if let Some(State { stage: Stage::Queued(rank), .. }) = self.wants.remove(cid) {
            self.queue.remove(&rank);
        }
    }

    /// Adds a want or asks for it anew; says whether there was room.
    fn add(&mut self, entry: &Entry) -> bool {
        let full = self.wants.len() >= MAX_BITSWAP_WANTS_PER_PEER;
        match self.wants.get_mut(&entry.cid) {
            Some(state) => {
                let upgraded = upgrade(state, entry);
                if let Stage::InHand { again } = &mut state.stage {
                    *again |= upgraded;
                    return true;
                }
            }
            None if full => return false,
            None => {
                let Entry { cid, want, send_dont_have, .. } = *entry;
                self.wants.insert(cid, State { want, send_dont_have, stage: Stage::Waiting });
            }
        }
        self.enqueue(entry.cid, entry.priority);
        true
    }

    fn enqueue(&mut self, cid: Cid, priority: i32) {
        let Some(state) = self.wants.get_mut(&cid) else { return };
        if let Stage::Queued(rank) = state.stage {
            self.queue.remove(&rank);
        }
        self.arrivals += 1;
        let rank = (Reverse(priority), self.arrivals);
        state.stage = Stage::Queued(rank);
        self.queue.insert(rank, cid);
    }
}

/// Takes over what a repeated want asks for; says whether that is now the block
/// instead of word of it. It never becomes less.
fn upgrade(state: &mut State, entry: &Entry) -> bool {
    state.send_dont_have = entry.send_dont_have;
    let upgraded = state.want == Want::Have && entry.want == Want::Block;
    if upgraded {
        state.want = Want::Block;
    }
    upgraded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{HashKind, codec, hash};

    fn cid(number: u16) -> Cid {
        hash(codec::RAW, HashKind::Sha2_256, &number.to_be_bytes())
    }

    fn list(entries: Vec<Entry>) -> Wantlist {
        Wantlist { entries, full: false }
    }

    fn take_all(ledger: &mut Ledger) -> Vec<Cid> {
        std::iter::from_fn(|| ledger.next_asked()).map(|asked| asked.cid).collect()
    }

    #[test]
    fn answers_by_priority_then_by_arrival() {
        let mut ledger = Ledger::default();
        let wants = [(1, 5), (2, 9), (3, 5), (4, -1)];
        ledger.receive(&list(wants.map(|(n, p)| Entry::block(cid(n), p)).to_vec()));
        assert_eq!(take_all(&mut ledger), [cid(2), cid(1), cid(3), cid(4)]);
    }

    #[test]
    fn a_cancel_takes_a_want_away_wherever_it_is() {
        let mut ledger = Ledger::default();
        ledger.receive(&list((1..=3).map(|n| Entry::block(cid(n), 0)).collect()));
        let in_hand = ledger.next_asked().unwrap().cid;
        ledger.receive(&list(vec![Entry::cancel(in_hand), Entry::cancel(cid(2))]));
        ledger.settle(&in_hand, Outcome::Missing);
        assert_eq!(take_all(&mut ledger), [cid(3)]);
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn a_full_list_replaces_what_was_there() {
        let mut ledger = Ledger::default();
        ledger.receive(&list(vec![Entry::block(cid(1), 0), Entry::block(cid(2), 0)]));
        ledger.receive(&Wantlist { entries: vec![Entry::block(cid(3), 0)], full: true });
        assert_eq!(take_all(&mut ledger), [cid(3)]);
    }

    #[test]
    fn a_missing_block_is_sent_when_it_arrives() {
        let mut ledger = Ledger::default();
        ledger.receive(&list(vec![Entry::block(cid(1), 0)]));
        assert!(ledger.next_asked().is_some());
        ledger.settle(&cid(1), Outcome::Missing);
        assert_eq!(ledger.next_asked(), None);
        assert!(ledger.arrived(&cid(1)));
        assert_eq!(ledger.next_asked().unwrap().cid, cid(1));
        ledger.settle(&cid(1), Outcome::Answered);
        assert!(ledger.is_empty());
        assert!(!ledger.arrived(&cid(1)));
    }

    #[test]
    fn a_block_that_arrives_during_the_look_is_looked_for_again() {
        let mut ledger = Ledger::default();
        ledger.receive(&list(vec![Entry::block(cid(1), 0)]));
        assert!(ledger.next_asked().is_some());
        ledger.arrived(&cid(1));
        ledger.settle(&cid(1), Outcome::Missing);
        assert_eq!(ledger.next_asked().unwrap().cid, cid(1));
    }

    #[test]
    fn word_is_upgraded_to_the_block_and_never_back() {
        let mut ledger = Ledger::default();
        let word = Entry { want: Want::Have, ..Entry::block(cid(1), 0) };
        ledger.receive(&list(vec![word]));
        ledger.receive(&list(vec![Entry::block(cid(1), 0)]));
        ledger.receive(&list(vec![word]));
        assert_eq!(ledger.next_asked().unwrap().want, Want::Block);
        assert_eq!(ledger.next_asked(), None);
    }

    #[test]
    fn wants_over_the_limit_are_refused_from_both_sides() {
        let mut ledger = Ledger::default();
        let limit = u16::try_from(MAX_BITSWAP_WANTS_PER_PEER).unwrap();
        let accepted = ledger.receive(&list((0..limit).map(|n| Entry::block(cid(n), 0)).collect()));
        assert_eq!(accepted.queued, usize::from(limit));
        assert_eq!(accepted.refused, []);
        let silent = Entry { send_dont_have: false, ..Entry::block(cid(limit + 1), 0) };
        let accepted = ledger.receive(&list(vec![
            Entry::block(cid(limit), 0),
            silent,
            Entry::block(cid(3), 1),
        ]));
        assert_eq!(accepted, Accepted { queued: 1, refused: vec![cid(limit)], dropped: 2 });
        assert_eq!(ledger.len(), usize::from(limit));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Want(u16, i32),
        Cancel(u16),
        Full,
        Take,
        Settle(u16, bool),
        Arrive(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        let number = 0..12_u16;
        prop_oneof![
            (number.clone(), -2..3).prop_map(|(n, p)| Step::Want(n, p)),
            number.clone().prop_map(Step::Cancel),
            Just(Step::Full),
            Just(Step::Take),
            (number.clone(), any::<bool>()).prop_map(|(n, met)| Step::Settle(n, met)),
            number.prop_map(Step::Arrive),
        ]
    }

    fn apply(ledger: &mut Ledger, step: &Step) {
        match *step {
            Step::Want(n, priority) => {
                ledger.receive(&list(vec![Entry::block(cid(n), priority)]));
            }
            Step::Cancel(n) => {
                ledger.receive(&list(vec![Entry::cancel(cid(n))]));
            }
            Step::Full => {
                ledger.receive(&Wantlist { entries: Vec::new(), full: true });
            }
            Step::Take => {
                ledger.next_asked();
            }
            Step::Settle(n, met) => {
                let outcome = if met { Outcome::Answered } else { Outcome::Missing };
                ledger.settle(&cid(n), outcome);
            }
            Step::Arrive(n) => {
                ledger.arrived(&cid(n));
            }
        }
    }

    proptest! {
        #[test]
        fn the_queue_and_the_wants_agree_whatever_happens(
            steps in proptest::collection::vec(step(), 0..80)
        ) {
            let mut ledger = Ledger::default();
            for step in &steps {
                apply(&mut ledger, step);
                let queued = ledger.wants.values().filter(|s| matches!(s.stage, Stage::Queued(_)));
                prop_assert_eq!(queued.count(), ledger.queue.len());
                for (rank, cid) in &ledger.queue {
                    prop_assert_eq!(ledger.wants[cid].stage, Stage::Queued(*rank));
                }
            }
        }
    }
}
