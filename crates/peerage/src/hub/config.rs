//! Settings of a hub: one file.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use peerage_core::Advice;

use crate::limits;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::{ClientLimits, HubError};
use crate::discovery::tracker::RegistryLimits;
use crate::discovery::{Scope, ZoneConfig};
use crate::node::{NodeLimits, RelayLimits};

/// The file with every setting at its default, and what each is for.
pub const DEFAULT_CONFIG: &str = include_str!("default.toml");

/// What a hub is started with: everything has a default, and
/// [`DEFAULT_CONFIG`] explains it.
///
/// ```
/// use peerage::hub::{DEFAULT_CONFIG, HubConfig};
///
/// assert_eq!(DEFAULT_CONFIG.parse::<HubConfig>()?, HubConfig::default());
/// # Ok::<(), peerage::hub::HubError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// The IP addresses to listen on.
    pub listen: Vec<IpAddr>,
    /// Under which names and addresses others reach it; if there is none, at
    /// the addresses of the machine's interfaces.
    pub announce: Vec<Announced>,
    /// Other hubs, each with its peer at the end.
    pub boot_nodes: Vec<Multiaddr>,
    /// Whether to answer in Peerage's network of Kademlia.
    pub kademlia: bool,
    /// Where to serve metrics.
    pub metrics: OrOff<SocketAddr>,
    /// Under which names, besides that address and `localhost`.
    pub metrics_hosts: Vec<String>,
    /// The ports.
    pub ports: HubPorts,
    /// How many connections others may hold.
    pub connections: ConnectionSettings,
    /// How much is relayed.
    pub relay: RelaySettings,
    /// How much the tracker keeps.
    pub registry: RegistrySettings,
    /// The zone in the DNS, if there is one.
    pub zone: Option<ZoneSettings>,
}

/// Where a hub listens at each of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubPorts {
    /// TCP, and UDP for QUIC.
    pub peers: OrOff<u16>,
    /// WebSocket.
    pub websocket: OrOff<u16>,
    /// The relay of roaming connections, over HTTP.
    pub relay: OrOff<u16>,
    /// UDP, where peers learn at which address they are seen.
    pub address_discovery: OrOff<u16>,
}

/// How many connections others may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionSettings {
    /// In all.
    pub incoming: u32,
    /// From one IPv4 address or IPv6 /56.
    pub per_network: u32,
}

/// How much is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelaySettings {
    /// Peers with roaming connections.
    pub clients: usize,
    /// Those of them from one IPv4 address or IPv6 /56.
    pub clients_per_network: u32,
    /// Bytes a second that each of them may send.
    pub bytes_per_second: u32,
    /// Peers that are reached over circuits.
    pub reservations: usize,
    /// Those of them from one IP address.
    pub reservations_per_ip: u32,
    /// Circuits.
    pub circuits: usize,
    /// Those of them of one peer.
    pub circuits_per_peer: usize,
    /// Bytes that one circuit carries each way.
    pub circuit_bytes: u64,
    /// How many seconds one circuit lives.
    pub circuit_seconds: u64,
}

/// How much the tracker keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySettings {
    /// Peers.
    pub peers: usize,
    /// Bytes, as the registry counts them.
    pub bytes: usize,
    /// Peers from one IPv4 address or IPv6 /56.
    pub peers_per_network: usize,
}

/// A zone in the DNS.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneSettings {
    /// Its name.
    pub name: String,
    /// The host names of its name servers: this hub's, as the zone above has it.
    pub name_servers: Vec<String>,
    /// Where to answer, over UDP and TCP.
    #[serde(default = "dns_port")]
    pub listen: Vec<SocketAddr>,
    /// For how many seconds resolvers may keep an answer.
    #[serde(default = "zone_ttl")]
    pub ttl_seconds: u32,
    /// Which addresses are told.
    #[serde(default)]
    pub scope: ZoneScope,
}

/// Which addresses a zone tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneScope {
    /// Those that the whole internet reaches.
    Public,
    /// Those, and relays.
    #[default]
    Relayed,
    /// Those, and private networks'.
    Private,
    /// All.
    Local,
}

fn dns_port() -> Vec<SocketAddr> {
    vec![(Ipv4Addr::UNSPECIFIED, 53).into()]
}

const fn zone_ttl() -> u32 {
    60
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            listen: vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            announce: Vec::new(),
            boot_nodes: Vec::new(),
            kademlia: true,
            metrics: OrOff::On((Ipv4Addr::LOCALHOST, 9400).into()),
            metrics_hosts: Vec::new(),
            ports: HubPorts::default(),
            connections: ConnectionSettings::default(),
            relay: RelaySettings::default(),
            registry: RegistrySettings::default(),
            zone: None,
        }
    }
}

