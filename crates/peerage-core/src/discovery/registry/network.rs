//! What kind of address an address is.

use std::net::IpAddr;

use crate::routing::address::{Reach, plain};

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
        // Behind a translator (RFC 6052) any IPv4 address may hide in what looks
        // like one network.
        if plain(address) != address.to_canonical() {
            return Self::Nobody;
        }
        match Reach::of_ip(address) {
            Reach::Nobody => Self::Nobody,
            Reach::Machine => Self::Machine { loopback: true },
            Reach::Link => Self::Machine { loopback: false },
            Reach::Private => Self::Private,
            // A network of examples has a registry of its own, if any.
            Reach::Example | Reach::Public => Self::Public,
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
