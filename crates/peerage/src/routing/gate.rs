//! What may be dialled, and on whose word: the one way to every transport.
//!
//! Whoever has a node dial something goes through here: the node itself, and the
//! behaviours in its swarm, some of which dial what a stranger names. Above all
//! transports it passes what is a [`Place`] or a list of them in the DNS, and on a
//! stranger's word only what can be meant for this host. Between the resolver and
//! the sockets it judges the IP address that a name led to, by who named it.
//!
//! [`Place`]: peerage_core::routing::address::Place

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, MapErr};
use futures::{FutureExt as _, TryFutureExt as _};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::core::{Multiaddr, Transport};
use libp2p::multiaddr::Protocol;
use peerage_core::discovery::Surroundings;
use peerage_core::routing::address::{Host, Place, dns_list, ip};

use super::{dialable, surroundings};
use crate::limits::{MAX_OWN_NAMES, MAX_OWN_PLACES};
use crate::sync::lock;

/// On whose word something is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// That of whoever runs this node.
    Own,
    /// Anybody's.
    Stranger,
}

tokio::task_local! {
    /// On whose word the dial goes that polls what is below the resolver.
    static WORD: Word;
}

/// Decides; a cheap handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The node itself is dialling: the swarm's task does nothing else meanwhile.
    own: AtomicBool,
    /// This host's loopback counts as a place that others may mean.
    loopback: AtomicBool,
    /// Names that whoever runs the node has given, and whose addresses may be
    /// anywhere. The newest last.
    names: Mutex<VecDeque<String>>,
    /// Places that behaviours dial on the node's own word: boot nodes, and the
    /// relays of circuits that the node itself dials. The newest last.
    places: Mutex<VecDeque<Multiaddr>>,
}

impl Gate {
    /// Dials on the word of whoever runs this node.
    pub(crate) fn on_own_word<T>(&self, dial: impl FnOnce() -> T) -> T {
        self.0.own.store(true, Ordering::Relaxed);
        let dialled = dial();
        self.0.own.store(false, Ordering::Relaxed);
        dialled
    }

    /// Notes that whoever runs this node gave these addresses: their names may
    /// lead anywhere.
    pub(crate) fn vouch_for(&self, addresses: &[Multiaddr]) {
        for name in addresses.iter().filter_map(name_of) {
            remember(&self.0.names, name, MAX_OWN_NAMES);
        }
    }

    /// Notes that whoever runs this node gave these addresses to a part of it,
    /// which dials them itself.
    pub(crate) fn give(&self, addresses: &[Multiaddr]) {
        self.vouch_for(addresses);
        for address in addresses {
            remember(&self.0.places, bare(address), MAX_OWN_PLACES);
        }
    }

    /// Says whether others may mean this host's loopback, since it is all that
    /// this node listens on.
    pub(crate) fn set_loopback(&self, counts: bool) {
        self.0.loopback.store(counts, Ordering::Relaxed);
    }

    /// What can be meant for this host.
    pub(crate) fn here(&self) -> Surroundings {
        let here = surroundings().unwrap_or_default();
        match self.0.loopback.load(Ordering::Relaxed) {
            true => here.with_loopback(),
            false => here,
        }
    }

    /// Puts the gate before all transports.
    pub(crate) fn above<T>(&self, inner: T) -> Gated<T> {
        Gated { gate: self.clone(), side: Side::Above, inner }
    }

    /// Puts the gate between a resolver and the sockets.
    pub(crate) fn below<T>(&self, inner: T) -> Gated<T> {
        Gated { gate: self.clone(), side: Side::Below, inner }
    }

    /// On whose word an address is dialled; `None` when it is not to be.
    fn admit(&self, address: &Multiaddr) -> Option<Word> {
        if !dialable(address) {
            return None;
        }
        if self.0.own.load(Ordering::Relaxed) {
            self.note_relay(address);
            return Some(if self.is_own_name(address) { Word::Own } else { Word::Stranger });
        }
        if lock(&self.0.places).contains(&bare(address)) {
            return Some(Word::Own);
        }
        let worth = self.here().worth_dialling(std::slice::from_ref(address));
        (!worth.is_empty()).then_some(Word::Stranger)
    }

    /// Whether the host is an IP address, or a name that was vouched for.
    fn is_own_name(&self, address: &Multiaddr) -> bool {
        name_of(address).is_none_or(|name| lock(&self.0.names).contains(&name))
    }

    fn note_relay(&self, address: &Multiaddr) {
        if Place::try_from(address).is_ok_and(|place| place.relay().is_some()) {
            remember(&self.0.places, bare(address), MAX_OWN_PLACES);
        }
    }

    /// Whether an address that a name led to is dialled.
    pub(crate) fn admits_named(&self, name: &str, ip: IpAddr) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        lock(&self.0.names).contains(&name) || self.here().is_worth_dialling(ip)
    }

    /// The same of an IP address, which a name may have led to.
    fn admit_resolved(&self, address: &Multiaddr) -> Option<Word> {
        let word = WORD.try_with(|word| *word).unwrap_or(Word::Stranger);
        let ip = ip(address).filter(|_| dialable(address))?;
        (word == Word::Own || self.here().is_worth_dialling(ip)).then_some(word)
    }
}

/// The name that has to be resolved to dial an address.
fn name_of(address: &Multiaddr) -> Option<String> {
    match Place::try_from(address).as_ref().map(Place::host) {
        Ok(Host::Ip(_)) => None,
        Ok(Host::Name { name, .. }) => Some(name.clone()),
        Err(_) => dns_list(address),
    }
}

