//! What can be simulated.

use std::hash::Hash;
use std::time::Duration;

/// A peer of a simulation: the first that joined is 0. A number is given once;
/// who comes in the place of one that left has a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub usize);

/// A state machine: events in, and what is to be done out. It has no clock and
/// no randomness of its own.
pub trait Machine {
    /// What peers say to each other.
    type Message: Clone;
    /// The names of its timers.
    type Timer: Clone + Eq + Hash;
    /// What it tells its owner.
    type Report;

    /// Takes in what happened at `now`, the time since the start.
    fn handle(&mut self, event: Event<Self>, now: Duration) -> Vec<Output<Self>>;
}

/// What happens to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<M: Machine + ?Sized> {
    /// It has joined.
    Started {
        /// Its own number.
        own: Peer,
    },
    /// A message has arrived.
    Received {
        /// Who sent it.
        from: Peer,
        /// What it says.
        message: M::Message,
    },
    /// A timer's time has come.
    Due(M::Timer),
}

/// What a machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M: Machine + ?Sized> {
    /// To be sent to another peer; nobody says whether it arrives.
    Send {
        /// To whom.
        to: Peer,
        /// What.
        message: M::Message,
    },
    /// To be woken at a time since the start; at once when that has passed. A
    /// timer of this name that is set already is set anew.
    Wake {
        /// The name of the timer.
        timer: M::Timer,
        /// When.
        at: Duration,
    },
    /// To be woken by this timer no more.
    Sleep {
        /// The name of the timer.
        timer: M::Timer,
    },
    /// For the owner.
    Report(M::Report),
}
