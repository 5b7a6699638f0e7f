//! Starts a node, until it listens.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits::MAX_AGENT_BYTES;
use futures::{FutureExt, StreamExt};
use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use socket2::{Domain, Socket, Type};
use tokio::sync::{broadcast, mpsc};

use super::actor::{Actor, Shared, is_elsewhere};
use super::behaviour;
use super::hubs::Hubs;
use super::keep::Kept;
use super::part::Part;
use super::ping;
use super::state::State;
use super::streams::Streams;
use super::whereabouts::Whereabouts;
use super::{Handle, Node, NodeConfig, SpawnError};
use crate::routing::{Gate, OurRelays, PathTable, Roaming, peer_suffix, tls, without_peer};

/// How many commands wait for the task; more make their senders wait.
const COMMANDS: usize = 64;

/// How many events one who listens may lag behind.
const EVENTS: usize = 256;

/// How long the system may take to begin to listen.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long what is not required may take to be confirmed.
const CONFIRMED_WITHIN: Duration = Duration::from_millis(100);

/// The sockets of roaming connections, which are bound already.
const ROAMING: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

pub(super) async fn spawn<P: Part>(config: NodeConfig, parts: P) -> Result<Node, SpawnError> {
    check(&config)?;
    tls::warm_up();
    let peer = config.peer_id();
    let state = Arc::new(State::new(peer));
    let streams = Streams::new(config.limits, state.connections.clone());
    let paths = Arc::new(PathTable::default());
    let gate = gate(&config, &parts);
    let roaming = match config.roaming {
        true => {
            let (key, port) = (&config.keypair, config.roaming_port);
            Roaming::bind(key, port, config.map_ports, &gate).await?
        }
        false => None,
    };
    let ours = OurRelays::of_hubs(config.hubs.iter().filter_map(peer_suffix));
    let relayed = (&gate, &ours);
    let swarm =
        behaviour::swarm(&config, parts, streams.clone(), &paths, roaming.clone(), relayed)?;
    let refused = swarm.behaviour().admission.refused();
    let (events, _) = broadcast::channel(EVENTS);
    let (commands, received) = mpsc::channel(COMMANDS);
    let kept = Kept::new(Instant::now());
    let mut hubs = Hubs::new(&config.hubs, peer);
    hubs.keep(&kept);
    let whereabouts = Whereabouts::new(&config, roaming, ours);
    let shared = Shared {
        state: Arc::clone(&state),
        kept: kept.clone(),
        paths,
        gate: gate.clone(),
        events: events.clone(),
        commands: commands.downgrade(),
    };
    let mut actor = Actor::new(swarm, hubs, whereabouts, shared);
    tokio::time::timeout(LISTEN_TIMEOUT, listen(&mut actor, &config))
        .await
        .unwrap_or(Err(SpawnError::ListenTimeout(LISTEN_TIMEOUT)))?;
    tokio::spawn(actor.run(received));
    if let Ok(pings) = streams.accept(&[ping::PROTOCOL]) {
        tokio::spawn(ping::answer_all(pings));
    }
    Ok(Node(Arc::new(Handle { peer, commands, events, state, kept, gate, streams, refused })))
}

/// The gate of a node, which knows what whoever runs it has given.
fn gate(config: &NodeConfig, parts: &impl Part) -> Gate {
    let gate = Gate::default();
    gate.vouch_for(&config.hubs);
    gate.give(&parts.given_addresses());
    // Parts may dial before the first listener is confirmed.
    let mut listen = config.listen.iter().chain(&config.listen_if_possible);
    gate.set_loopback(listen.all(|own| !is_elsewhere(own)));
    gate
}

fn check(config: &NodeConfig) -> Result<(), SpawnError> {
    for name in [&config.agent, &config.protocol_version] {
        if name.is_empty() || name.len() > MAX_AGENT_BYTES || name.chars().any(char::is_control) {
            return Err(SpawnError::Agent);
        }
    }
    if config.security.is_empty() || config.multiplexers.iter().all(|m| m.protocol().is_none()) {
        return Err(SpawnError::NothingOffered);
    }
    Ok(())
}

