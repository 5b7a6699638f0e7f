//! A simulator: many peers, a bad network between them, and a clock that
//! jumps from one event to the next.
//!
//! What is simulated is a [`Machine`]: a state machine that is handed events
//! and the time, and answers what it wants done. So it runs here as it runs in
//! the world, only that hours pass within seconds. A [`World`] brings its
//! messages over a [`Link`] that delays, loses, doubles and reorders them; can
//! be [split](World::split) and [healed](World::heal); and lets peers come and
//! go by themselves ([`Churn`]).
//!
//! Times are durations since the start. All chance follows from one [`Seed`]:
//! the same seed gives the same history, so a run that failed can be had again.
//!
//! ```
//! use std::time::Duration;
//! use peerage_core::sim::{Event, Link, Machine, Output, Peer, Seed, World};
//!
//! /// Says each second that it is there, and tells its owner who else is.
//! struct Beacon;
//!
//! const SECOND: Duration = Duration::from_secs(1);
//!
//! impl Machine for Beacon {
//!     type Message = &'static str;
//!     type Timer = ();
//!     type Report = Peer;
//!
//!     fn handle(&mut self, event: Event<Self>, now: Duration) -> Vec<Output<Self>> {
//!         match event {
//!             Event::Started { .. } => vec![Output::Wake { timer: (), at: now + SECOND }],
//!             Event::Due(()) => vec![
//!                 Output::Send { to: Peer(0), message: "here" },
//!                 Output::Wake { timer: (), at: now + SECOND },
//!             ],
//!             Event::Received { from, message: _ } => vec![Output::Report(from)],
//!         }
//!     }
//! }
//!
//! let seed = Seed(7);
//! seed.hold(|| {
//!     let link = Link { loss: 0.1, ..Link::default() };
//!     let mut world = World::new(seed, link, |_peer, _chance| Beacon);
//!     let (first, second) = (world.join(), world.join());
//!     let heard = world.run_until(60 * SECOND);
//!     assert!(heard.iter().all(|told| told.by == first));
//!     assert!(heard.iter().filter(|told| told.report == second).count() > 40);
//! });
//! ```

mod churn;
mod link;
mod machine;
mod queue;
mod seed;
mod world;

#[cfg(test)]
mod tests;

pub use churn::Churn;
/// The generator that all chance comes from; it has no source but its seed.
pub use fastrand::Rng;
pub use link::Link;
pub use machine::{Event, Machine, Output, Peer};
pub use seed::Seed;
pub use world::{Told, World};
