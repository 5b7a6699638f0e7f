//! The behaviour of a swarm: libp2p's, guarded.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use web_time::Instant;

use crate::limits::{MAX_KADEMLIA_LOOK_UPS, MAX_KADEMLIA_OUTGOING_CONNECTIONS};
use crate::node::Part;
use crate::routing::without_peer;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::kad::store::RecordStore;
use libp2p::kad::{self, InboundRequest, ProviderRecord, QueryResult, Quorum, Record};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, identify};
use peerage_core::discovery::{Finding, SignedPeerRecord};
use peerage_core::topology::kademlia::RecordRefusal;
use tokio::sync::mpsc;

use super::config::{KademliaConfig, Mode};
use super::dials::Dials;
use super::error::KademliaError;
use super::handle::{Command, Kademlia};
use super::holders::{Holders, nearest};
use super::keys::record_key;
use super::look_up::{Done, Outcome, Queries};
use super::pace::{Due, Pace};
use super::refused::{Counters, count};
use super::routing_table::{Barred, Guard, Table};
use super::store::{self, Store, StoreRefusal};

/// How many commands wait for the swarm; more make their senders wait.
const COMMANDS: usize = 64;

/// libp2p's behaviour.
type Inner = kad::Behaviour<Store>;

/// Takes part in a network of Kademlia. Made and polled within a tokio runtime.
///
/// Whoever runs the swarm tells it what identify says of peers, by
/// [`on_identified`](Part::on_identified), as a node does: only peers that say
/// that they answer on this network enter its routing table.
pub struct Behaviour {
    pub(super) inner: Inner,
    own: PeerId,
    pub(super) config: KademliaConfig,
    pub(super) guard: Guard,
    queries: Queries,
    holders: Holders,
    pub(super) dials: Dials,
    pace: Pace,
    counters: Arc<Counters>,
    commands: mpsc::Receiver<Command>,
    handle: Kademlia,
    /// Confirmed addresses that lead here without a relay.
    pub(super) reachable_at: HashSet<Multiaddr>,
}

impl Behaviour {
    /// A node of this network.
    #[must_use]
    pub fn new(own: PeerId, config: KademliaConfig) -> Self {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let counters = Arc::new(Counters::default());
        let mut this = Self {
            inner: Inner::with_config(own, Store::new(own), config.to_libp2p()),
            own,
            guard: Guard::new(own, config.scope),
            queries: Queries::default(),
            holders: Holders::default(),
            dials: Dials::default(),
            pace: Pace::new(&config),
            handle: Kademlia::new(own, &config, sender, Arc::clone(&counters)),
            counters,
            commands,
            config,
            reachable_at: HashSet::new(),
        };
        // Said once, it is not libp2p's to change, for which relays count.
        this.inner.set_mode(Some(this.mode()));
        this.add_boot_nodes();
        this
    }

    /// A handle to it.
    #[must_use]
    pub fn handle(&self) -> Kademlia {
        self.handle.clone()
    }

    pub(super) fn insert(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        for address in addresses {
            if self.inner.add_address(&peer, address.clone()) == kad::RoutingUpdate::Failed {
                return;
            }
        }
        for old in self.addresses_of(&peer) {
            if !addresses.contains(&old) {
                self.inner.remove_address(&peer, &old);
            }
        }
    }

    /// The addresses of a peer in the routing table.
    pub(super) fn addresses_of(&mut self, peer: &PeerId) -> Vec<Multiaddr> {
        let Some(bucket) = self.inner.kbucket(*peer) else { return Vec::new() };
        let entry = bucket.iter().find(|entry| entry.node.key.preimage() == peer);
        let addresses = entry.map(|entry| entry.node.value.clone().into_vec()).unwrap_or_default();
        addresses.iter().map(without_peer).collect()
    }

    fn bar(&mut self, peer: &PeerId, why: Barred) {
        count(match why {
            Barred::Unreachable => &self.counters.unreachable_peers,
            Barred::Crowding => &self.counters.crowding_peers,
        });
        tracing::debug!(%peer, ?why, "a peer does not enter the routing table");
        self.remove(peer);
    }

    pub(super) fn remove(&mut self, peer: &PeerId) {
        self.inner.remove_peer(peer);
        self.guard.left(peer);
    }

