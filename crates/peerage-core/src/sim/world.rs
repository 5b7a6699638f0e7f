//! All peers of a simulation, and what is between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::queue::Queue;
use super::{Churn, Event, Link, Machine, Output, Peer, Rng, Seed};

/// What is going to happen.
enum Due<M: Machine> {
    Message { from: Peer, to: Peer, message: M::Message },
    Timer { peer: Peer, timer: M::Timer },
    Leaves(Peer),
    Joins,
}

/// What a machine has told its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<R> {
    /// When, since the start.
    pub at: Duration,
    /// Whose machine.
    pub by: Peer,
    /// What.
    pub report: R,
}

/// A peer that is there.
struct Place<M: Machine> {
    machine: M,
    /// The timers that are set: their numbers in the queue. What the queue has
    /// under another number was set anew, or put to sleep.
    timers: HashMap<M::Timer, u64>,
}

/// Peers, the network between them, and a clock of its own.
///
/// `F` makes the machine of a peer that joins, with chance of its own.
pub struct World<M: Machine, F> {
    make: F,
    link: Link,
    churn: Option<Churn>,
    chance: Rng,
    now: Duration,
    queue: Queue<Due<M>>,
    places: BTreeMap<Peer, Place<M>>,
    /// How many have ever joined.
    joined: usize,
    /// When the last message from one to another arrives.
    latest: HashMap<(Peer, Peer), Duration>,
    /// Those on the other side of a split.
    beyond: BTreeSet<Peer>,
    told: Vec<Told<M::Report>>,
}

impl<M, F> World<M, F>
where
    M: Machine,
    F: FnMut(Peer, Rng) -> M,
{
    /// A world with nobody in it.
    pub fn new(seed: Seed, link: Link, make: F) -> Self {
        Self {
            make,
            link,
            churn: None,
            chance: seed.chance(),
            now: Duration::ZERO,
            queue: Queue::new(),
            places: BTreeMap::new(),
            joined: 0,
            latest: HashMap::new(),
            beyond: BTreeSet::new(),
            told: Vec::new(),
        }
    }

    /// Lets peers come and go from now on: those that are there and those that
    /// join later.
    pub fn set_churn(&mut self, churn: Churn) {
        self.churn = Some(churn);
        let peers: Vec<Peer> = self.peers().collect();
        peers.into_iter().for_each(|peer| self.plan_to_leave(peer));
    }

    /// Lets the network be another from now on; what is on its way arrives.
    pub fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// The time since the start.
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Who is there, in the order in which they came.
    pub fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.places.keys().copied()
    }

    /// The machine of a peer, if it is there.
    pub fn machine(&self, peer: Peer) -> Option<&M> {
        self.places.get(&peer).map(|place| &place.machine)
    }

    /// Asks something of a peer's machine, as its owner would, and does what it
    /// answers. Nothing happens when the peer is not there.
    pub fn ask(&mut self, peer: Peer, ask: impl FnOnce(&mut M, Duration) -> Vec<Output<M>>) {
        if let Some(place) = self.places.get_mut(&peer) {
            let outputs = ask(&mut place.machine, self.now);
            outputs.into_iter().for_each(|output| self.carry_out(peer, output));
        }
    }

    /// Lets a new peer join.
    pub fn join(&mut self) -> Peer {
        let own = Peer(self.joined);
        self.joined += 1;
        let machine = (self.make)(own, self.chance.fork());
        self.places.insert(own, Place { machine, timers: HashMap::new() });
        self.plan_to_leave(own);
        self.happen(own, Event::Started { own });
        own
    }

    /// Takes a peer away, without a word to anybody.
    pub fn leave(&mut self, peer: Peer) {
        self.places.remove(&peer);
        self.beyond.remove(&peer);
        self.latest.retain(|(from, to), _| *from != peer && *to != peer);
    }

    /// Splits the network: nothing passes between these and the others, not
    /// even what is on its way. Who joins is among the others.
    pub fn split(&mut self, beyond: impl IntoIterator<Item = Peer>) {
        self.beyond = beyond.into_iter().collect();
    }

    /// Makes the network whole again.
    pub fn heal(&mut self) {
        self.beyond.clear();
    }

    /// Lets everything happen until a time since the start; what was told
    /// meanwhile.
    pub fn run_until(&mut self, until: Duration) -> Vec<Told<M::Report>> {
        while self.queue.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = self.now.max(until);
        std::mem::take(&mut self.told)
    }

    /// Lets the next thing happen; `false` when nothing is left to.
    pub fn step(&mut self) -> bool {
        let Some((at, number, due)) = self.queue.pop() else { return false };
        self.now = at;
        match due {
            Due::Message { from, to, message } if self.meet(from, to) => {
                self.happen(to, Event::Received { from, message });
            }
            Due::Message { .. } => {}
            Due::Timer { peer, timer } => self.on_timer(peer, timer, number),
            Due::Leaves(peer) => self.on_leaves(peer),
            Due::Joins => {
                self.join();
            }
        }
        true
    }

    fn on_timer(&mut self, peer: Peer, timer: M::Timer, number: u64) {
        let Some(place) = self.places.get_mut(&peer) else { return };
        if place.timers.get(&timer) == Some(&number) {
            place.timers.remove(&timer);
            self.happen(peer, Event::Due(timer));
        }
    }

    fn on_leaves(&mut self, peer: Peer) {
        if !self.places.contains_key(&peer) {
            return;
        }
        self.leave(peer);
        if let Some(churn) = self.churn {
            self.queue.push(self.now + churn.away, Due::Joins);
        }
    }

    fn plan_to_leave(&mut self, peer: Peer) {
        let stay = self.churn.and_then(|churn| churn.stay(&mut self.chance));
        if let Some(stay) = stay {
            self.queue.push(self.now.saturating_add(stay), Due::Leaves(peer));
        }
    }

    /// Whether anything passes from one to the other.
    fn meet(&self, from: Peer, to: Peer) -> bool {
        self.beyond.contains(&from) == self.beyond.contains(&to)
    }

    fn happen(&mut self, peer: Peer, event: Event<M>) {
        let now = self.now;
        self.ask(peer, |machine, _| machine.handle(event, now));
    }

    fn carry_out(&mut self, peer: Peer, output: Output<M>) {
        match output {
            Output::Send { to, message } => self.send(peer, to, &message),
            Output::Wake { timer, at } => {
                let due = Due::Timer { peer, timer: timer.clone() };
                let number = self.queue.push(at.max(self.now), due);
                if let Some(place) = self.places.get_mut(&peer) {
                    place.timers.insert(timer, number);
                }
            }
            Output::Sleep { timer } => {
                if let Some(place) = self.places.get_mut(&peer) {
                    place.timers.remove(&timer);
                }
            }
            Output::Report(report) => self.told.push(Told { at: self.now, by: peer, report }),
        }
    }

    fn send(&mut self, from: Peer, to: Peer, message: &M::Message) {
        if !self.meet(from, to) || !self.places.contains_key(&to) {
            return;
        }
        let latest = self.latest.entry((from, to)).or_default();
        for at in self.link.arrivals(&mut self.chance, self.now, latest) {
            self.queue.push(at, Due::Message { from, to, message: message.clone() });
        }
    }
}
