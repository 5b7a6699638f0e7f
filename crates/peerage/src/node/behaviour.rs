//! The swarm of a node: which of libp2p's behaviours it runs.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::limits::MAX_NEGOTIATING_STREAMS;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{self, NetworkBehaviour, Swarm};
use libp2p::{PeerId, autonat, dcutr, identify, relay};

use super::admission;
use super::config::RelayLimits;
use super::dial_back;
use super::part::Part;
use super::reachability;
use super::report::Verdict;
use super::serving;
use super::stream_behaviour;
use super::streams::Streams;
use super::{NodeConfig, SpawnError};
use crate::routing::{Gate, PathTable, Roaming, TransportConfig, build};

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
    gate: &Gate,
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
    Ok(Swarm::new(transport, behaviour(config, parts, streams, client), peer, settings))
}

fn behaviour<P: Part>(
    config: &NodeConfig,
    parts: P,
    streams: Streams,
    circuits: relay::client::Behaviour,
) -> Behaviour<P> {
    let peer = config.peer_id();
    let version = config.protocol_version.clone();
    let identify = identify::Config::new(version, config.keypair.public())
        .with_agent_version(config.agent.clone())
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    let services = config.services;
    Behaviour {
        admission: admission::Behaviour::new(config.limits.connections_per_network),
        limits: connection_limits::Behaviour::new(limits(config, &parts)),
        streams: stream_behaviour::Behaviour::new(streams),
        identify: identify::Behaviour::new(identify),
        circuits,
        hole_punching: dcutr::Behaviour::new(peer),
        relay: services.relay.map(|limits| serving(peer, limits)).into(),
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

/// A relay that serves from the start, as its owner asked for it.
fn serving(peer: PeerId, limits: RelayLimits) -> serving::Behaviour {
    let mut relay = relay::Behaviour::new(peer, relay_config(limits));
    relay.set_status(Some(relay::Status::Enable));
    serving::Behaviour(relay)
}

/// The stock limits of bytes and time end a circuit after 128 KiB: enough to
/// punch a hole, not to share a picture where none can be punched. A
/// reservation is made again before it ends, so that a rate over its duration
/// bounds how many one address holds.
fn relay_config(limits: RelayLimits) -> relay::Config {
    let stock = relay::Config::default();
    let duration = stock.reservation_duration;
    let per_ip = NonZeroU32::new(limits.reservations_per_ip).unwrap_or(NonZeroU32::MIN);
    let config = relay::Config {
        max_reservations: limits.reservations,
        max_reservations_per_peer: 1,
        max_circuits: limits.circuits,
        max_circuits_per_peer: limits.circuits_per_peer,
        max_circuit_bytes: limits.circuit_bytes,
        max_circuit_duration: limits.circuit_duration,
        ..stock
    };
    config.reservation_rate_per_ip(per_ip, duration)
}
