//! Addresses: what they lead to, which peer they name, and for whom they mean
//! the same.
//!
//! A [`Multiaddr`] can say much more than we dial, and what dials it may read it
//! by other rules than what judges it. A [`Place`] has one meaning: it is read
//! by one grammar, and what is no place is neither judged nor dialled.

mod place;
mod reach;

use std::net::IpAddr;

use libp2p_identity::PeerId;

pub use multiaddr::{Multiaddr, Protocol};

pub(crate) use self::place::is_name;
pub use self::{
    place::{Channel, Family, Host, Place, PlaceError},
    reach::{Reach, plain},
};

/// A peer, and where it may be.
///
/// The addresses are without the peer at their end; none where only its id is
/// known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddresses {
    /// Who it is.
    pub peer: PeerId,
    /// Where it may be.
    pub addresses: Vec<Multiaddr>,
}

impl PeerAddresses {
    /// A peer of which the id alone is known.
    #[must_use]
    pub const fn unknown(peer: PeerId) -> Self {
        Self { peer, addresses: Vec::new() }
    }

    /// Takes an address with its peer at the end apart; `None` when no peer is
    /// there.
    ///
    /// ```
    /// use peerage_core::routing::address::PeerAddresses;
    ///
    /// let text = "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    /// let known = PeerAddresses::of(&text.parse()?).expect("a peer");
    /// assert_eq!(known.addresses, ["/ip4/192.0.2.1/tcp/1".parse()?]);
    /// # Ok::<(), multiaddr::Error>(())
    /// ```
    #[must_use]
    pub fn of(address: &Multiaddr) -> Option<Self> {
        let peer = peer_suffix(address)?;
        let place = without_peer(address);
        let addresses = if place.is_empty() { Vec::new() } else { vec![place] };
        Some(Self { peer, addresses })
    }
}

/// The peer that the last part of an address names.
///
/// ```
/// use peerage_core::routing::address::peer_suffix;
///
/// let relay = "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit";
/// assert_eq!(peer_suffix(&relay.parse()?), None);
/// # Ok::<(), multiaddr::Error>(())
/// ```
#[must_use]
pub fn peer_suffix(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// The address without the peer at its end.
#[must_use]
pub fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if peer_suffix(&address).is_some() {
        address.pop();
    }
    address
}

/// The address with a peer at its end, once.
#[must_use]
pub fn with_peer(address: &Multiaddr, peer: PeerId) -> Multiaddr {
    without_peer(address).with(Protocol::P2p(peer))
}

/// An address that somebody gives for a peer, without that peer at its end;
/// `None` when it is of another peer, or nothing else.
///
/// ```
/// use peerage_core::routing::address::of_peer;
/// # let own: libp2p_identity::PeerId = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?;
/// # let other: libp2p_identity::PeerId = "12D3KooWNu4NTsSxfRv5yRq2Y8Ch2rDSvS3DYtWMAqjWSYd1CpLx".parse()?;
///
/// let bare = "/ip4/192.0.2.1/tcp/1".parse()?;
/// assert_eq!(of_peer(&bare, &own), Some(bare.clone()));
/// let full = format!("{bare}/p2p/{own}").parse()?;
/// assert_eq!(of_peer(&full, &own), Some(bare));
/// assert_eq!(of_peer(&full, &other), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn of_peer(address: &Multiaddr, peer: &PeerId) -> Option<Multiaddr> {
    let named = peer_suffix(address);
    let bare = without_peer(address);
    (named.is_none_or(|named| named == *peer) && !bare.is_empty()).then_some(bare)
}

/// The IP address of the machine that is dialled for an address: of the relay,
/// where it leads over one. `None` for a name, and for what is no [`Place`].
#[must_use]
pub fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match Place::try_from(address).ok()?.host() {
        Host::Ip(ip) => Some(*ip),
        Host::Name { .. } => None,
    }
}

/// As [`ip`], of the peer's own machine: `None` where a relay is in between.
///
/// ```
/// use peerage_core::routing::address::direct_ip;
///
/// assert_eq!(direct_ip(&"/ip4/192.0.2.1/tcp/1".parse()?), Some([192, 0, 2, 1].into()));
/// assert_eq!(direct_ip(&"/ip4/192.0.2.1/tcp/80/http/p2p-circuit".parse()?), None);
/// assert_eq!(direct_ip(&"/ip4/192.0.2.1/tcp/1/ip4/127.0.0.1/tcp/22".parse()?), None);
/// # Ok::<(), multiaddr::Error>(())
/// ```
#[must_use]
pub fn direct_ip(address: &Multiaddr) -> Option<IpAddr> {
    let place = Place::try_from(address).ok()?;
    match place.host() {
        Host::Ip(ip) if !place.is_relayed() => Some(*ip),
        _ => None,
    }
}

/// The name of a list of addresses in the DNS: `/dnsaddr/NAME`, with a peer at
/// its end or none. It is no place, and leads to some.
#[must_use]
pub fn dns_list(address: &Multiaddr) -> Option<String> {
    let mut parts = address.iter();
    let Some(Protocol::Dnsaddr(name)) = parts.next() else { return None };
    let mut rest = parts.skip_while(|part| matches!(part, Protocol::P2p(_)));
    let alone = rest.next().is_none() && address.iter().count() <= 2;
    (alone && is_name(&name)).then(|| name.into_owned())
}

/// Whether an address leads to the machine on which it is dialled: its host is
/// a loopback address, in IPv6's clothes too, or the name `localhost`.
///
/// ```
/// use peerage_core::routing::address::is_loopback;
///
/// assert!(is_loopback(&"/ip6/::ffff:127.0.0.1/tcp/1".parse()?));
/// assert!(!is_loopback(&"/ip4/192.168.1.7/tcp/1".parse()?));
/// # Ok::<(), multiaddr::Error>(())
/// ```
#[must_use]
pub fn is_loopback(address: &Multiaddr) -> bool {
    Reach::of(address) == Reach::Machine
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

    fn parse(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_peer_at_the_end_is_cut_off_and_put_there_once() {
        let peer: PeerId = PEER.parse().unwrap();
        let bare = parse("/ip4/192.0.2.1/tcp/1");
        let full = with_peer(&bare, peer);
        assert_eq!(full.to_string(), format!("/ip4/192.0.2.1/tcp/1/p2p/{PEER}"));
        assert_eq!(with_peer(&full, peer), full);
        assert_eq!(without_peer(&full), bare);
        assert_eq!(without_peer(&bare), bare);
        assert_eq!(PeerAddresses::of(&parse(&format!("/p2p/{PEER}"))), {
            Some(PeerAddresses::unknown(peer))
        });
        assert_eq!(PeerAddresses::of(&bare), None);
    }

    #[test]
    fn loopback_is_told_by_the_host_alone() {
        for text in ["/ip4/127.9.9.9/tcp/1", "/ip6/::1/udp/1", "/dns/a.localhost./tcp/1"] {
            assert!(is_loopback(&parse(text)), "{text}");
        }
        let relayed = format!("/ip4/192.0.2.1/tcp/1/p2p/{PEER}/p2p-circuit/ip4/127.0.0.1/tcp/1");
        for text in ["/ip4/10.0.0.1/tcp/1", "/memory/1", relayed.as_str()] {
            assert!(!is_loopback(&parse(text)), "{text}");
        }
    }
}
