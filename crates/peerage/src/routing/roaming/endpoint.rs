//! The endpoint: its sockets, its relays, and what it may spend.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use iroh::dns::DnsResolver;
use iroh::endpoint::{
    BindOpts, Connection, IdleTimeout, InvalidSocketAddr, PortmapperConfig, QuicTransportConfig,
    VarInt, presets,
};
use iroh::{
    Endpoint, EndpointAddr, RelayConfig, RelayMap, RelayMode, RelayUrl, SecretKey, Watcher as _,
};
use libp2p::PeerId;
use libp2p::identity::Keypair;

use peerage_core::Advice;

use crate::limits::{MAX_QUIC_STREAM_WINDOW, MAX_STREAMS_PER_CONNECTION, MAX_WINDOW_GROWTH};

use super::congestion::Bbr;
use super::names::{Names, inside, outside};
use super::relays::{Borrowed, Relays};
use super::{ALPN, certificate, relay_address};
use crate::routing::{Gate, Network};

/// How long a connection lives of which nothing is heard on any path. Longer
/// than a partition that people wait out; the node's own watch ends sooner
/// those on which a peer hangs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The port at which relays tell a peer its address, next to their HTTP port.
const ADDRESS_DISCOVERY_PORT: u16 = iroh_relay::defaults::DEFAULT_RELAY_QUIC_PORT;

/// Why the endpoint could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("no socket for connections that roam: {0}")]
pub struct BindError(String);

impl Advice for BindError {
    fn hint(&self) -> Option<&'static str> {
        Some("try again")
    }
}

/// A connection, and the relays that are borrowed for it.
type Connected = (Connection, Vec<Borrowed>);

/// The endpoint; a cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Roaming {
    endpoint: Endpoint,
    /// Those of our hubs, which the endpoint measures.
    measured: RelayMap,
    relays: Relays,
}

impl Roaming {
    /// Binds the endpoint of an identity; `None` for keys other than Ed25519.
    /// IPv6 is used where the machine has it. With `map_ports` the router is asked
    /// to let packets in. `gate` judges what relays' names lead to.
    pub(crate) async fn bind(
        key: &Keypair,
        port: u16,
        map_ports: bool,
        gate: &Gate,
    ) -> Result<Option<Self>, BindError> {
        let Ok(pair) = key.clone().try_into_ed25519() else { return Ok(None) };
        let mut secret = [0; 32];
        secret.copy_from_slice(pair.secret().as_ref());
        let ports = match map_ports {
            true => PortmapperConfig::default(),
            false => PortmapperConfig::Disabled,
        };
        let failed = |error: InvalidSocketAddr| BindError(error.to_string());
        let if_possible = BindOpts::default().set_is_required(false);
        let (measured, relays) = (RelayMap::empty(), Relays::default());
        let endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(SecretKey::from_bytes(&secret))
            .alpns(vec![ALPN.to_vec()])
            .relay_mode(RelayMode::Custom(measured.clone()))
            .dns_resolver(DnsResolver::custom(Names::new(relays.clone(), gate.clone())))
            .ca_tls_config(certificate::trust())
            .portmapper_config(ports)
            .transport_config(transport_config())
            .bind_addr((Ipv4Addr::UNSPECIFIED, port))
            .map_err(failed)?
            .bind_addr_with_opts((Ipv6Addr::UNSPECIFIED, port), if_possible)
            .map_err(failed)?
            .bind()
            .await
            .map_err(|error| BindError(format!("{error:#}")))?;
        Ok(Some(Self { endpoint, measured, relays }))
    }

    /// The endpoint itself.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Takes the relays that a hub names as those at which this node may be at
    /// home, instead of those that it named before; each of `hubs` hubs has the
    /// same share of the room.
    pub(crate) async fn set_hub_relays(&self, hub: PeerId, urls: &[RelayUrl], hubs: usize) {
        let change = self.relays.set_hub(hub, urls.iter().filter_map(inside).collect(), hubs);
        for url in change.new {
            let discovery = iroh_relay::RelayQuicConfig::new(ADDRESS_DISCOVERY_PORT);
            let config = RelayConfig::new(url.clone(), Some(discovery));
            self.endpoint.insert_relay(url, Arc::new(config)).await;
        }
        for url in change.gone {
            self.endpoint.remove_relay(&url).await;
        }
    }

    /// Connects to a peer. A relay that is none of our hubs is used for that
    /// alone, for as long as the second part of the result is held.
    pub(super) async fn connect(&self, to: EndpointAddr) -> Result<Connected, String> {
        let relays = to.relay_urls().map(|url| self.relays.borrow(url, to.id));
        let borrowed: Vec<_> =
            relays.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let connecting = self.endpoint.connect(to, ALPN).await;
        let connection = connecting.map_err(|error| format!("{error:#}"))?;
        Ok((connection, borrowed.into_iter().flatten().collect()))
    }

    /// What the network lets through, once measured.
    pub(crate) fn network(&self) -> Option<Network> {
        let report = self.endpoint.net_report().get()?;
        let latency = report.relay_latency.iter().map(|(_, url, took)| (outside(url), took));
        let mut took: HashMap<RelayUrl, Duration> = HashMap::new();
        for (url, latency) in latency {
            let best = took.entry(url).or_insert(latency);
            *best = latency.min(*best);
        }
        let relays = self.measured.urls::<Vec<_>>().into_iter().map(|url| outside(&url));
        let (v4, v6) = (report.global_v4.map(SocketAddr::V4), report.global_v6.map(SocketAddr::V6));
        Some(Network {
            udp: (report.udp_v4, report.udp_v6),
            seen_as: [v4, v6].into_iter().flatten().collect(),
            varies: report.mapping_varies_by_dest_ipv4.or(report.mapping_varies_by_dest_ipv6),
            relays: relays
                .filter_map(|url| Some((relay_address(&url)?, took.get(&url).copied())))
                .collect(),
            home: report.preferred_relay.as_ref().and_then(|url| relay_address(&outside(url))),
        })
    }

    /// Tells the endpoint that the network may have changed.
    pub(crate) async fn network_changed(&self) {
        self.endpoint.network_change().await;
    }

    /// Ends all connections, in order.
    pub(crate) async fn close(&self) {
        self.endpoint.close().await;
    }
}

/// The windows are those of libp2p's QUIC.
fn transport_config() -> QuicTransportConfig {
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(count(2 * MAX_STREAMS_PER_CONNECTION))
        .max_concurrent_uni_streams(count(0))
        .stream_receive_window(count(MAX_QUIC_STREAM_WINDOW))
        .receive_window(count(MAX_WINDOW_GROWTH))
        .send_window(MAX_WINDOW_GROWTH as u64)
        .max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok())
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(Bbr::default()))
        .build()
}

fn count(number: usize) -> VarInt {
    VarInt::from_u32(u32::try_from(number).unwrap_or(u32::MAX))
}