/// Keeps something as the newest of at most so many.
fn remember<T: PartialEq>(kept: &Mutex<VecDeque<T>>, new: T, most: usize) {
    let mut kept = lock(kept);
    kept.retain(|old| *old != new);
    if kept.len() >= most {
        kept.pop_front();
    }
    kept.push_back(new);
}

/// An address up to its first peer: where a relay is, or a peer.
fn bare(address: &Multiaddr) -> Multiaddr {
    address.iter().take_while(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// Why something is not dialled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused<E> {
    /// It is nothing that this node dials, or not on a stranger's word.
    #[error("{0} is not dialled: it is no place, or cannot be meant for this machine")]
    Address(Multiaddr),
    #[error(transparent)]
    Inner(E),
}

/// A transport behind the gate.
pub(crate) struct Gated<T> {
    gate: Gate,
    side: Side,
    inner: T,
}

/// Where the gate stands.
#[derive(Clone, Copy, Debug)]
enum Side {
    /// Before all transports.
    Above,
    /// Between a resolver and the sockets.
    Below,
}

impl<T> Gated<T> {
    /// On whose word an address is dialled; `None` when it is not to be.
    fn judge(&self, address: &Multiaddr) -> Option<Word> {
        match self.side {
            Side::Above => self.gate.admit(address),
            Side::Below => self.gate.admit_resolved(address),
        }
    }
}

impl<T> Transport for Gated<T>
where
    T: Transport + Unpin,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = Refused<T::Error>;
    type ListenerUpgrade = MapErr<T::ListenerUpgrade, fn(T::Error) -> Self::Error>;
    type Dial = BoxFuture<'static, Result<T::Output, Self::Error>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address).map_err(|error| error.map(Refused::Inner))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let Some(word) = self.judge(&address) else {
            return Err(TransportError::Other(Refused::Address(address)));
        };
        let dialling = self.inner.dial(address, options);
        let dialling = dialling.map_err(|error| error.map(Refused::Inner))?;
        Ok(WORD.scope(word, dialling).map(|done| done.map_err(Refused::Inner)).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        let refused: fn(T::Error) -> Self::Error = Refused::Inner;
        let event = Pin::new(&mut self.inner).poll(context);
        event.map(|event| {
            event.map_upgrade(|upgrade| upgrade.map_err(refused)).map_err(Refused::Inner)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

    /// A host on some link: on no machine is it worth dialling for a stranger.
    const NEAR: &str = "/ip4/169.254.1.1/tcp/1";

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_stranger_names_must_be_meant_for_us() {
        let (gate, near) = (Gate::default(), address(NEAR));
        assert_eq!(gate.admit(&near), None);
        assert_eq!(gate.on_own_word(|| gate.admit(&near)), Some(Word::Own));
        assert_eq!(gate.admit(&near), None, "once");
        assert_eq!(gate.admit(&address("/ip4/8.8.8.8/tcp/1")), Some(Word::Stranger));
    }

    #[test]
    fn what_is_no_place_is_dialled_for_nobody() {
        let gate = Gate::default();
        for end in ["/ip4/127.0.0.1/tcp/22", "/tcp/22", "/x-parity-ws/%2Freboot"] {
            let two = address(&format!("/ip4/8.8.8.8/tcp/1{end}"));
            assert_eq!(gate.on_own_word(|| gate.admit(&two)), None, "{two}");
        }
    }

    #[test]
    fn a_name_leads_anywhere_only_if_we_gave_it() {
        let (gate, named) = (Gate::default(), address("/dns4/Hub.example./tcp/1"));
        let near = [169, 254, 1, 1].into();
        for vouched in [false, true] {
            let word = if vouched { Word::Own } else { Word::Stranger };
            assert_eq!(gate.on_own_word(|| gate.admit(&named)), Some(word));
            assert_eq!(gate.admit(&named), Some(Word::Stranger), "a stranger may name it too");
            assert_eq!(gate.admits_named("HUB.example", near), vouched);
            gate.vouch_for(std::slice::from_ref(&named));
        }
        assert!(gate.admits_named("other.example", [8, 8, 8, 8].into()));
    }

    #[test]
    fn the_relay_of_our_own_circuit_is_dialled_for_its_client() {
        let (gate, relay) = (Gate::default(), address(&format!("{NEAR}{RELAY}")));
        assert_eq!(gate.admit(&relay), None);
        let circuit = address(&format!("{relay}/p2p-circuit"));
        assert_eq!(gate.on_own_word(|| gate.admit(&circuit)), Some(Word::Own));
        assert_eq!(gate.admit(&relay), Some(Word::Own));
    }

    #[test]
    fn what_a_part_was_given_it_may_dial() {
        let (gate, boot) = (Gate::default(), address(&format!("{NEAR}{RELAY}")));
        assert_eq!(gate.admit(&boot), None);
        gate.give(&[address(NEAR)]);
        assert_eq!(gate.admit(&boot), Some(Word::Own));
    }

    #[test]
    fn so_many_names_are_kept_and_no_more() {
        let gate = Gate::default();
        let named = |number: usize| address(&format!("/dns/a{number}.example/tcp/1"));
        gate.vouch_for(&(0..=MAX_OWN_NAMES).map(named).collect::<Vec<_>>());
        assert_eq!(lock(&gate.0.names).len(), MAX_OWN_NAMES);
        assert!(!gate.is_own_name(&named(0)) && gate.is_own_name(&named(MAX_OWN_NAMES)));
    }
}