impl Default for HubPorts {
    fn default() -> Self {
        Self {
            peers: OrOff::On(4001),
            websocket: OrOff::On(443),
            relay: OrOff::On(80),
            address_discovery: OrOff::On(7842),
        }
    }
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            incoming: limits::MAX_HUB_CONNECTIONS,
            per_network: limits::MAX_HUB_CONNECTIONS_PER_NETWORK,
        }
    }
}

impl Default for RelaySettings {
    fn default() -> Self {
        let (clients, circuits) = (ClientLimits::default(), RelayLimits::default());
        Self {
            clients: clients.clients,
            clients_per_network: clients.per_network,
            bytes_per_second: limits::RELAY_CLIENT_BYTES_PER_SECOND,
            reservations: circuits.reservations,
            reservations_per_ip: circuits.reservations_per_ip,
            circuits: circuits.circuits,
            circuits_per_peer: circuits.circuits_per_peer,
            circuit_bytes: circuits.circuit_bytes,
            circuit_seconds: circuits.circuit_duration.as_secs(),
        }
    }
}

impl Default for RegistrySettings {
    fn default() -> Self {
        let RegistryLimits { peers, bytes, peers_per_network } = RegistryLimits::default();
        Self { peers, bytes, peers_per_network }
    }
}

impl FromStr for HubConfig {
    type Err = HubError;

    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// [`HubError::Config`] says in which line something is wrong, and what.
    fn from_str(text: &str) -> Result<Self, HubError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            HubError::Config { line, reason: error.message().replace('\n', " ") }
        })
    }
}

impl HubConfig {
    /// How much of the machine others may take.
    pub(super) fn node_limits(&self) -> NodeLimits {
        NodeLimits {
            incoming_connections: self.connections.incoming,
            connections_per_network: Some(self.connections.per_network),
            ..NodeLimits::hub()
        }
    }
}

impl RelaySettings {
    /// For circuits.
    pub(super) const fn circuits(&self) -> RelayLimits {
        RelayLimits {
            reservations: self.reservations,
            reservations_per_ip: self.reservations_per_ip,
            circuits: self.circuits,
            circuits_per_peer: self.circuits_per_peer,
            circuit_bytes: self.circuit_bytes,
            circuit_duration: Duration::from_secs(self.circuit_seconds),
        }
    }

    /// For roaming connections.
    pub(super) const fn clients(&self) -> ClientLimits {
        ClientLimits { clients: self.clients, per_network: self.clients_per_network }
    }
}

impl RegistrySettings {
    /// As the registry has them.
    pub(super) const fn limits(&self) -> RegistryLimits {
        let Self { peers, bytes, peers_per_network } = *self;
        RegistryLimits { peers, bytes, peers_per_network }
    }
}

impl ZoneSettings {
    /// As the zone's server has them.
    pub(super) fn config(&self) -> ZoneConfig {
        ZoneConfig {
            zone: self.name.clone(),
            name_servers: self.name_servers.clone(),
            listen: self.listen.clone(),
            ttl: Duration::from_secs(self.ttl_seconds.into()),
            scope: match self.scope {
                ZoneScope::Public => Scope::Public,
                ZoneScope::Relayed => Scope::Relayed,
                ZoneScope::Private => Scope::Private,
                ZoneScope::Local => Scope::Local,
            },
        }
    }
}

/// Something that can be turned off by the word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrOff<T> {
    /// As it is set.
    On(T),
    /// Not at all.
    Off,
}

impl<T> OrOff<T> {
    /// What is set.
    pub fn on(self) -> Option<T> {
        match self {
            Self::On(value) => Some(value),
            Self::Off => None,
        }
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for OrOff<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrOffVisitor(PhantomData))
    }
}

struct OrOffVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for OrOffVisitor<T> {
    type Value = OrOff<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a port or an address, or \"off\"")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<OrOff<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OrOff<T>, E> {
        match text {
            "off" => Ok(OrOff::Off),
            text => text.parse().map(OrOff::On).map_err(E::custom),
        }
    }
}

/// Under which name or address others reach a hub.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum Announced {
    /// At all of its ports.
    Host(Protocol<'static>),
    /// Only so.
    Address(Multiaddr),
}

/// What is neither a host nor an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a host name, nor an IP address, nor a multiaddr")]
pub struct AnnouncedError(String);

impl Advice for AnnouncedError {
    fn hint(&self) -> Option<&'static str> {
        Some("write it like hub.example.org, 192.0.2.1 or /ip4/192.0.2.1/tcp/4001")
    }
}

impl TryFrom<String> for Announced {
    type Error = AnnouncedError;

