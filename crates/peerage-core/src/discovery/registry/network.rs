//! Which network an address belongs to, and what kind of address it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is given out to one customer: an IPv4 address, or an IPv6 /56. Peer
/// ids cost nothing, networks do; so limits count networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(IpAddr::V6((address.to_bits() >> 72 << 72).into())),
            address => Self(address),
        }
    }
}

/// For whom an address means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Nobody's address: a crowd's, or none.
    Nobody,
    /// Another one on each machine, or on each link.
    Machine { loopback: bool },
    /// Another one in each network.
    Private,
    /// The same for everybody.
    Public,
}

impl Scope {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether who is seen at these places and we mean the same by an address
    /// of this scope, as far as that can be told.
    pub(super) fn includes(self, seen: &[IpAddr]) -> bool {
        match self {
            Self::Nobody => false,
            Self::Machine { loopback } => {
                let here = |ip: &IpAddr| Self::of(*ip) == Self::Machine { loopback: true };
                loopback && seen.iter().any(here)
            }
            Self::Private | Self::Public => true,
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Scope {
    match address.octets() {
        [0 | 224..=255, ..] => Scope::Nobody,
        [127, ..] => Scope::Machine { loopback: true },
        [169, 254, ..] => Scope::Machine { loopback: false },
        // Carriers' shared addresses (RFC 6598) are private to the carrier.
        [100, 64..=127, ..] => Scope::Private,
        _ if address.is_private() => Scope::Private,
        _ => Scope::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Scope {
    match address.segments() {
        _ if address.is_loopback() => Scope::Machine { loopback: true },
        _ if address.is_multicast() => Scope::Nobody,
        // Unspecified, IPv4 in IPv6 of old, and translators' (RFC 6052):
        // there, any IPv4 address may hide in what looks like one network.
        [0, ..] | [0x64, 0xff9b, ..] => Scope::Nobody,
        [0xfe80..=0xfebf, ..] => Scope::Machine { loopback: false },
        [0xfc00..=0xfdff, ..] => Scope::Private,
        _ => Scope::Public,
    }
}

/// Whether one host has both: the same IPv4 address, or IPv6 ones on the same
/// link (a host has several, and changes some of them daily).
pub(super) fn same_host(one: IpAddr, other: IpAddr) -> bool {
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() >> 64 == other.to_bits() >> 64,
        (one, other) => one == other,
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
    fn every_address_has_its_scope() {
        for (text, scope) in [
            ("0.0.0.0", Scope::Nobody),
            ("255.255.255.255", Scope::Nobody),
            ("224.0.0.251", Scope::Nobody),
            ("::", Scope::Nobody),
            ("ff02::fb", Scope::Nobody),
            ("64:ff9b::c000:201", Scope::Nobody),
            ("127.9.9.9", Scope::Machine { loopback: true }),
            ("::1", Scope::Machine { loopback: true }),
            ("::ffff:127.0.0.1", Scope::Machine { loopback: true }),
            ("169.254.1.1", Scope::Machine { loopback: false }),
            ("fe80::1", Scope::Machine { loopback: false }),
            ("10.0.0.1", Scope::Private),
            ("172.31.0.1", Scope::Private),
            ("192.168.0.1", Scope::Private),
            ("100.64.0.1", Scope::Private),
            ("fd00::1", Scope::Private),
            ("::ffff:10.0.0.1", Scope::Private),
            ("192.88.99.1", Scope::Public),
            ("2001:db8::1", Scope::Public),
        ] {
            assert_eq!(Scope::of(ip(text)), scope, "{text}");
        }
    }
}