    fn count_addresses(&self, refused: usize) {
        self.counters.addresses.fetch_add(refused as u64, Ordering::Relaxed);
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::LookUp { wanted, to } => self.queries.look_up(&mut self.inner, wanted, to),
            Command::Put { record, done } => self.put(&record, done),
            Command::Remove => self.inner.remove_record(&record_key(&self.own)),
            Command::Provide { key, done } => match self.inner.start_providing(key) {
                Ok(id) => self.queries.wait(id, done),
                Err(error) => fail(done, &error),
            },
            Command::StopProviding { key } => self.inner.stop_providing(&key),
            Command::Bootstrap { done } => self.bootstrap(Some(done)),
            Command::Table { to } => {
                let _ = to.send(self.table());
            }
        }
    }

    /// Puts this node's own record; it is kept here too, to be put again.
    fn put(&mut self, record: &SignedPeerRecord, done: Done) {
        if record.peer() != self.own {
            let _ = done.send(Err(KademliaError::OtherPeer));
            return;
        }
        let record = Record::new(record_key(&self.own), record.encode());
        self.holders.forget();
        self.pace.put();
        match self.inner.put_record(record, Quorum::One) {
            Ok(id) => self.queries.wait(id, done),
            Err(error) => fail(done, &error),
        }
    }

    fn add_boot_nodes(&mut self) {
        for (peer, address) in &self.config.boot_nodes {
            if *peer != self.own {
                self.inner.add_address(peer, address.clone());
            }
        }
    }

    /// Begins to bootstrap, unless that is under way: then whoever asks waits
    /// for its end, as far as there is room.
    fn bootstrap(&mut self, asked: Option<Done>) {
        if let Some(waiting) = self.queries.bootstrapping() {
            waiting.extend(asked.filter(|_| waiting.len() < MAX_KADEMLIA_LOOK_UPS));
            return;
        }
        self.add_boot_nodes();
        match (self.inner.bootstrap(), asked) {
            (Ok(id), asked) => self.queries.bootstrap(id, asked),
            (Err(_), Some(asked)) => {
                let _ = asked.send(Err(KademliaError::Nobody));
            }
            // Without a boot node, peers come in as they connect.
            (Err(_), None) => {}
        }
    }

    fn on_due(&mut self, due: Due) {
        match due {
            Due::Bootstrap => self.bootstrap(None),
            Due::Holders => self.holders.look(&self.own, &mut self.inner),
            Due::RandomWalk => {
                self.inner.get_closest_peers(PeerId::random());
            }
            Due::Republish => {
                let own = self.inner.store_mut().get(&record_key(&self.own));
                if let Some(own) = own.map(|record| record.into_owned()) {
                    let _ = self.inner.put_record(own, Quorum::One);
                }
            }
            Due::Sweep => self.inner.store_mut().sweep(Instant::now()),
        }
    }

    pub(super) fn table(&mut self) -> Table {
        let buckets = self.guard.buckets(&mut self.inner);
        let (records, providers) = self.inner.store_mut().sizes();
        let mode = match self.inner.mode() {
            kad::Mode::Client => Mode::Client,
            kad::Mode::Server => Mode::Server,
        };
        Table { mode, buckets, records, providers }
    }

    fn on_event(&mut self, event: kad::Event) {
        match event {
            kad::Event::InboundRequest { request } => self.on_request(request),
            kad::Event::OutboundQueryProgressed { id, result, stats, step } => {
                if self.holders.is_looking(id) {
                    return self.on_holders(&result);
                }
                let (inner, guard) = (&mut self.inner, &self.guard);
                let find = |peer, said: &[Multiaddr]| find(inner, guard, peer, said);
                match self.queries.progress(id, result, (&stats, step.last), find) {
                    Outcome::BadRecord => count(&self.counters.bad_records),
                    Outcome::Bootstrapped { met_somebody } => {
                        let knows_many = self.guard.len() >= kad::K_VALUE.get();
                        self.pace.bootstrapped(met_somebody && knows_many);
                    }
                    Outcome::Told => {}
                }
            }
            kad::Event::RoutingUpdated { peer, addresses, old_peer, .. } => {
                if let Some(old) = old_peer {
                    self.guard.left(&old);
                }
                self.on_routing_updated(peer, addresses);
            }
            _ => {}
        }
    }

    /// Those who are nearest to the own record are known.
    fn on_holders(&mut self, result: &QueryResult) {
        let looked = self.holders.found(&self.own, nearest(result), &mut self.inner);
        self.pace.looked(looked);
    }

    /// A peer is in the routing table: perhaps only now, after it waited for
    /// another's place while more of its kind came in. Those that the settings
    /// name stay in any case.
    fn on_routing_updated(&mut self, peer: PeerId, addresses: kad::Addresses) {
        let addresses = addresses.into_vec();
        let named = self.config.boot_nodes.iter().any(|(boot, _)| *boot == peer);
        match self.guard.judge(&peer, &addresses) {
            Err(why) if !named && !self.guard.has(&peer) => self.bar(&peer, why),
            _ => self.guard.entered(peer, &addresses),
        }
    }

    fn on_request(&mut self, request: InboundRequest) {
        match request {
            InboundRequest::PutRecord { source, record: Some(record), .. } => {
                self.on_record(source, record);
            }
            InboundRequest::AddProvider { record: Some(record) } => self.on_provider(record),
            _ => {}
        }
    }

    fn on_record(&mut self, source: PeerId, record: Record) {
        if !self.config.records {
            count(&self.counters.bad_records);
            return;
        }
        let Err(refusal) = self.inner.store_mut().offer(source, record) else { return };
        tracing::debug!(%source, %refusal, "a record is refused");
        count(match refusal {
            StoreRefusal::Record(RecordRefusal::Stale { .. }) => &self.counters.stale_records,
            StoreRefusal::Record(_) => &self.counters.bad_records,
            StoreRefusal::Full => &self.counters.crowded_records,
        });
    }

    /// Keeps a provider. One that names no address is reached where it says
    /// that it listens; libp2p would hide it otherwise.
    fn on_provider(&mut self, record: ProviderRecord) {
        let (mut addresses, refused) = self.guard.useful(&record.addresses);
        self.count_addresses(refused);
        if addresses.is_empty() {
            addresses = self.guard.listed_of(&record.provider).to_vec();
        }
        if !self.inner.store_mut().offer_provider(store::at(record, addresses)) {
            count(&self.counters.crowded_providers);
        }
    }

    fn on_connections(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::DialFailure(failure) => self.on_dial_failure(failure),
            FromSwarm::ConnectionEstablished(new) => {
                self.dials.ended(new.connection_id);
                let end = new.endpoint.get_remote_address();
                self.guard.connected(new.peer_id, new.connection_id, end);
            }
            FromSwarm::ConnectionClosed(old) => {
                self.guard.disconnected(&old.peer_id, old.connection_id);
            }
            _ => {}
        }
    }
}

