//! What tells peers over QUIC at which address they are seen: `iroh-relay`'s
//! own server holds any number of connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use iroh_relay::quic::{
    ALPN_QUIC_ADDR_DISC, QUIC_ADDR_DISC_CLOSE_CODE, QUIC_ADDR_DISC_CLOSE_REASON,
};
use noq::crypto::rustls::QuicServerConfig;
use noq::{Endpoint, Incoming, ServerConfig, TransportConfig};
use peerage_core::routing::pool::{Origin, PoolLimits};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::relay::{RelayServerError, failure, tls};
use crate::limits::{
    ADDRESS_HANDSHAKE_SECONDS, MAX_ADDRESS_QUESTIONS, MAX_ADDRESS_QUESTIONS_PER_NETWORK,
};
use crate::routing::{Share, SharedPool};

const HANDSHAKE_TIME: Duration = Duration::from_secs(ADDRESS_HANDSHAKE_SECONDS);

const POOL: PoolLimits =
    PoolLimits { one: MAX_ADDRESS_QUESTIONS_PER_NETWORK, ..PoolLimits::of(MAX_ADDRESS_QUESTIONS) };

/// The server of address discovery at all its places.
#[derive(Debug)]
pub(super) struct AddressDiscovery {
    endpoints: Vec<Endpoint>,
    desk: Arc<Desk>,
    accepting: JoinSet<()>,
}

/// Who is told, and how many were.
#[derive(Debug)]
struct Desk {
    places: SharedPool,
    told: AtomicU64,
    refused: AtomicU64,
}

impl AddressDiscovery {
    /// Starts to tell. A socket for all addresses of IPv6 is one for those of IPv4
    /// too; a machine without IPv6 leaves it out.
    pub(super) fn start(places: &[SocketAddr]) -> Result<Self, RelayServerError> {
        let (told, refused) = Default::default();
        let desk = Arc::new(Desk { places: SharedPool::new(POOL), told, refused });
        let mut places = places.to_vec();
        places.sort_by_key(SocketAddr::is_ipv4);
        let mut this = Self { endpoints: Vec::new(), desk, accepting: JoinSet::new() };
        let mut all = false;
        for place in &places {
            if all && place.ip() == Ipv4Addr::UNSPECIFIED {
                continue;
            }
            match Endpoint::server(config()?, *place) {
                Ok(endpoint) => {
                    all |= place.ip() == Ipv6Addr::UNSPECIFIED;
                    this.accepting.spawn(accept(endpoint.clone(), Arc::clone(&this.desk)));
                    this.endpoints.push(endpoint);
                }
                Err(error) if place.ip() == Ipv6Addr::UNSPECIFIED && places.len() > 1 => {
                    tracing::debug!(%error, "peers are not told their addresses of IPv6");
                }
                Err(error) => return Err(failure(*place, &error)),
            }
        }
        Ok(this)
    }

    /// How many peers were told.
    pub(super) fn told(&self) -> u64 {
        self.desk.told.load(Ordering::Relaxed)
    }

    /// How many were refused.
    pub(super) fn refused(&self) -> u64 {
        self.desk.refused.load(Ordering::Relaxed)
    }

    /// Ends all connections in order.
    pub(super) async fn shutdown(mut self) {
        for endpoint in &self.endpoints {
            endpoint.close(QUIC_ADDR_DISC_CLOSE_CODE, QUIC_ADDR_DISC_CLOSE_REASON);
            endpoint.wait_idle().await;
        }
        self.accepting.shutdown().await;
    }
}

impl Desk {
    /// A place for one who asks from an address.
    fn enter(&self, from: IpAddr) -> Option<Share> {
        let place = self.places.enter(&Origin::address(from), 1).ok();
        self.refused.fetch_add(u64::from(place.is_none()), Ordering::Relaxed);
        place
    }
}

fn config() -> Result<ServerConfig, RelayServerError> {
    let mut tls = tls()?;
    tls.alpn_protocols = vec![ALPN_QUIC_ADDR_DISC.to_vec()];
    let crypto = QuicServerConfig::try_from(tls)
        .map_err(|error| RelayServerError::Certificate(error.to_string()))?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_uni_streams(0_u8.into())
        .max_concurrent_bidi_streams(0_u8.into())
        .send_observed_address_reports(true);
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

async fn accept(endpoint: Endpoint, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return };
                match desk.enter(incoming.remote_address().ip()) {
                    Some(place) => drop(connections.spawn(tell(incoming, place, Arc::clone(&desk)))),
                    // A word back would be one for an address that may be forged.
                    None => incoming.ignore(),
                }
            }
        }
    }
}

/// Holds a connection until the peer has done; QUIC itself tells the address.
async fn tell(incoming: Incoming, _place: Share, desk: Arc<Desk>) {
    match timeout(HANDSHAKE_TIME, incoming).await {
        Ok(Ok(connection)) => {
            desk.told.fetch_add(1, Ordering::Relaxed);
            connection.closed().await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a peer was not told its address"),
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_its_share_of_questions() {
        let (told, refused) = Default::default();
        let desk = Desk { places: SharedPool::new(POOL), told, refused };
        let from = [192, 0, 2, 1].into();
        let held: Vec<_> = (0..1500).filter_map(|_| desk.enter(from)).collect();
        assert_eq!(held.len(), MAX_ADDRESS_QUESTIONS_PER_NETWORK);
        assert!(desk.enter([198, 51, 100, 1].into()).is_some());
        assert!(desk.refused.load(Ordering::Relaxed) > 1000);
    }
}
