//! The swarm of a node: which of libp2p's behaviours it runs.

use std::sync::Arc;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identify;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{self, NetworkBehaviour, Swarm};

use super::streams::{self, Streams};
use super::{NodeConfig, NodeLimits, SpawnError};
use crate::discovery::kademlia;
use crate::routing::{PathTable, TransportConfig, build};

/// The version of identify's family of protocols, the same everywhere.
const IDENTIFY_FAMILY: &str = "ipfs/0.1.0";

/// How many streams of one connection may be agreeing on their protocol.
const MAX_NEGOTIATING_STREAMS: usize = 64;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(super) streams: streams::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) kademlia: Toggle<kademlia::Behaviour>,
}

/// Builds the swarm on all transports.
pub(super) fn swarm(
    config: &NodeConfig,
    streams: Streams,
    paths: &Arc<PathTable>,
) -> Result<Swarm<Behaviour>, SpawnError> {
    let offered = TransportConfig {
        keypair: &config.keypair,
        security: &config.security,
        multiplexers: &config.multiplexers,
    };
    let transport = build(&offered, Arc::clone(paths))?;
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(config.idle_timeout)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING_STREAMS);
    let peer = config.keypair.public().to_peer_id();
    Ok(Swarm::new(transport, behaviour(config, streams), peer, settings))
}

fn behaviour(config: &NodeConfig, streams: Streams) -> Behaviour {
    let identify = identify::Config::new(IDENTIFY_FAMILY.to_owned(), config.keypair.public())
        .with_agent_version(config.agent.clone())
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    Behaviour {
        limits: connection_limits::Behaviour::new(limits(&config.limits)),
        streams: streams::Behaviour::new(streams),
        identify: identify::Behaviour::new(identify),
        kademlia: kademlia(config).into(),
    }
}

fn kademlia(config: &NodeConfig) -> Option<kademlia::Behaviour> {
    let own = config.keypair.public().to_peer_id();
    config.kademlia.clone().map(|settings| kademlia::Behaviour::new(own, settings))
}

fn limits(limits: &NodeLimits) -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_established_incoming(Some(limits.incoming_connections))
        .with_max_established_outgoing(Some(limits.outgoing_connections))
        .with_max_established_per_peer(Some(limits.connections_per_peer))
        .with_max_pending_incoming(Some(limits.pending_connections))
        .with_max_pending_outgoing(Some(limits.pending_connections))
}
