//! All ways of finding peers, side by side: announces by each, asks all, puts
//! their answers together.

mod announcing;
mod asking;
mod status;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream::BoxStream};
use libp2p::{Multiaddr, PeerId};
use peerage_core::discovery::{
    Candidate, Finding, Findings, Key, Outcome, Refusal, SignedPeerRecord,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::status::Tally;
pub use self::status::{Announced, WayStatus};
use super::{Presence, Way, WayError, WayName};
use crate::sync::lock;

/// How long one way may take to answer a look-up.
pub const LOOK_UP_TIME: Duration = Duration::from_secs(10);

/// How long the other ways go on after the first has found a peer.
const LINGER: Duration = Duration::from_secs(5);

/// How long closing waits for what was announced to be taken back.
const CLOSE_TIME: Duration = Duration::from_secs(3);

/// What happens in a look-up or a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// A way has found something that was not known from it.
    Found(Found),
    /// A way has failed, wholly or in part; the others go on, and it may too.
    Failed {
        /// Which.
        way: WayName,
        /// Why.
        error: WayError,
        /// After what time.
        took: Duration,
    },
    /// A way has no more to say, or not for now when it is watched.
    Ended {
        /// Which.
        way: WayName,
        /// How many findings it had, those counted that were known or refused.
        findings: usize,
        /// After what time.
        took: Duration,
    },
}

/// A peer that a way has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The way.
    pub way: WayName,
    /// After what time.
    pub took: Duration,
    /// The peer.
    pub peer: PeerId,
    /// Where this way says that it is: unproven, and perhaps nothing.
    pub addresses: Vec<Multiaddr>,
    /// The peer's own word for it.
    pub record: Option<SignedPeerRecord>,
    /// What that adds to what was found before in the same look-up.
    pub outcome: Outcome,
    /// The peer is merely at hand: nobody says that it has what is looked for.
    pub suggested: bool,
}

/// All ways of finding peers, side by side. A cheap handle; needs a tokio
/// runtime around it.
///
/// It answers with what the ways say: no address was dialled, and without a
/// signed record none is the peer's own word. How much is kept, and for how
/// long, is bounded: see [`Findings`].
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use std::sync::Arc;
/// use peerage::discovery::{Finder, StaticList, read_static_list};
///
/// let list = "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
/// let list = StaticList::new(read_static_list(list)?);
/// let own = "12D3KooWNu4NTsSxfRv5yRq2Y8Ch2rDSvS3DYtWMAqjWSYd1CpLx".parse()?;
///
/// let finder = Finder::new(own, vec![Arc::new(list)], |_| {});
/// let peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?;
/// let addresses = finder.find_peer(peer).await.expect("it is on the list");
/// assert_eq!(addresses[0].to_string(), "/ip4/127.0.0.1/tcp/4001");
/// finder.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Finder {
    inner: Arc<Inner>,
}

struct Inner {
    own: PeerId,
    ways: Mutex<Vec<Entry>>,
    presence: watch::Sender<Option<Arc<Presence>>>,
    known: Mutex<Findings>,
    began: Instant,
    learn: Box<dyn Fn(&Found) + Send + Sync>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A way, and how it fares.
#[derive(Clone)]
struct Entry {
    way: Arc<dyn Way>,
    tally: Arc<Tally>,
}

impl Finder {
    /// A finder for the peer `own`, which it never finds. `learn` is told all
    /// that is found at addresses, by whomever it was looked for; it must not
    /// wait.
    #[must_use]
    pub fn new(
        own: PeerId,
        ways: Vec<Arc<dyn Way>>,
        learn: impl Fn(&Found) + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner {
            own,
            ways: Mutex::default(),
            presence: watch::Sender::default(),
            known: Mutex::default(),
            began: Instant::now(),
            learn: Box::new(learn),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let finder = Self { inner: Arc::new(inner) };
        ways.into_iter().for_each(|way| finder.add(way));
        finder
    }

    /// Takes one more way: announces by it from now on, and asks it in every
    /// look-up to come.
    pub fn add(&self, way: Arc<dyn Way>) {
        let inner = &self.inner;
        let tally = Arc::new(Tally::new(way.name()));
        let presence = inner.presence.subscribe();
        let announcing = announcing::keep(Arc::clone(&way), presence, Arc::clone(&tally));
        let stop = inner.stop.clone();
        inner.tasks.spawn(announcing::until_stopped(announcing, Arc::clone(&way), stop));
        lock(&inner.ways).push(Entry { way, tally });
    }

    /// Announces this node by every way, from now on: at once, again before
    /// what was announced expires, and after failures. Replaces what was
    /// announced before; nothing takes it back.
    pub fn announce(&self, presence: Option<Presence>) {
        self.inner.presence.send_replace(presence.map(Arc::new));
    }

    /// How each way fares.
    #[must_use]
    pub fn status(&self) -> Vec<WayStatus> {
        lock(&self.inner.ways).iter().map(|entry| entry.tally.status()).collect()
    }

    /// Whether there is no way at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        lock(&self.inner.ways).is_empty()
    }

