//! Who is let in to the relay: bounded in all and for each network, from the
//! first byte until the end.
//!
//! `iroh-relay`'s own server takes any number of connections, and lets those
//! that never say who they are stay for ever.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::limits::{
    MAX_RELAY_CLIENTS, MAX_RELAY_CLIENTS_PER_NETWORK, MAX_RELAY_HANDSHAKES,
    MAX_RELAY_HANDSHAKES_PER_NETWORK,
};
use http::{HeaderMap, HeaderValue};
use iroh::EndpointId;
use iroh_relay::server::{Access, AccessControl, ClientRequest, ConnectionId};

use peerage_core::routing::pool::{Origin, PoolLimits};

use crate::routing::{Share, SharedPool, peer_of_endpoint};
use crate::sync::lock;

/// After how long a handshake makes room for another's when there is none.
const SILENCE: Duration = Duration::from_secs(3);

/// The header in which a request says where it comes from: written by us, over
/// whatever the client has put there.
const FROM: &str = "x-peerage-from";

/// How many clients a relay takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// In all.
    pub clients: usize,
    /// From one network: an IPv4 address, or the /56 of an IPv6 one.
    pub per_network: u32,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { clients: MAX_RELAY_CLIENTS, per_network: MAX_RELAY_CLIENTS_PER_NETWORK }
    }
}

/// Counts who is inside.
#[derive(Debug)]
pub(super) struct Door {
    handshakes: SharedPool,
    clients: SharedPool,
    /// The places of the clients.
    inside: Mutex<HashMap<ConnectionId, Share>>,
    refused: AtomicU64,
}

impl Door {
    pub(super) fn new(limits: ClientLimits) -> Self {
        let handshakes = PoolLimits {
            one: MAX_RELAY_HANDSHAKES_PER_NETWORK as usize,
            silence: SILENCE,
            ..PoolLimits::of(MAX_RELAY_HANDSHAKES)
        };
        let one = limits.per_network as usize;
        Self {
            handshakes: SharedPool::new(handshakes),
            clients: SharedPool::new(PoolLimits { one, ..PoolLimits::of(limits.clients) }),
            inside: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    fn inside(&self) -> MutexGuard<'_, HashMap<ConnectionId, Share>> {
        lock(&self.inside)
    }

    /// Lets one who comes from an address make a handshake, if there is room.
    pub(super) fn enter(&self, from: IpAddr) -> Option<Share> {
        let entered = self.handshakes.enter(&Origin::address(from), 1).ok();
        self.refused.fetch_add(u64::from(entered.is_none()), Ordering::Relaxed);
        entered
    }

    /// Lets a client in that has proven who it is, if there is room.
    fn admit(&self, request: &ClientRequest) -> Access {
        let origin = origin(request.headers()).map(|from| client(from, &request.endpoint_id()));
        let place = origin.and_then(|origin| self.clients.enter(&origin, 1).ok());
        self.refused.fetch_add(u64::from(place.is_none()), Ordering::Relaxed);
        match place {
            Some(place) => {
                self.inside().insert(request.connection_id(), place);
                Access::Allow
            }
            None => Access::Deny { reason: Some("the relay is full; use another".to_owned()) },
        }
    }

    /// How many clients are inside.
    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// How many were refused, in a handshake or after it.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl AccessControl for Door {
    async fn on_connect(&self, request: &ClientRequest) -> Access {
        self.admit(request)
    }

    fn on_disconnect(&self, _: EndpointId, connection: ConnectionId) {
        self.inside().remove(&connection);
    }
}

/// As whom a client counts.
fn client(from: IpAddr, endpoint: &EndpointId) -> Origin {
    match peer_of_endpoint(endpoint) {
        Some(peer) => Origin::peer_at(from, peer),
        None => Origin::address(from),
    }
}

/// Writes into a request where it comes from.
pub(super) fn mark(headers: &mut HeaderMap, from: IpAddr) {
    match HeaderValue::from_str(&from.to_string()) {
        Ok(value) => drop(headers.insert(FROM, value)),
        Err(_) => drop(headers.remove(FROM)),
    }
}

fn origin(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(FROM)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_gets_its_share_of_handshakes_and_gives_them_back() {
        let door = Door::new(ClientLimits::default());
        let (crowd, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let most = usize::try_from(MAX_RELAY_HANDSHAKES_PER_NETWORK).unwrap();
        let mut passes: Vec<_> = (0..most + 5).filter_map(|_| door.enter(crowd)).collect();
        assert_eq!((passes.len(), door.refused()), (most, 5));
        assert!(door.enter(other).is_some());
        passes.pop();
        assert!(door.enter(crowd).is_some());
    }

    #[test]
    fn eight_networks_of_one_owner_do_not_take_the_door() {
        let door = Door::new(ClientLimits::default());
        let owner = |n: u128| std::net::Ipv6Addr::from((0x2001_0db8_0001 << 80) + (n << 72));
        let crowd = |n: u128| std::iter::repeat_n(n, 64);
        let passes: Vec<_> =
            (0..8).flat_map(crowd).filter_map(|n| door.enter(owner(n).into())).collect();
        assert!(passes.len() < 200, "{}", passes.len());
        assert!(door.enter([192, 0, 2, 1].into()).is_some());
    }

    #[test]
    fn clients_of_one_network_have_their_share() {
        let door = Door::new(ClientLimits { clients: 9, per_network: 2 });
        let endpoint = |n| iroh::SecretKey::from_bytes(&[n; 32]).public();
        let enter =
            |from: [u8; 4], n| door.clients.enter(&client(from.into(), &endpoint(n)), 1).ok();
        let crowd: Vec<_> = (1..9).filter_map(|n| enter([192, 0, 2, 1], n)).collect();
        assert_eq!(crowd.len(), 2);
        assert!(enter([198, 51, 100, 1], 9).is_some());
        let here: Vec<_> = (1..4).filter_map(|n| enter([127, 0, 0, 1], n)).collect();
        assert_eq!(here.len(), 3, "on this machine they count by their ids");
    }

    #[test]
    fn nobody_says_for_itself_where_it_comes_from() {
        let mut headers = HeaderMap::new();
        headers.append(FROM, HeaderValue::from_static("192.0.2.9"));
        headers.append(FROM, HeaderValue::from_static("192.0.2.8"));
        mark(&mut headers, [192, 0, 2, 1].into());
        assert_eq!(headers.get_all(FROM).iter().count(), 1);
        assert_eq!(origin(&headers), Some([192, 0, 2, 1].into()));
    }
}
