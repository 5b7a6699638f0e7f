//! Which network an address belongs to.

use std::net::IpAddr;

/// What is given out to one customer: an IPv4 address, or an IPv6 /56. Peer
/// ids cost nothing, networks do; so limits count networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(cut(address, 32, 56))
    }

    /// What lies around a network and is often one owner's too: the IPv4 /24,
    /// or the IPv6 /48.
    ///
    /// ```
    /// use peerage_core::routing::Network;
    /// let around = |text: &str| text.parse().map(|ip| Network::of(ip).around());
    /// assert_eq!(around("192.0.2.1")?, around("192.0.2.200")?);
    /// assert_ne!(around("192.0.2.1")?, around("192.0.3.1")?);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn around(self) -> Self {
        Self(cut(self.0, 24, 48))
    }
}

/// Whether a network is this machine itself, whose peers count by their ids.
pub(crate) const fn is_loopback_network(network: Network) -> bool {
    match network.0 {
        IpAddr::V4(ip) => ip.is_loopback(),
        // The /56 of `::1` has nothing else that is anybody's.
        IpAddr::V6(ip) => ip.is_unspecified(),
    }
}

/// The first bits of an address.
fn cut(address: IpAddr, of_four: u32, of_six: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() & !(u32::MAX >> (of_four - 1) >> 1)).into()),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !(u128::MAX >> of_six)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_customer_has_one_network() {
        assert_eq!(Network::of(ip("2001:db8:1:200::1")), Network::of(ip("2001:db8:1:2ff::9")));
        assert_ne!(Network::of(ip("2001:db8:1:200::1")), Network::of(ip("2001:db8:1:300::1")));
        assert_eq!(Network::of(ip("::ffff:192.0.2.1")), Network::of(ip("192.0.2.1")));
        assert_ne!(Network::of(ip("192.0.2.1")), Network::of(ip("192.0.2.2")));
    }

    #[test]
    fn around_it_are_its_neighbours() {
        let around = |text| Network::of(ip(text)).around();
        assert_eq!(around("192.0.2.1"), around("::ffff:192.0.2.255"));
        assert_ne!(around("192.0.2.1"), around("192.0.3.1"));
        assert_eq!(around("2001:db8:1:200::1"), around("2001:db8:1:ff00::1"));
        assert_ne!(around("2001:db8:1::1"), around("2001:db8:2::1"));
    }
}
