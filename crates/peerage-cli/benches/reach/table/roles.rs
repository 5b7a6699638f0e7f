//! The three roles: a hub, a listener and a dialler, as nodes of the library.
//! Each runs in a process of its own, in a host of the lab, until it is killed
//! or its standard input ends.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use peerage::{
    Multiaddr, Protocol,
    hub::{RelayServer, RelayServerConfig, address_of},
    node::{Connection, Node, NodeConfig, PeerId, RelayLimits, Services},
    presets,
    routing::TransportKind,
};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use super::lines::{Dial, Report};

/// The ports of TCP and QUIC. Two hosts behind one router have different ones,
/// and all are among those that every type of NAT maps as its name says.
const HUB_PORT: u16 = 4001;
const DIALLER_PORT: u16 = 4002;
const LISTENER_PORT: u16 = 4003;

/// The ports of connections that roam.
const ROAMING_DIALLER_PORT: u16 = 4012;
const ROAMING_LISTENER_PORT: u16 = 4013;

/// The ports of a hub's WebSocket and of its relay: those that pass everywhere.
const WEB_PORT: u16 = 443;
const RELAY_PORT: u16 = 80;

/// How long a peer waits for a place on a relay before it goes on without.
const RELAY_WAIT: Duration = Duration::from_secs(12);

/// How often the path of a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Plays a role to its end.
pub(crate) fn play(role: &str, hubs: &[String]) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let hubs: Vec<Multiaddr> = hubs.iter().filter_map(|address| address.parse().ok()).collect();
    runtime.block_on(async {
        match role {
            "hub" => hub().await,
            "listener" => listener(&hubs).await,
            "dialler" => dialler(&hubs).await,
            other => Err(io::Error::other(format!("there is no role `{other}`"))),
        }
    })
}

async fn hub() -> io::Result<()> {
    let mut config = RelayServerConfig::new(Ipv4Addr::UNSPECIFIED.into(), RELAY_PORT);
    let sixth = RelayServerConfig::new(Ipv6Addr::UNSPECIFIED.into(), RELAY_PORT);
    config.http.extend(sixth.http);
    config.address_discovery.extend(sixth.address_discovery);
    let _relay = RelayServer::spawn(config).await.map_err(io::Error::other)?;
    let node = spawn(hub_config()?).await?;
    tell(&ready(&node))?;
    orders().next_line().await?;
    Ok(())
}

async fn listener(hubs: &[Multiaddr]) -> io::Result<()> {
    let node = spawn(behind(hubs, LISTENER_PORT, ROAMING_LISTENER_PORT)).await?;
    settle(&node).await;
    tell(&ready(&node))?;
    orders().next_line().await?;
    Ok(())
}

async fn dialler(hubs: &[Multiaddr]) -> io::Result<()> {
    let node = spawn(behind(hubs, DIALLER_PORT, ROAMING_DIALLER_PORT)).await?;
    settle(&node).await;
    tell(&ready(&node))?;
    let Some(line) = orders().next_line().await? else { return Ok(()) };
    let order: Dial = serde_json::from_str(&line)?;
    let why = match dial(&node, &order).await {
        Ok(()) => String::new(),
        // Every try has another peer, and the same failure shall read the same.
        Err(error) => error.to_string().replace(&order.peer, "the peer"),
    };
    tell(&Report::Ended { why })
}

/// Dials, and tells when the peer can be talked to, and when directly.
async fn dial(node: &Node, order: &Dial) -> io::Result<()> {
    let peer: PeerId = order.peer.parse().map_err(io::Error::other)?;
    let addresses: Vec<Multiaddr> =
        order.addresses.iter().filter_map(|address| address.parse().ok()).collect();
    let started = Instant::now();
    let after = || started.elapsed().as_secs_f64() * 1e3;
    let connection = node.connect(peer, &addresses).await.map_err(io::Error::other)?;
    tell(&Report::Connected { after_ms: after(), path: path(&connection) })?;
    let direct = tokio::time::timeout(Duration::from_millis(order.wait), until_direct(node, peer));
    let late = |_| io::Error::other(format!("not direct within {} ms", order.wait));
    let connection = direct.await.map_err(late)?;
    tell(&Report::Direct { after_ms: after(), path: path(&connection) })
}

/// Waits until streams to a peer take a path that no third peer relays.
async fn until_direct(node: &Node, peer: PeerId) -> Connection {
    loop {
        if let Some(connection) = node.connection(&peer)
            && !connection.path.transport.is_relayed()
        {
            return connection;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn path(connection: &Connection) -> String {
    connection.path.transport.to_string()
}

async fn spawn(config: NodeConfig) -> io::Result<Node> {
    Node::spawn(config).await.map_err(io::Error::other)
}

/// Waits until a peer can be reached over a relay of each kind, and has asked
/// the router for its ports.
async fn settle(node: &Node) {
    let kinds = [TransportKind::Relay, TransportKind::Circuit];
    let settled = async {
        let there =
            |kind| node.listen_addresses().iter().any(|address| TransportKind::of(address) == kind);
        while !kinds.into_iter().all(there) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let _ = tokio::time::timeout(RELAY_WAIT, settled).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// A peer that uses hubs, connections that roam, and what the router maps.
fn behind(hubs: &[Multiaddr], port: u16, roaming_port: u16) -> NodeConfig {
    let (hubs, roaming, map_ports) = (hubs.to_vec(), true, true);
    NodeConfig { hubs, roaming, roaming_port, map_ports, ..peer_config(port) }
}

fn hub_config() -> io::Result<NodeConfig> {
    let mut config = peer_config(HUB_PORT);
    config.listen.extend(parse(&format!("/ip4/0.0.0.0/tcp/{WEB_PORT}/ws")));
    config.listen_if_possible.extend(parse(&format!("/ip6/::/tcp/{WEB_PORT}/ws")));
    config.services = Services { relay: Some(RelayLimits::default()), dial_back: true };
    let interfaces = if_addrs::get_if_addrs()?.into_iter();
    let elsewhere = interfaces.filter(|one| !one.is_loopback() && !one.is_link_local());
    let relays = elsewhere.map(|one| address_of(Protocol::from(one.ip()), RELAY_PORT));
    config.announce = relays.collect();
    Ok(config)
}

/// A node with a fresh key that listens on one port, by TCP and QUIC.
fn peer_config(port: u16) -> NodeConfig {
    let listen = |ip: &str| {
        let addresses = [format!("{ip}/tcp/{port}"), format!("{ip}/udp/{port}/quic-v1")];
        addresses.iter().filter_map(|address| parse(address)).collect()
    };
    NodeConfig {
        listen: listen("/ip4/0.0.0.0"),
        listen_if_possible: listen("/ip6/::"),
        roaming: false,
        map_ports: false,
        ..presets::local()
    }
}

/// Reads an address that is written in this file.
fn parse(address: &str) -> Option<Multiaddr> {
    address.parse().ok()
}

/// Who a node is, and where it says that it listens.
fn ready(node: &Node) -> Report {
    let elsewhere = |address: &Multiaddr| match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        _ => true,
    };
    let addresses = node.listen_addresses().into_iter().filter(elsewhere);
    let addresses = addresses.map(|address| address.with(Protocol::P2p(node.peer_id())));
    Report::Ready {
        peer: node.peer_id().to_string(),
        addresses: addresses.map(|address| address.to_string()).collect(),
    }
}

fn tell(report: &Report) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(report)?)?;
    output.flush()
}

fn orders() -> Lines<BufReader<Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}
