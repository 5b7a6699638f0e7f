//! The local network as one way among others.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use libp2p::PeerId;
use peerage_core::discovery::{Finding, Key, WayName};
use tokio::time::{Instant, sleep_until};

use super::{Event, Events, LanDiscovery, LanStatus, NearbyPeer, Presence, Way, WayError};

/// How long news is waited for in a look-up: the second question of multicast
/// DNS comes after a second, and its answer at once.
const LISTEN_TIME: Duration = Duration::from_millis(1500);

/// How long after its start discovery has heard of everybody, even when two
/// questions were lost.
const SETTLING_TIME: Duration = Duration::from_millis(3500);

/// How long an announcement holds: it is repeated without our doing.
const HOLDS: Duration = Duration::from_secs(60 * 60);

/// [`LanDiscovery`] as a [`Way`]. It knows who is nearby; who has content it
/// does not, so it names everybody, and of topics it knows nothing.
#[derive(Debug)]
pub struct LanWay {
    // Not held, so that whoever owns it can stop it and wait for the end.
    lan: Weak<LanDiscovery>,
    began: Instant,
}

impl LanWay {
    /// The way of discovery that has just begun.
    #[must_use]
    pub fn new(lan: &Arc<LanDiscovery>) -> Self {
        Self { lan: Arc::downgrade(lan), began: Instant::now() }
    }

    fn lan(&self) -> Result<Arc<LanDiscovery>, WayError> {
        self.lan.upgrade().ok_or_else(|| unavailable("discovery on the local network has ended"))
    }

    /// Whether it works, or will in a moment.
    fn fares(lan: &LanDiscovery) -> Result<(), WayError> {
        match lan.status() {
            LanStatus::NoInterface => Err(unavailable("no network interface is up")),
            LanStatus::Failed(reason) => Err(WayError::Unavailable(reason)),
            LanStatus::Starting | LanStatus::Active(_) | LanStatus::Stopped => Ok(()),
        }
    }
}

impl Way for LanWay {
    fn name(&self) -> WayName {
        WayName::Lan
    }

    /// The responder announces the node by itself; this says whether it can.
    fn announce<'a>(&'a self, _: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        let fares = self.lan().and_then(|lan| Self::fares(&lan));
        std::future::ready(fares.map(|()| HOLDS)).boxed()
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        let (lan, wanted) = match self.lan().and_then(|lan| Ok((lan, Wanted::of(key)?))) {
            Ok(both) => both,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let trouble = stream::iter(Self::fares(&lan).err().map(Err));
        let (events, here) = (lan.subscribe(), lan.nearby());
        let until = (Instant::now() + LISTEN_TIME).max(self.began + SETTLING_TIME);
        let found = stream::iter(here).chain(news(events));
        let found = found.filter_map(move |near| std::future::ready(wanted.finding(near)));
        trouble.chain(found.map(Ok).take_until(sleep_until(until))).boxed()
    }

    fn watch<'a>(&'a self, key: &Key) -> Option<BoxStream<'a, Finding>> {
        let (lan, wanted) = (self.lan().ok()?, Wanted::of(key).ok()?);
        let found = news(lan.subscribe());
        Some(found.filter_map(move |near| std::future::ready(wanted.finding(near))).boxed())
    }
}

/// Whom of those nearby to name.
enum Wanted {
    Peer(PeerId),
    Everybody,
}

impl Wanted {
    fn of(key: &Key) -> Result<Self, WayError> {
        match key {
            Key::Peer(peer) => Ok(Self::Peer(*peer)),
            Key::Content(_) => Ok(Self::Everybody),
            Key::Topic(_) => Err(WayError::Unsupported),
        }
    }

    fn finding(&self, near: NearbyPeer) -> Option<Finding> {
        let wanted = match self {
            Self::Peer(peer) => near.peer_id == *peer,
            Self::Everybody => true,
        };
        let finding = Finding { peer: near.peer_id, addresses: near.addresses, record: None };
        wanted.then_some(finding)
    }
}

/// Who appears or changes from now on.
fn news(events: Events) -> impl futures::Stream<Item = NearbyPeer> + Send {
    stream::unfold(events, |mut events| async move {
        loop {
            if let Event::Found(near) | Event::Changed(near) = events.next().await? {
                return Some((near, events));
            }
        }
    })
}

fn unavailable(why: &str) -> WayError {
    WayError::Unavailable(why.to_owned())
}
