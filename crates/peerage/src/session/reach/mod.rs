//! A peer id in, a connection out: every way is asked at once where the peer
//! is, and the first address that answers is used.

mod asked;
mod error;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use peerage_core::discovery::Key;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep, sleep_until, timeout},
};

use self::asked::Inquiry;
pub use self::{
    asked::{Asked, Said, Source},
    error::{NotReached, ReachError, StreamError},
};
use crate::{
    discovery::{Answer, Finder, LOOK_UP_TIME},
    node::{CONNECT_TIMEOUT, ConnectError, Connection, Node, NodeEvent},
    routing::peer_suffix,
};

/// How long a peer is looked for and dialled, unless it is said otherwise: the
/// slowest way may take its time, and what it names may too.
pub const REACH_TIME: Duration = LOOK_UP_TIME.saturating_add(CONNECT_TIMEOUT);

/// How long everything else is tried before circuits over this node's own hubs,
/// which nobody has named: they cost the hub most, and carry the least.
const BEFORE_HUBS: Duration = Duration::from_millis(1500);

/// The pauses before every way is asked again for a peer that is waited for;
/// the last one from then on.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

/// How to reach a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reaching {
    /// Where it was said to be: one more way, beside all others.
    pub addresses: Vec<Multiaddr>,
    /// How long it may take in all.
    pub deadline: Duration,
    /// Whether to go on until the deadline when no way knows the peer: it may
    /// still come.
    pub wait: bool,
}

impl Default for Reaching {
    /// At no address in particular, within [`REACH_TIME`], and not waiting for a
    /// peer that no way knows.
    fn default() -> Self {
        Self { addresses: Vec::new(), deadline: REACH_TIME, wait: false }
    }
}

impl Reaching {
    /// At these addresses too.
    #[must_use]
    pub fn at(addresses: Vec<Multiaddr>) -> Self {
        Self { addresses, ..Self::default() }
    }

    /// For so long, and also when the peer only comes meanwhile.
    #[must_use]
    pub fn waiting(deadline: Duration) -> Self {
        Self { deadline, wait: true, ..Self::default() }
    }
}

/// What it takes to reach peers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reacher {
    node: Node,
    finder: Finder,
    /// Where this node's hubs are, each with its peer at the end.
    hubs: Arc<[Multiaddr]>,
}

impl Reacher {
    pub(super) fn new(node: &Node, finder: &Finder, hubs: &[Multiaddr]) -> Self {
        Self { node: node.clone(), finder: finder.clone(), hubs: hubs.into() }
    }

    /// Connects to a peer, or joins what is under way to that end.
    pub(super) async fn reach(
        &self,
        peer: PeerId,
        wanted: &Reaching,
    ) -> Result<Connection, ReachError> {
        if let Some(connection) = self.node.connection(&peer) {
            return Ok(connection);
        }
        let began = Instant::now();
        let mut search = Search::new(self, peer, wanted);
        let outcome = timeout(wanted.deadline, search.run()).await.ok().flatten();
        match outcome {
            Some(Ok(connection)) => {
                search.leave(&connection);
                Ok(connection)
            }
            Some(Err(error)) => Err(ReachError::Node(error)),
            None => Err(search.failure(began.elapsed())),
        }
    }

    /// Where a peer is if it has a place at a hub of ours.
    fn circuits(&self, peer: PeerId) -> Vec<Multiaddr> {
        let others = self.hubs.iter().filter(|hub| peer_suffix(hub).is_some_and(|id| id != peer));
        others.map(|hub| hub.clone().with(Protocol::P2pCircuit)).collect()
    }
}

/// One search for one peer. Whatever names addresses and whatever dials them go
/// on side by side: what is found meanwhile joins the attempt that is under way.
struct Search<'a> {
    reacher: &'a Reacher,
    peer: PeerId,
    wait: bool,
    /// What is to be dialled next.
    next: Vec<Multiaddr>,
    circuits: Vec<Multiaddr>,
    circuits_at: Instant,
    inquiry: Inquiry,
    answers: Option<BoxStream<'static, Answer>>,
    dialling: Option<BoxFuture<'static, Result<Connection, ConnectError>>>,
    /// Something was found since dialling began, perhaps too late for it.
    news: bool,
    dialled: Option<ConnectError>,
    events: Receiver<NodeEvent>,
    pauses: VecDeque<Duration>,
}

/// What there is to go by next.
enum Step {
    Connected(Connection),
    Dialled(Result<Connection, ConnectError>),
    Answered(Option<Answer>),
    HubsNow,
}

