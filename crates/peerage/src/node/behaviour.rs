//! The swarm of a node: which of libp2p's behaviours it runs.

use std::convert::Infallible;
use std::sync::Arc;

use crate::limits::MAX_NEGOTIATING_STREAMS;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{self, NetworkBehaviour, Swarm};
use libp2p::{autonat, dcutr, identify, relay};

use super::admission;
use super::dial_back;
use super::part::Part;
use super::reachability;
use super::report::Verdict;
use super::serving;
use super::stream_behaviour;
use super::streams::Streams;
use super::{NodeConfig, SpawnError};
use crate::routing::{Gate, OurRelays, PathTable, Roaming, TransportConfig, build};

/// All behaviours: the node's own, and the parts that came from above.
#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "Event")]
pub(super) struct Behaviour<P: Part> {
    pub(super) admission: admission::Behaviour,
    limits: connection_limits::Behaviour,
    pub(super) streams: stream_behaviour::Behaviour,
    pub(super) identify: identify::Behaviour,
    circuits: relay::client::Behaviour,
    hole_punching: dcutr::Behaviour,
    relay: Toggle<serving::Behaviour>,
    pub(super) reachability: reachability::Behaviour,
    dial_back: Toggle<dial_back::Behaviour>,
    /// The last, so that what the node itself refuses never reaches them.
    pub(super) parts: P,
}

/// What the node hears of its own behaviours.
#[derive(Debug)]
pub(super) enum Event {
    Identify(Box<identify::Event>),
    Reachability(Verdict),
    /// Nothing that the node acts upon.
    Other,
}

impl From<identify::Event> for Event {
    fn from(event: identify::Event) -> Self {
        Self::Identify(Box::new(event))
    }
}

impl From<Verdict> for Event {
    fn from(verdict: Verdict) -> Self {
        Self::Reachability(verdict)
    }
}

impl From<relay::client::Event> for Event {
    fn from(_: relay::client::Event) -> Self {
        Self::Other
    }
}

impl From<relay::Event> for Event {
    fn from(_: relay::Event) -> Self {
        Self::Other
    }
}

impl From<dcutr::Event> for Event {
    fn from(_: dcutr::Event) -> Self {
        Self::Other
    }
}

impl From<autonat::v2::server::Event> for Event {
    fn from(_: autonat::v2::server::Event) -> Self {
        Self::Other
    }
}

impl From<Infallible> for Event {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Builds the swarm on all transports.
pub(super) fn swarm<P: Part>(
    config: &NodeConfig,
    parts: P,
    streams: Streams,
    paths: &Arc<PathTable>,
    roaming: Option<Roaming>,
    (gate, ours): (&Gate, &OurRelays),
) -> Result<Swarm<Behaviour<P>>, SpawnError> {
    let offered = TransportConfig {
        keypair: &config.keypair,
        security: &config.security,
        multiplexers: &config.multiplexers,
        roaming,
    };
    let peer = config.peer_id();
    let (circuits, client) = relay::client::new(peer);
    let transport = build(offered, circuits, Arc::clone(paths), gate)?;
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(config.idle_timeout)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING_STREAMS);
    let behaviour = behaviour(config, parts, streams, client, ours);
    Ok(Swarm::new(transport, behaviour, peer, settings))
}

fn behaviour<P: Part>(
    config: &NodeConfig,
    parts: P,
    streams: Streams,
    circuits: relay::client::Behaviour,
    ours: &OurRelays,
) -> Behaviour<P> {
    let peer = config.peer_id();
    let version = config.protocol_version.clone();
    let identify = identify::Config::new(version, config.keypair.public())
        .with_agent_version(config.agent.clone())
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    let services = config.services;
    Behaviour {
        admission: admission::Behaviour::new(&config.limits, ours.clone()),
        limits: connection_limits::Behaviour::new(limits(config, &parts)),
        streams: stream_behaviour::Behaviour::new(streams, ours.clone()),
        identify: identify::Behaviour::new(identify),
        circuits,
        hole_punching: dcutr::Behaviour::new(peer),
        relay: services.relay.map(|limits| serving::Behaviour::new(peer, limits)).into(),
        reachability: reachability::Behaviour::new(&config.hubs),
        dial_back: services.dial_back.then(dial_back::Behaviour::default).into(),
        parts,
    }
}

fn limits(config: &NodeConfig, parts: &impl Part) -> ConnectionLimits {
    let limits = &config.limits;
    let outgoing = limits.outgoing_connections.max(parts.outgoing_connections());
    ConnectionLimits::default()
        .with_max_established_incoming(Some(limits.incoming_connections))
        .with_max_established_outgoing(Some(outgoing))
        .with_max_established_per_peer(Some(limits.connections_per_peer))
        .with_max_pending_incoming(Some(limits.pending_connections))
        .with_max_pending_outgoing(Some(limits.pending_connections))
}