    /// All that was found of a peer lately, by all ways, whoever looked for it.
    #[must_use]
    pub fn known(&self, peer: &PeerId) -> Option<Candidate> {
        lock(&self.inner.known).get(peer)
    }

    /// Asks every way at the same time and answers as they do. Ends when all
    /// have, each within [`LOOK_UP_TIME`]; dropping it stops them.
    #[must_use]
    pub fn look_up(&self, key: &Key) -> BoxStream<'static, Answer> {
        asking::Asking::once(self, key).into_stream()
    }

    /// As [`look_up`](Self::look_up), but goes on for as long as it is held:
    /// ways that can tell of news do, the others are asked again.
    #[must_use]
    pub fn watch(&self, key: &Key) -> BoxStream<'static, Answer> {
        asking::Asking::for_long(self, key).into_stream()
    }

    /// Looks for a peer until one way knows an address, and answers all that
    /// are known by then, the best first. The other ways go on for some
    /// seconds, so that `learn` hears of more.
    pub async fn find_peer(&self, peer: PeerId) -> Option<Vec<Multiaddr>> {
        let mut answers = self.look_up(&Key::Peer(peer));
        while let Some(answer) = answers.next().await {
            if let Answer::Found(found) = answer
                && !found.addresses.is_empty()
            {
                self.linger(answers);
                return Some(self.known(&peer).map_or(found.addresses, |known| known.addresses));
            }
        }
        None
    }

    /// Lets a look-up go on for some seconds that has found enough already, so
    /// that `learn` hears of more.
    pub(crate) fn linger(&self, answers: BoxStream<'static, Answer>) {
        let rest = timeout(LINGER, answers.for_each(|_| std::future::ready(())));
        self.inner.tasks.spawn(rest);
    }

    /// Takes back what was announced, as far as the ways can, ends every
    /// look-up and lets go of the ways.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        if timeout(CLOSE_TIME, self.inner.tasks.wait()).await.is_err() {
            tracing::debug!("a way of finding peers was slow to end");
        }
        lock(&self.inner.ways).clear();
    }

    fn entries(&self) -> Vec<Entry> {
        lock(&self.inner.ways).clone()
    }

    /// Notes a finding among all that are known; whether it counts.
    fn note(&self, way: WayName, finding: &Finding) -> Result<(), Refusal> {
        let mut known = lock(&self.inner.known);
        match known.take(way, finding, self.inner.began.elapsed()) {
            // It is no worse for having no place here.
            Outcome::Refused(Refusal::Full) => Ok(()),
            Outcome::Refused(refusal) => Err(refusal),
            _ => Ok(()),
        }
    }

    fn sweep(&self) {
        let now = self.inner.began.elapsed();
        lock(&self.inner.known).sweep(now);
    }
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways: Vec<_> = self.entries().iter().map(|entry| entry.way.name()).collect();
        f.debug_struct("Finder").field("own", &self.inner.own).field("ways", &ways).finish()
    }
}

#[cfg(test)]
mod tests;