/// What is known of a peer: what was said just now, or what queries that run
/// have heard and the routing table has.
fn find(inner: &mut Inner, guard: &Guard, peer: PeerId, said: &[Multiaddr]) -> Finding {
    let (addresses, _) = match said {
        [] => guard.useful(&heard_of(inner, peer)),
        said => guard.useful(said),
    };
    Finding { peer, addresses, record: None }
}

/// Where queries that run have heard a peer is, and the routing table knows it
/// to be. libp2p tells only whoever dials; this dials nobody.
fn heard_of(inner: &mut Inner, peer: PeerId) -> Vec<Multiaddr> {
    let nobody = ConnectionId::new_unchecked(usize::MAX);
    inner
        .handle_pending_outbound_connection(nobody, Some(peer), &[], Endpoint::Dialer)
        .unwrap_or_default()
}

fn fail(done: Done, error: &kad::store::Error) {
    let _ = done.send(Err(KademliaError::Full(error.to_string())));
}

impl Part for Behaviour {
    fn given_addresses(&self) -> Vec<Multiaddr> {
        self.config.boot_nodes.iter().map(|(_, address)| address.clone()).collect()
    }

    fn on_identified(&mut self, peer: PeerId, info: &identify::Info) {
        let (addresses, refused) = self.guard.useful(&info.listen_addrs);
        self.count_addresses(refused);
        self.guard.listed(&peer, &addresses);
        if !info.protocols.contains(&self.config.protocol) {
            self.remove(&peer);
            return;
        }
        match self.guard.judge(&peer, &addresses) {
            Ok(()) => self.insert(peer, &addresses),
            Err(why) => self.bar(&peer, why),
        }
    }

    fn outgoing_connections(&self) -> u32 {
        MAX_KADEMLIA_OUTGOING_CONNECTIONS
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <Inner as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(id, peer, address, role, port)
    }

    /// Where a peer is dialled: strangers named the addresses, so none is
    /// dialled that means nothing on this network, and not too many.
    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let heard = self.inner.handle_pending_outbound_connection(id, peer, addresses, role)?;
        let (mut useful, refused) = self.guard.useful(&heard);
        let named = self.config.boot_nodes.iter().filter(|(boot, _)| Some(*boot) == peer);
        useful.extend(named.map(|(_, address)| address.clone()));
        self.count_addresses(refused);
        Ok(useful)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.on_connections(&event);
        self.on_own_address(&event);
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.queries.end_abandoned(&mut self.inner);
        loop {
            while let Poll::Ready(Some(command)) = self.commands.poll_recv(context) {
                self.on_command(command);
            }
            while let Poll::Ready(due) = self.pace.poll(context) {
                self.on_due(due);
            }
            while let Poll::Ready((id, peer)) = self.dials.poll(context) {
                self.on_hanging(id, peer);
            }
            match self.inner.poll(context) {
                Poll::Ready(ToSwarm::GenerateEvent(event)) => self.on_event(event),
                Poll::Ready(other) => {
                    if let ToSwarm::Dial { opts } = &other
                        && let Some(peer) = opts.get_peer_id()
                    {
                        self.dials.began(opts.connection_id(), peer);
                    }
                    return Poll::Ready(other.map_out(|_| unreachable!("events stay here")));
                }
                Poll::Pending => break,
            }
        }
        let (inner, guard) = (&mut self.inner, &self.guard);
        self.queries.tell_hints(|peer| find(inner, guard, peer, &[]));
        Poll::Pending
    }
}