impl<'a> Search<'a> {
    fn new(reacher: &'a Reacher, peer: PeerId, wanted: &Reaching) -> Self {
        let mut inquiry = Inquiry::default();
        if !wanted.addresses.is_empty() {
            inquiry.known(Source::Given, wanted.addresses.len());
        }
        Self {
            reacher,
            peer,
            wait: wanted.wait,
            next: wanted.addresses.clone(),
            circuits: reacher.circuits(peer),
            circuits_at: Instant::now() + BEFORE_HUBS,
            inquiry,
            answers: None,
            dialling: None,
            news: false,
            dialled: None,
            events: reacher.node.events(),
            pauses: PAUSES.into(),
        }
    }

    /// Goes on until the peer is connected, or there is nothing left to hope
    /// for, or dialling it makes no sense.
    async fn run(&mut self) -> Option<Result<Connection, ConnectError>> {
        self.ask();
        loop {
            match self.step().await {
                Step::Connected(connection) | Step::Dialled(Ok(connection)) => {
                    return Some(Ok(connection));
                }
                Step::Dialled(Err(error)) => {
                    self.dialling = None;
                    if matches!(error, ConnectError::OwnPeer(_) | ConnectError::Stopped) {
                        return Some(Err(error));
                    }
                    self.note_failure(error);
                }
                Step::Answered(Some(answer)) => self.take(&answer),
                Step::Answered(None) => self.answers = None,
                Step::HubsNow => self.dial_circuits(),
            }
            if self.dialling.is_some() || self.answers.is_some() {
                continue;
            }
            if !self.circuits.is_empty() {
                self.dial_circuits();
            } else if self.wait {
                sleep(self.pause()).await;
                self.circuits = self.reacher.circuits(self.peer);
                self.ask();
            } else {
                return None;
            }
        }
    }

    /// Asks every way, and dials meanwhile what is known without them.
    fn ask(&mut self) {
        let Reacher { node, finder, .. } = self.reacher;
        self.inquiry.known(Source::AddressBook, node.known_addresses(&self.peer).len());
        self.inquiry.ask(finder.status().iter().map(|status| status.way));
        self.answers = Some(finder.look_up(&Key::Peer(self.peer)));
        self.dial();
    }

    /// Dials what is to be dialled and all that the node remembers.
    fn dial(&mut self) {
        let (node, peer) = (self.reacher.node.clone(), self.peer);
        let addresses = std::mem::take(&mut self.next);
        self.news = false;
        // One that waits already is answered by the same attempt as the next.
        self.dialling = Some(async move { node.connect(peer, &addresses).await }.boxed());
    }

    fn dial_circuits(&mut self) {
        let circuits = std::mem::take(&mut self.circuits);
        self.inquiry.known(Source::Hubs, circuits.len());
        self.next.extend(circuits);
        self.dial();
    }

    async fn step(&mut self) -> Step {
        let Self { reacher, dialling, answers, events, .. } = self;
        let dialled = async {
            match dialling {
                Some(dialling) => dialling.await,
                None => std::future::pending().await,
            }
        };
        let answer = async {
            match answers {
                Some(answers) => answers.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = dialled => Step::Dialled(outcome),
            // It may have found us meanwhile.
            connection = connected(&reacher.node, events, &self.peer) => Step::Connected(connection),
            answer = answer => Step::Answered(answer),
            () = sleep_until(self.circuits_at), if !self.circuits.is_empty() => Step::HubsNow,
        }
    }

    /// Takes what a way says. Where it says that the peer is, the node knows
    /// already, and an attempt that is under way too.
    fn take(&mut self, answer: &Answer) {
        self.inquiry.note(answer);
        if let Answer::Found(found) = answer
            && !found.addresses.is_empty()
        {
            self.news = true;
            if self.dialling.is_none() {
                self.dial();
            }
        }
    }

    fn note_failure(&mut self, error: ConnectError) {
        let nothing_to_dial = matches!(error, ConnectError::NoAddresses(_));
        if !nothing_to_dial {
            self.dialled = Some(error);
        }
        if self.news {
            self.dial();
        }
    }

    fn pause(&mut self) -> Duration {
        match self.pauses.len() {
            0 | 1 => PAUSES[PAUSES.len() - 1],
            _ => self.pauses.pop_front().unwrap_or_default(),
        }
    }

    /// Lets ways go on that may still name a better path than over a relay.
    fn leave(self, connection: &Connection) {
        if connection.path.transport.is_relayed()
            && let Some(answers) = self.answers
        {
            self.reacher.finder.linger(answers);
        }
    }

    fn failure(self, after: Duration) -> ReachError {
        let (peer, dialled) = (self.peer, self.dialled);
        let asked = self.inquiry.into_asked();
        ReachError::NotReached(Box::new(NotReached { peer, after, asked, dialled }))
    }
}

/// Waits until a peer is connected, whoever dialled.
async fn connected(node: &Node, events: &mut Receiver<NodeEvent>, peer: &PeerId) -> Connection {
    loop {
        if let Some(connection) = node.connection(peer) {
            return connection;
        }
        if matches!(events.recv().await, Err(RecvError::Closed)) {
            return std::future::pending().await;
        }
    }
}