    fn try_from(text: String) -> Result<Self, AnnouncedError> {
        text.parse()
    }
}

impl FromStr for Announced {
    type Err = AnnouncedError;

    fn from_str(text: &str) -> Result<Self, AnnouncedError> {
        let wrong = || AnnouncedError(text.to_owned());
        if text.starts_with('/') {
            let address: Multiaddr = text.parse().map_err(|_| wrong())?;
            let mut parts = address.iter();
            return match (parts.next().ok_or_else(wrong)?, parts.next()) {
                (host, None) => Ok(Self::Host(host.acquire())),
                _ => Ok(Self::Address(address)),
            };
        }
        match text.parse() {
            Ok(IpAddr::V4(ip)) => Ok(Self::Host(Protocol::Ip4(ip))),
            Ok(IpAddr::V6(ip)) => Ok(Self::Host(Protocol::Ip6(ip))),
            Err(_) if is_host_name(text) => Ok(Self::Host(Protocol::Dns(text.to_owned().into()))),
            Err(_) => Err(wrong()),
        }
    }
}

/// Letters, digits and hyphens between dots, as RFC 1123 has it.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.trim_end_matches('.').split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a file, and in which line.
    fn refused(text: &str) -> (usize, String) {
        match text.parse::<HubConfig>() {
            Err(HubError::Config { line, reason }) => (line, reason),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_is_printed_is_the_default() {
        assert_eq!(DEFAULT_CONFIG.parse::<HubConfig>().unwrap(), HubConfig::default());
        assert_eq!("".parse::<HubConfig>().unwrap(), HubConfig::default());
    }

    #[test]
    fn the_zone_that_is_shown_is_read() {
        let (_, zone) = DEFAULT_CONFIG.split_once("# [zone]").unwrap();
        let lines = zone.lines().map(|line| line.strip_prefix("# ").unwrap_or_default());
        let text = format!("[zone]\n{}", lines.collect::<Vec<_>>().join("\n"));
        let zone = text.parse::<HubConfig>().unwrap().zone.unwrap();
        assert_eq!(zone.config().listen, ZoneConfig::new("", "").listen);
        assert_eq!(zone.config().ttl, ZoneConfig::new("", "").ttl);
        assert_eq!(zone.config().scope, ZoneConfig::new("", "").scope);
    }

    #[test]
    fn ports_and_metrics_can_be_off() {
        let text = "metrics = \"off\"\n[ports]\nwebsocket = \"off\"\nrelay = 8080";
        let config: HubConfig = text.parse().unwrap();
        assert_eq!(config.metrics.on(), None);
        assert_eq!(config.ports.websocket.on(), None);
        assert_eq!(config.ports.relay, OrOff::On(8080));
        assert_eq!(config.ports.peers, OrOff::On(4001));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, line, part) in [
            ("listens = []", 1, "unknown field `listens`"),
            ("\n[relay]\nclient = 1", 3, "unknown field `client`"),
            ("[ports]\nrelay = 70000", 2, "number too large"),
            ("[ports]\nrelay = \"of\"", 2, "invalid digit"),
            ("[ports]\nrelay = -1", 2, "invalid digit"),
            ("metrics = true", 1, "a port or an address"),
            ("listen = [\"here\"]", 1, "invalid IP address"),
            ("announce = [\"a b\"]", 1, "neither a host name"),
            ("boot_nodes = [\"/nowhere\"]", 1, ""),
            ("[zone]\nname = \"a.example\"", 1, "name_servers"),
            ("[connections]\nincoming = -5", 2, "invalid value"),
            ("a = [", 1, ""),
        ] {
            let (at, reason) = refused(text);
            assert_eq!(at, line, "{text}: {reason}");
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }

    #[test]
    fn hosts_stand_for_all_ports_and_addresses_for_themselves() {
        for (text, host) in [
            ("hub.example.org", Protocol::Dns("hub.example.org".into())),
            ("/dns4/hub.example.org", Protocol::Dns4("hub.example.org".into())),
            ("192.0.2.1", Protocol::Ip4([192, 0, 2, 1].into())),
            ("2001:db8::1", Protocol::Ip6("2001:db8::1".parse().unwrap())),
        ] {
            assert_eq!(text.parse(), Ok(Announced::Host(host)), "{text}");
        }
        let whole = "/dns/hub.example.org/tcp/443/wss";
        assert_eq!(whole.parse(), Ok(Announced::Address(whole.parse().unwrap())));
        for wrong in ["", "/", "hub example", "a..b", "a_b", "/ip4/1.2.3"] {
            assert!(wrong.parse::<Announced>().is_err(), "{wrong:?}");
        }
    }
}
