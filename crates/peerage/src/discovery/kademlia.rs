//! Kademlia as one way of finding peers.

use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use libp2p::PeerId;
use peerage_core::Advice as _;
use peerage_core::discovery::Key;

use super::{Finding, Presence, Way, WayError, WayName};
use crate::topology::kademlia::{Answer, Kademlia, KademliaError, Wanted};

/// How many keys are announced at the same time.
const ANNOUNCEMENTS: usize = 4;

/// The addresses of how many providers are looked up at the same time.
const PROVIDERS: usize = 8;

impl From<KademliaError> for WayError {
    fn from(error: KademliaError) -> Self {
        match error {
            KademliaError::OtherPeer => Self::Unsupported,
            KademliaError::TimedOut(after) => Self::TimedOut(after),
            other => Self::Unavailable(other.whole()),
        }
    }
}

impl Way for Kademlia {
    fn name(&self) -> WayName {
        WayName::Kademlia
    }

    fn announce<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        Box::pin(self.announce_presence(presence))
    }

    fn withdraw(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for key in self.keep_announced(&[]) {
                self.stop_providing(&key).await;
            }
            self.remove().await;
        })
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        let answers = match key {
            Key::Peer(peer) => settled(self.find_peer(*peer)),
            key => settled(self.find_providers(key)),
        };
        answers.map(|answer| answer.map_err(WayError::from)).boxed()
    }
}

impl Kademlia {
    async fn announce_presence(&self, presence: &Presence) -> Result<Duration, WayError> {
        let own = (!self.has_records()).then(|| Key::Peer(self.own()));
        let keys: Vec<Key> = own.into_iter().chain(presence.keys.iter().cloned()).collect();
        for key in self.keep_announced(&keys) {
            self.stop_providing(&key).await;
        }
        if self.has_records() {
            self.put(presence.record.clone()).await?;
        }
        // What was announced lately is left alone: with many keys, only what is
        // new or was not reached before time was up costs a walk each.
        let due = self.unannounced(&keys, presence.record.addresses());
        let providing = stream::iter(due).map(|key| self.announce(key));
        let mut provided = providing.buffer_unordered(ANNOUNCEMENTS);
        let mut outcome = Ok(self.lifetime());
        while let Some(result) = provided.next().await {
            outcome = outcome.and_then(|lifetime| Ok(result.map(|()| lifetime)?));
        }
        outcome
    }

    /// A peer: by its record, and by whoever knows where it is.
    fn find_peer(&self, peer: PeerId) -> BoxStream<'static, Answer> {
        let closest = Wanted::Closest { key: peer.to_bytes(), peer: Some(peer) };
        let known = self.look_up_wanted(closest);
        let said = match self.has_records() {
            true => self.look_up_wanted(Wanted::Record(peer)),
            false => self.providers(&Key::Peer(peer)),
        };
        let of_peer = move |answer: &Answer| {
            let is_it = !matches!(answer, Ok(finding) if finding.peer != peer);
            std::future::ready(is_it)
        };
        stream::select(said, known).filter(of_peer).boxed()
    }

    /// Providers, each at once with the addresses that came with it, and then
    /// with what it says of itself.
    fn find_providers(&self, key: &Key) -> BoxStream<'static, Answer> {
        let this = self.clone();
        let more = move |answer: Answer| match answer {
            Ok(finding) if finding.peer != this.own() => {
                let more = this.more_of(&finding);
                stream::iter([Ok(finding)]).chain(more).boxed()
            }
            Ok(_) => stream::empty().boxed(),
            error => stream::iter([error]).boxed(),
        };
        self.providers(key).flat_map_unordered(PROVIDERS, more).boxed()
    }

    /// What else can be found of a provider. That there is nothing is no fault
    /// of the look-up that led to it.
    fn more_of(&self, finding: &Finding) -> BoxStream<'static, Answer> {
        let peer = finding.peer;
        let more = match self.has_records() {
            true => self.look_up_wanted(Wanted::Record(peer)),
            false if !finding.addresses.is_empty() => return stream::empty().boxed(),
            false => {
                self.look_up_wanted(Wanted::Closest { key: peer.to_bytes(), peer: Some(peer) })
            }
        };
        let good = move |answer: Answer| {
            std::future::ready(answer.ok().filter(|found| found.peer == peer).map(Ok))
        };
        more.filter_map(good).boxed()
    }
}

/// Findings that lead somewhere. Of errors the first, and only when nothing was
/// found.
fn settled(answers: BoxStream<'static, Answer>) -> BoxStream<'static, Answer> {
    let (mut found, mut failure) = (false, None);
    let ended = stream::iter([None]);
    let answers = answers.map(Some).chain(ended);
    let pass = move |answer: Option<Answer>| {
        let passed = match answer {
            Some(Ok(finding)) if finding.addresses.is_empty() => None,
            Some(Ok(finding)) => {
                found = true;
                Some(Ok(finding))
            }
            Some(Err(error)) => {
                failure.get_or_insert(error);
                None
            }
            None => failure.take().filter(|_| !found).map(Err),
        };
        std::future::ready(passed)
    };
    answers.filter_map(pass).boxed()
}
