//! As whom somebody counts.

use std::net::IpAddr;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::routing::Network;

/// As whom somebody counts: one of a few, in a crowd that is counted too.
///
/// Addresses cost money and peer ids do not. So an address counts by its
/// network, and that by what is around it. Peer ids count where others vouch for
/// their number, or nobody else suffers: behind a relay, and on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub(super) crowd: Crowd,
    pub(super) one: One,
}

/// What several ones belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Crowd {
    /// An IPv4 /24, or an IPv6 /48.
    Around(Network),
    /// All who come through one relay.
    Relay(Relay),
    /// All on this machine.
    Machine,
    /// All of whom only the ids are known.
    Unknown,
}

/// Whose share of a crowd it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum One {
    Network(Network),
    Peer(PeerId),
    /// Nothing tells those of the crowd apart.
    Unknown,
}

/// A relay, as far as an address names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Relay {
    /// One that is a peer, and carries circuits.
    Peer(PeerId),
    /// One at an address, that carries packets.
    At(Multiaddr),
}

impl Origin {
    /// Somebody at an address who has not said yet who it is.
    #[must_use]
    pub fn address(ip: IpAddr) -> Self {
        if ip.to_canonical().is_loopback() {
            return Self { crowd: Crowd::Machine, one: One::Unknown };
        }
        let network = Network::of(ip);
        Self { crowd: Crowd::Around(network.around()), one: One::Network(network) }
    }

    /// A peer at an address. On this machine it counts by its id.
    ///
    /// ```
    /// use peerage_core::routing::pool::Origin;
    /// # let peers = [1, 2].map(|n| libp2p_identity::Keypair::ed25519_from_bytes([n; 32]).unwrap());
    /// # let [alice, bob] = peers.map(|key| key.public().to_peer_id());
    /// let office = "192.0.2.1".parse()?;
    /// assert_eq!(Origin::peer_at(office, alice), Origin::peer_at(office, bob));
    /// let here = "127.0.0.1".parse()?;
    /// assert_ne!(Origin::peer_at(here, alice), Origin::peer_at(here, bob));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn peer_at(ip: IpAddr, peer: PeerId) -> Self {
        match Self::address(ip) {
            Self { crowd: Crowd::Machine, .. } => {
                Self { crowd: Crowd::Machine, one: One::Peer(peer) }
            }
            elsewhere => elsewhere,
        }
    }

    /// A peer that comes through one of our own hubs: the hub has as much as a
    /// /24, and its peers count by their ids.
    #[must_use]
    pub const fn through(hub: Relay, peer: PeerId) -> Self {
        Self { crowd: Crowd::Relay(hub), one: One::Peer(peer) }
    }

    /// Somebody who comes through another's relay, which counts as one.
    #[must_use]
    pub const fn through_stranger(relay: Relay) -> Self {
        Self { crowd: Crowd::Relay(relay), one: One::Unknown }
    }

    /// A peer of which only the id is known.
    #[must_use]
    pub const fn peer(peer: PeerId) -> Self {
        Self { crowd: Crowd::Unknown, one: One::Peer(peer) }
    }
}
