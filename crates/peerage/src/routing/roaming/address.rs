//! Relay addresses and sockets as multiaddrs, and peer ids as endpoint ids.

use std::net::{IpAddr, SocketAddr};

use iroh::{EndpointAddr, EndpointId, RelayUrl, TransportAddr};
use libp2p::identity::{KeyType, PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::names::{inside, outside};

/// The multihash that holds a public key itself.
const IDENTITY: u64 = 0;

/// Where to send packets for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// To the relay that the peer is connected with.
    Relay(RelayUrl),
    /// To the peer's socket.
    Socket(SocketAddr),
}

/// A peer and where to send packets for it, as the endpoint takes it.
pub(super) fn target(address: &Multiaddr) -> Option<EndpointAddr> {
    let mut place = address.clone();
    let Some(Protocol::P2p(peer)) = place.pop() else { return None };
    let id = endpoint_id(&peer)?;
    Some(match read(&place)? {
        Place::Relay(url) => EndpointAddr::new(id).with_relay_url(inside(&url)?),
        Place::Socket(socket) => EndpointAddr::new(id).with_ip_addr(socket),
    })
}

/// Reads an address without a peer at its end.
pub(super) fn read(address: &Multiaddr) -> Option<Place> {
    relay_url(address).map(Place::Relay).or_else(|| socket(address).map(Place::Socket))
}

/// Whether an address is a socket of this transport.
pub(super) fn is_direct(address: &Multiaddr) -> bool {
    socket(address).is_some()
}

/// The relay that an address names, without the peer behind it.
///
/// ```
/// use peerage::routing::relay_url;
/// let address = "/dns/hub.example/tcp/3340/http/p2p-circuit".parse().unwrap();
/// assert_eq!(relay_url(&address).unwrap().as_str(), "http://hub.example:3340/");
/// ```
pub fn relay_url(address: &Multiaddr) -> Option<RelayUrl> {
    let mut parts = address.iter();
    let host = match parts.next()? {
        Protocol::Ip4(ip) => ip.to_string(),
        Protocol::Ip6(ip) => format!("[{ip}]"),
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => name.into_owned(),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    let scheme = match parts.next()? {
        Protocol::Http => "http",
        Protocol::Https => "https",
        _ => return None,
    };
    let ends = parts.next() == Some(Protocol::P2pCircuit) && parts.next().is_none();
    if !ends {
        return None;
    }
    format!("{scheme}://{host}:{port}").parse().ok()
}

/// The address of whoever is connected with a relay, without the peer.
///
/// ```
/// use peerage::routing::relay_address;
/// let url = "https://hub.example".parse().unwrap();
/// assert_eq!(relay_address(&url).unwrap().to_string(), "/dns/hub.example/tcp/443/https/p2p-circuit");
/// ```
pub fn relay_address(url: &RelayUrl) -> Option<Multiaddr> {
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let host = match host.parse() {
        Ok(IpAddr::V4(ip)) => Protocol::Ip4(ip),
        Ok(IpAddr::V6(ip)) => Protocol::Ip6(ip),
        Err(_) => Protocol::Dns(host.trim_end_matches('.').to_owned().into()),
    };
    let scheme = match url.scheme() {
        "https" => Protocol::Https,
        _ => Protocol::Http,
    };
    let port = Protocol::Tcp(url.port_or_known_default()?);
    Some(Multiaddr::empty().with(host).with(port).with(scheme).with(Protocol::P2pCircuit))
}

fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let Protocol::Udp(port) = parts.next()? else { return None };
    parts.next().is_none().then_some((ip, port).into())
}

/// The address of where packets go, or come from, as the endpoint says it.
pub(super) fn multiaddr(place: &TransportAddr) -> Option<Multiaddr> {
    match place {
        TransportAddr::Relay(url) => relay_address(&outside(url)),
        TransportAddr::Ip(socket) => Some(of_socket(*socket)),
        _ => None,
    }
}

/// The address of a socket; one of IPv4 within IPv6 as what it is.
pub(super) fn of_socket(socket: SocketAddr) -> Multiaddr {
    Multiaddr::from(socket.ip().to_canonical()).with(Protocol::Udp(socket.port()))
}

/// The endpoint of a peer: its key, if that is an Ed25519 key.
pub(super) fn endpoint_id(peer: &PeerId) -> Option<EndpointId> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    if key.key_type() != KeyType::Ed25519 {
        return None;
    }
    EndpointId::from_bytes(&key.try_into_ed25519().ok()?.to_bytes()).ok()
}

/// The peer behind an endpoint.
pub(crate) fn peer_id(endpoint: &EndpointId) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(endpoint.as_bytes()).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    #[test]
    fn relays_and_multiaddrs_are_the_same() {
        for (text, url) in [
            ("/ip4/192.0.2.1/tcp/3340/http/p2p-circuit", "http://192.0.2.1:3340/"),
            ("/ip6/2001:db8::1/tcp/80/http/p2p-circuit", "http://[2001:db8::1]/"),
            ("/dns/hub.example/tcp/443/https/p2p-circuit", "https://hub.example/"),
        ] {
            let address: Multiaddr = text.parse().unwrap();
            let relay = relay_url(&address).unwrap();
            assert_eq!(relay.as_str(), url);
            assert_eq!(relay_address(&relay).unwrap(), address);
        }
    }

    #[test]
    fn other_addresses_are_left_to_other_transports() {
        for text in [
            "/ip4/192.0.2.1/tcp/1",
            "/ip4/192.0.2.1/udp/1/quic-v1",
            "/ip4/192.0.2.1/tcp/1/http",
            "/ip4/192.0.2.1/tcp/1/ws/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit",
        ] {
            assert_eq!(read(&text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn one_key_is_both_peer_id_and_endpoint_id() {
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        assert_eq!(peer_id(&endpoint_id(&peer).unwrap()), Some(peer));
        let other = Keypair::generate_secp256k1().public().to_peer_id();
        assert_eq!(endpoint_id(&other), None);
    }
}
