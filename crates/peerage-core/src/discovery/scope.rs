//! From how far away an address can be reached.

use std::net::IpAddr;

use multiaddr::{Multiaddr, Protocol};

use crate::routing::address::Reach;

/// From how far away an address can be reached; the most useful first.
///
/// ```
/// use peerage_core::discovery::Scope;
///
/// assert_eq!(Scope::of(&"/ip4/8.8.8.8/tcp/1".parse()?), Scope::Public);
/// assert_eq!(Scope::of(&"/ip4/192.168.1.7/tcp/1".parse()?), Scope::Private);
/// # Ok::<(), multiaddr::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// From the whole internet.
    Public,
    /// From everywhere, through another peer.
    Relayed,
    /// From the same private network.
    Private,
    /// From the same link or machine only, or from nowhere.
    Local,
}

impl Scope {
    /// The scope of an address. A name in the DNS counts as public,
    /// but for `localhost`.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Self {
        if address.iter().any(|part| part == Protocol::P2pCircuit) {
            return Self::Relayed;
        }
        Self::of_reach(Reach::of(address))
    }

    /// The scope of an IP address.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        Self::of_reach(Reach::of_ip(ip))
    }

    fn of_reach(reach: Reach) -> Self {
        match reach {
            Reach::Public => Self::Public,
            Reach::Private => Self::Private,
            Reach::Nobody | Reach::Machine | Reach::Link | Reach::Example => Self::Local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for (text, scope) in [
            ("1.1.1.1", Scope::Public),
            ("100.63.255.255", Scope::Public),
            ("100.64.0.1", Scope::Private),
            ("10.0.0.1", Scope::Private),
            ("172.31.0.1", Scope::Private),
            ("192.168.0.1", Scope::Private),
            ("169.254.1.1", Scope::Local),
            ("0.0.0.0", Scope::Local),
            ("127.0.0.1", Scope::Local),
            ("255.255.255.255", Scope::Local),
            ("198.51.100.1", Scope::Local),
            ("2600::1", Scope::Public),
            ("fd00::1", Scope::Private),
            ("fe80::1", Scope::Local),
            ("::1", Scope::Local),
            ("2001:db8::1", Scope::Local),
            ("::ffff:10.0.0.1", Scope::Private),
            ("ff02::1", Scope::Local),
        ] {
            assert_eq!(Scope::of_ip(text.parse().unwrap()), scope, "{text}");
        }
    }

    #[test]
    fn a_relay_counts_more_than_its_place() {
        let peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
        let relayed = format!("/ip4/8.8.8.8/tcp/1/p2p/{peer}/p2p-circuit");
        assert_eq!(Scope::of(&relayed.parse().unwrap()), Scope::Relayed);
        assert_eq!(Scope::of(&"/dns4/example.org/tcp/1".parse().unwrap()), Scope::Public);
        assert_eq!(Scope::of(&"/memory/1".parse().unwrap()), Scope::Local);
    }
}
