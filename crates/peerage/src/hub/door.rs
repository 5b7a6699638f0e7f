//! Who is let in to the relay: bounded in all and for each network, from the
//! first byte until the end.
//!
//! `iroh-relay`'s own server takes any number of connections, and lets those
//! that never say who they are stay for ever.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::limits::{
    MAX_RELAY_CLIENTS, MAX_RELAY_CLIENTS_PER_NETWORK, MAX_RELAY_HANDSHAKES,
    MAX_RELAY_HANDSHAKES_PER_NETWORK,
};
use http::{HeaderMap, HeaderValue};
use iroh::EndpointId;
use iroh_relay::server::{Access, AccessControl, ClientRequest, ConnectionId};

use crate::node::Shares;
use crate::sync::lock;

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
    limits: ClientLimits,
    inside: Mutex<Inside>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Inside {
    handshakes: Shares<u64>,
    /// The number of the latest handshake.
    last: u64,
    clients: Shares<ConnectionId>,
}

/// The right to make a handshake; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    door: Arc<Door>,
    number: u64,
}

impl Door {
    pub(super) fn new(limits: ClientLimits) -> Self {
        Self { limits, inside: Mutex::default(), refused: AtomicU64::new(0) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        lock(&self.inside)
    }

    /// Lets one who comes from an address make a handshake, if there is room.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Option<Pass> {
        let mut inside = self.inside();
        inside.last += 1;
        let number = inside.last;
        let entered = inside.handshakes.len() < MAX_RELAY_HANDSHAKES
            && inside.handshakes.enter(number, from, MAX_RELAY_HANDSHAKES_PER_NETWORK);
        drop(inside);
        self.refused.fetch_add(u64::from(!entered), Ordering::Relaxed);
        entered.then(|| Pass { door: Arc::clone(self), number })
    }

    /// Lets a client in that has proven who it is, if there is room.
    fn admit(&self, request: &ClientRequest) -> Access {
        let mut inside = self.inside();
        let admitted = inside.clients.len() < self.limits.clients
            && origin(request.headers()).is_some_and(|from| {
                inside.clients.enter(request.connection_id(), from, self.limits.per_network)
            });
        drop(inside);
        self.refused.fetch_add(u64::from(!admitted), Ordering::Relaxed);
        match admitted {
            true => Access::Allow,
            false => Access::Deny { reason: Some("the relay is full; use another".to_owned()) },
        }
    }

    /// How many clients are inside.
    pub(super) fn clients(&self) -> usize {
        self.inside().clients.len()
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
        self.inside().clients.leave(&connection);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.door.inside().handshakes.leave(&self.number);
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
        let door = Arc::new(Door::new(ClientLimits::default()));
        let (crowd, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let most = usize::try_from(MAX_RELAY_HANDSHAKES_PER_NETWORK).unwrap();
        let mut passes: Vec<_> = (0..most + 5).filter_map(|_| door.enter(crowd)).collect();
        assert_eq!((passes.len(), door.refused()), (most, 5));
        assert!(door.enter(other).is_some());
        passes.pop();
        assert!(door.enter(crowd).is_some());
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
