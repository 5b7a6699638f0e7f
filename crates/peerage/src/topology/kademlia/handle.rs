//! The handle to a node's Kademlia.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::limits::MAX_KADEMLIA_ANSWERS;
use crate::sync::lock;
use futures::channel::oneshot;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use libp2p::kad::RecordKey;
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use peerage_core::discovery::{Finding, Key, Said, SignedPeerRecord};
use tokio::sync::mpsc;

use super::KademliaConfig;
use super::error::KademliaError;
use super::keys::provider_key;
use super::look_up::{Answer, Done, Wanted};
use super::refused::{Counters, Refused};
use super::routing_table::Table;

/// What handles ask of the behaviour.
pub(super) enum Command {
    LookUp { wanted: Wanted, to: mpsc::Sender<Answer> },
    Put { record: Box<SignedPeerRecord>, done: Done },
    Remove,
    Provide { key: RecordKey, done: Done },
    StopProviding { key: RecordKey },
    Bootstrap { done: Done },
    Table { to: oneshot::Sender<Table> },
}

/// A handle to the Kademlia of a node; may be cloned. It does not keep the node
/// alive: once that has ended, everything is unavailable.
#[derive(Clone, Debug)]
pub struct Kademlia(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    own: PeerId,
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
    protocol: StreamProtocol,
    records: bool,
    lifetime: Duration,
    /// What was announced, from which addresses, and since when time counts.
    announced: Mutex<(Said, Vec<Multiaddr>)>,
    began: Instant,
}

impl Kademlia {
    pub(super) fn new(
        own: PeerId,
        config: &KademliaConfig,
        commands: mpsc::Sender<Command>,
        counters: Arc<Counters>,
    ) -> Self {
        Self(Arc::new(Shared {
            own,
            commands,
            counters,
            protocol: config.protocol.clone(),
            records: config.records,
            lifetime: config.record_lifetime,
            announced: Mutex::new((Said::new(config.record_lifetime), Vec::new())),
            began: Instant::now(),
        }))
    }

    /// Whose it is.
    pub(crate) fn own(&self) -> PeerId {
        self.0.own
    }

    /// The name of the network.
    #[must_use]
    pub fn protocol(&self) -> &StreamProtocol {
        &self.0.protocol
    }

    /// Whether signed records are kept on this network.
    pub(crate) fn has_records(&self) -> bool {
        self.0.records
    }

    /// How long what is announced holds.
    pub(crate) fn lifetime(&self) -> Duration {
        self.0.lifetime
    }

    /// What of that which was announced is to be no more.
    pub(crate) fn keep_announced(&self, keys: &[Key]) -> Vec<Key> {
        lock(&self.0.announced).0.retain(keys)
    }

    /// What of these keys is still to be announced from these addresses.
    pub(crate) fn unannounced(&self, keys: &[Key], addresses: &[Multiaddr]) -> Vec<Key> {
        let mut announced = lock(&self.0.announced);
        if announced.1 != addresses {
            announced.0.expire();
            announced.1 = addresses.to_vec();
        }
        announced.0.due(keys, self.0.began.elapsed())
    }

    /// Says that this node provides a key, and remembers it.
    pub(crate) async fn announce(&self, key: Key) -> Result<(), KademliaError> {
        self.provide(&key).await?;
        lock(&self.0.announced).0.note(key, self.0.began.elapsed());
        Ok(())
    }

    /// Keeps this node's signed record with the peers that are closest to its
    /// id, now and again at the configured interval.
    ///
    /// # Errors
    ///
    /// When nobody took it within the time of a look-up, or it is the record of
    /// another peer.
    pub async fn put(&self, record: SignedPeerRecord) -> Result<(), KademliaError> {
        self.done(|done| Command::Put { record: Box::new(record), done }).await
    }

    /// Says this node's own record no more. Others keep it until it expires.
    pub async fn remove(&self) {
        let _ = self.0.commands.send(Command::Remove).await;
    }

    /// The newest record of a peer that the network knows.
    ///
    /// # Errors
    ///
    /// When nobody answers. That there is none is no error.
    pub async fn get(&self, peer: PeerId) -> Result<Option<SignedPeerRecord>, KademliaError> {
        let mut answers = self.look_up_wanted(Wanted::Record(peer));
        let mut newest = None;
        while let Some(answer) = answers.next().await {
            newest = answer?.record.or(newest);
        }
        Ok(newest)
    }

    /// Says that this node has, or cares for, what a key names; now, and again
    /// at the configured interval until [`stop_providing`](Self::stop_providing).
    ///
    /// # Errors
    ///
    /// When nobody took it within the time of a look-up, or this node provides
    /// as much as it may.
    pub async fn provide(&self, key: &Key) -> Result<(), KademliaError> {
        let key = provider_key(key);
        self.done(|done| Command::Provide { key, done }).await
    }

    /// Says it no more. Others keep it until it expires.
    pub async fn stop_providing(&self, key: &Key) {
        let key = provider_key(key);
        let _ = self.0.commands.send(Command::StopProviding { key }).await;
    }

    /// Who provides a key, as they are heard of; with addresses where the
    /// network knows some.
    #[must_use]
    pub fn providers(&self, key: &Key) -> BoxStream<'static, Result<Finding, KademliaError>> {
        self.look_up_wanted(Wanted::Providers(provider_key(key)))
    }

    /// The peers closest to a key.
    ///
    /// # Errors
    ///
    /// When nobody answers.
    pub async fn closest(&self, key: &Key) -> Result<Vec<Finding>, KademliaError> {
        let key = key.multihash().to_bytes();
        let mut answers = self.look_up_wanted(Wanted::Closest { key, peer: None });
        let mut closest = Vec::new();
        while let Some(answer) = answers.next().await {
            closest.push(answer?);
        }
        Ok(closest)
    }

    /// Looks this node up, and refreshes its routing table. It does so by itself
    /// too, at its start and at the configured interval.
    ///
    /// # Errors
    ///
    /// When nobody answers.
    pub async fn bootstrap(&self) -> Result<(), KademliaError> {
        self.done(|done| Command::Bootstrap { done }).await
    }

    /// What this node knows of the network.
    ///
    /// # Errors
    ///
    /// When the node has stopped.
    pub async fn table(&self) -> Result<Table, KademliaError> {
        let (to, from) = oneshot::channel();
        let command = Command::Table { to };
        self.0.commands.send(command).await.map_err(|_| KademliaError::Stopped)?;
        from.await.map_err(|_| KademliaError::Stopped)
    }

    /// How often something of others was refused.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.0.counters.read()
    }

    /// Looks something up; the look-up ends early when the stream is dropped.
    pub(crate) fn look_up_wanted(&self, wanted: Wanted) -> BoxStream<'static, Answer> {
        let (to, mut from) = mpsc::channel(MAX_KADEMLIA_ANSWERS);
        let commands = self.0.commands.clone();
        let asking = async move {
            match commands.send(Command::LookUp { wanted, to }).await {
                Ok(()) => stream::poll_fn(move |context| from.poll_recv(context)).boxed(),
                Err(_) => stream::iter([Err(KademliaError::Stopped)]).boxed(),
            }
        };
        asking.flatten_stream().boxed()
    }

    async fn done(&self, command: impl FnOnce(Done) -> Command) -> Result<(), KademliaError> {
        let (done, finished) = oneshot::channel();
        self.0.commands.send(command(done)).await.map_err(|_| KademliaError::Stopped)?;
        finished.await.unwrap_or(Err(KademliaError::Stopped))
    }
}
