//! One direction of a link: which frames arrive, and when. No clock and no
//! sockets: time is passed in.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use fastrand::Rng;

use crate::conditions::Conditions;

/// A frame on its way; the one that arrives first is the least.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Travelling {
    arrives: Instant,
    /// Keeps the order of those that arrive at once.
    number: u64,
    frame: Vec<u8>,
}

/// One direction of a link.
#[derive(Debug)]
pub(crate) struct Line {
    conditions: Conditions,
    dice: Rng,
    travelling: BinaryHeap<Reverse<Travelling>>,
    /// When the line has put all frames so far on the wire.
    free: Option<Instant>,
    last_arrival: Option<Instant>,
    count: u64,
}

impl Line {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            dice: Rng::with_seed(seed),
            travelling: BinaryHeap::new(),
            free: None,
            last_arrival: None,
            count: 0,
        }
    }

    /// A frame enters the line.
    pub(crate) fn enter(&mut self, frame: &[u8], now: Instant) {
        if self.happens(self.conditions.loss) {
            return;
        }
        let copies = if self.happens(self.conditions.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            if let Some(sent) = self.put_on_wire(frame.len(), now) {
                let arrives = self.arrival(sent);
                self.count += 1;
                let frame = Travelling { arrives, number: self.count, frame: frame.to_vec() };
                self.travelling.push(Reverse(frame));
            }
        }
    }

    /// The next frame that has arrived.
    pub(crate) fn leave(&mut self, now: Instant) -> Option<Vec<u8>> {
        let Reverse(first) = self.travelling.peek()?;
        if first.arrives > now {
            return None;
        }
        self.travelling.pop().map(|Reverse(first)| first.frame)
    }

    /// When the next frame arrives.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.travelling.peek().map(|Reverse(first)| first.arrives)
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.dice.f64() < probability
    }

    /// When a frame is on the wire; `None` when the queue before it is full.
    fn put_on_wire(&mut self, length: usize, now: Instant) -> Option<Instant> {
        if self.conditions.rate == 0.0 {
            return Some(now);
        }
        let bits = u32::try_from(length * 8).unwrap_or(u32::MAX);
        let takes = f64::from(bits) / self.conditions.rate;
        let start = self.free.map_or(now, |free| free.max(now));
        let waiting = start.duration_since(now).as_secs_f64() / takes;
        if waiting > self.conditions.queue {
            return None;
        }
        let sent = start + Duration::from_secs_f64(takes);
        self.free = Some(sent);
        Some(sent)
    }

    /// When a frame arrives that is on the wire at `sent`.
    fn arrival(&mut self, sent: Instant) -> Instant {
        if self.happens(self.conditions.reorder) {
            return sent;
        }
        let jitter = self.conditions.jitter.mul_f64(2.0 * self.dice.f64());
        let delay = (self.conditions.delay + jitter).saturating_sub(self.conditions.jitter);
        let arrives = sent + delay;
        let arrives = self.last_arrival.map_or(arrives, |last| arrives.max(last));
        self.last_arrival = Some(arrives);
        arrives
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn line(set: impl FnOnce(&mut Conditions)) -> (Line, Instant) {
        let mut conditions = Conditions::default();
        set(&mut conditions);
        (Line::new(conditions, 7), Instant::now())
    }

    /// Every frame with its time on the way, in the order of arrival.
    fn arrivals(line: &mut Line, entered: Instant) -> Vec<(u8, Duration)> {
        std::iter::from_fn(|| {
            let arrives = line.next_arrival()?;
            let frame = line.leave(arrives)?;
            Some((frame[0], arrives.duration_since(entered)))
        })
        .collect()
    }

    #[test]
    fn a_frame_takes_the_delay() {
        let (mut line, start) = line(|conditions| conditions.delay = 20 * MS);
        line.enter(&[1], start);
        assert_eq!(line.leave(start + 19 * MS), None);
        assert_eq!(line.leave(start + 20 * MS), Some(vec![1]));
        assert_eq!(line.next_arrival(), None);
    }

    #[test]
    fn jitter_keeps_the_order_and_its_bounds() {
        let (mut line, start) = line(|conditions| {
            (conditions.delay, conditions.jitter) = (20 * MS, 10 * MS);
        });
        (0..100).for_each(|number| line.enter(&[number], start));
        let arrivals = arrivals(&mut line, start);
        assert!(arrivals.iter().map(|(number, _)| *number).eq(0..100));
        assert!(arrivals.iter().all(|(_, took)| (10 * MS..=30 * MS).contains(took)));
        assert!(arrivals[0].1 < arrivals[99].1);
    }

    #[test]
    fn frames_are_lost_and_doubled_as_often_as_said() {
        let (mut lossy, start) = line(|conditions| conditions.loss = 0.1);
        let (mut doubling, _) = line(|conditions| conditions.duplicate = 0.1);
        for _ in 0..10_000 {
            lossy.enter(&[0], start);
            doubling.enter(&[0], start);
        }
        assert!((8_800..9_200).contains(&arrivals(&mut lossy, start).len()));
        assert!((10_800..11_200).contains(&arrivals(&mut doubling, start).len()));
    }

    #[test]
    fn a_hurried_frame_overtakes() {
        let (mut line, start) = line(|conditions| {
            (conditions.delay, conditions.reorder) = (20 * MS, 0.5);
        });
        (0..100).for_each(|number| line.enter(&[number], start));
        let arrivals = arrivals(&mut line, start);
        let hurried = arrivals.iter().filter(|(_, took)| took.is_zero()).count();
        assert!((20..80).contains(&hurried), "{hurried}");
        assert!(!arrivals.is_sorted());
    }

    #[test]
    fn a_slow_line_sends_one_frame_after_the_other_and_drops_what_does_not_fit() {
        let (mut line, start) = line(|conditions| {
            // A frame of 1,000 bytes takes 8 ms.
            (conditions.rate, conditions.queue) = (1e6, 3.0);
        });
        (0..10).for_each(|number| line.enter(&[number; 1000], start));
        let expected: Vec<_> =
            (0..4).map(|number| (number, 8 * MS * (u32::from(number) + 1))).collect();
        assert_eq!(arrivals(&mut line, start), expected);
    }
}