/// Listens on all addresses, and waits until each has been confirmed.
async fn listen<P: Part>(actor: &mut Actor<P>, config: &NodeConfig) -> Result<(), SpawnError> {
    let mut waiting: HashMap<ListenerId, &Multiaddr> = HashMap::new();
    for address in &config.listen {
        ensure_free(address)?;
        let listener = actor
            .swarm
            .listen_on(address.clone())
            .map_err(|error| failure(address, &error.to_string()))?;
        waiting.insert(listener, address);
    }
    let mut heard = Vec::new();
    while !waiting.is_empty() {
        let event = actor.swarm.select_next_some().await;
        match &event {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                waiting.remove(listener_id);
                heard.push(address.clone());
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                if let Some(address) = waiting.remove(listener_id) {
                    return Err(failure(address, &format!("{reason:?}")));
                }
            }
            _ => {}
        }
        actor.on_event(event);
    }
    for address in &config.announce {
        actor.swarm.add_external_address(without_peer(address));
    }
    if actor.whereabouts.roaming.is_some()
        && let Err(error) = actor.swarm.listen_on(Multiaddr::from(ROAMING).with(Protocol::Udp(0)))
    {
        tracing::warn!(%error, "no roaming connections come in");
    }
    let wanted = listen_if_possible(actor, config, &heard);
    let _late = tokio::time::timeout(CONFIRMED_WITHIN, confirmed(actor, wanted)).await;
    // A listener on all interfaces reports them one by one; those that are
    // known by now belong to the addresses that the caller will ask for.
    while let Some(event) = actor.swarm.select_next_some().now_or_never() {
        actor.on_event(event);
    }
    Ok(())
}

/// Listens where the machine permits it: on the port that is in use already for
/// the same transport, if that is free here too. What announces this node then
/// has one port to tell for IPv4 and IPv6.
fn listen_if_possible<P: Part>(
    actor: &mut Actor<P>,
    config: &NodeConfig,
    heard: &[Multiaddr],
) -> HashSet<ListenerId> {
    let mut listeners = HashSet::new();
    for address in &config.listen_if_possible {
        let same = on_same_port(address, heard).filter(|same| ensure_free(same).is_ok());
        let same = same.and_then(|same| actor.swarm.listen_on(same).ok());
        match same.map_or_else(|| actor.swarm.listen_on(address.clone()), Ok) {
            Ok(listener) => listeners.extend([listener]),
            Err(error) => tracing::debug!(%address, %error, "not listening here"),
        }
    }
    listeners
}

/// Waits until each of the listeners has an address, or has ended.
async fn confirmed<P: Part>(actor: &mut Actor<P>, mut listeners: HashSet<ListenerId>) {
    while !listeners.is_empty() {
        let event = actor.swarm.select_next_some().await;
        if let SwarmEvent::NewListenAddr { listener_id, .. }
        | SwarmEvent::ListenerClosed { listener_id, .. } = &event
        {
            listeners.remove(listener_id);
        }
        actor.on_event(event);
    }
}

/// An address that leaves the port to the system, with the port of the address
/// in `heard` that differs in the host alone.
fn on_same_port(address: &Multiaddr, heard: &[Multiaddr]) -> Option<Multiaddr> {
    let alike =
        |other: &&Multiaddr| other.protocol_stack().skip(1).eq(address.protocol_stack().skip(1));
    let port = heard.iter().find(alike)?.iter().find_map(|part| match part {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    })?;
    let with_port = address.iter().map(|part| match part {
        Protocol::Tcp(0) => Protocol::Tcp(port),
        Protocol::Udp(0) => Protocol::Udp(port),
        other => other,
    });
    Some(with_port.collect())
}

/// Finds out whether another process listens on a TCP port. `libp2p-tcp`
/// would share it with us in silence, and each would get a part of the
/// connections.
fn ensure_free(address: &Multiaddr) -> Result<(), SpawnError> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => {
            try_to_listen((ip, port).into()).map_err(|error| failure(address, &error.to_string()))
        }
        _ => Ok(()),
    }
}

/// As `libp2p-tcp` does: an IPv6 socket is for IPv6 alone.
fn try_to_listen(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)
}

fn failure(address: &Multiaddr, reason: &str) -> SpawnError {
    SpawnError::Listen { address: address.clone(), reason: reason.to_owned() }
}
