//! Which addresses mean anything on a network.

use std::net::IpAddr;

use multiaddr::{Multiaddr, Protocol};

use crate::routing::address::{Host, Place, Reach, dns_list};

/// How far a network reaches, and so which addresses its peers may name. An
/// address from outside it would make us dial somebody who has nothing to do
/// with it: a machine in our own home, say, for a stranger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressScope {
    /// The internet: public addresses alone.
    Internet,
    /// A network that has private addresses too, as homes and offices do.
    #[default]
    Private,
    /// This machine, for tests and trials: loopback and memory addresses too.
    Machine,
}

impl AddressScope {
    /// Whether an address means anything on such a network. A relayed address
    /// is judged by its relay. Names are passed: what they stand for is known
    /// only when they are dialled.
    ///
    /// ```
    /// use peerage_core::topology::kademlia::AddressScope;
    ///
    /// let home = "/ip4/192.168.1.7/tcp/4001".parse()?;
    /// assert!(AddressScope::Private.admits(&home));
    /// assert!(!AddressScope::Internet.admits(&home));
    /// # Ok::<(), multiaddr::Error>(())
    /// ```
    #[must_use]
    pub fn admits(self, address: &Multiaddr) -> bool {
        if matches!(address.iter().next(), Some(Protocol::Memory(_))) {
            return self == Self::Machine;
        }
        match Place::try_from(address).as_ref().map(Place::host) {
            Ok(Host::Ip(ip)) => self.admits_ip(*ip),
            Ok(Host::Name { name, .. }) => self.admits_name(name),
            Err(_) => dns_list(address).is_some_and(|name| self.admits_name(&name)),
        }
    }

    fn admits_ip(self, ip: IpAddr) -> bool {
        Self::of(ip).is_some_and(|scope| scope <= self)
    }

    fn admits_name(self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let scope = match name.rsplit('.').next() {
            Some("localhost") => Self::Machine,
            Some("local" | "internal" | "lan") => Self::Private,
            _ => Self::Internet,
        };
        scope <= self
    }

    /// The smallest scope that an address belongs to; `None` where it is no
    /// address of one host, or means nothing without its interface.
    #[must_use]
    pub fn of(ip: IpAddr) -> Option<Self> {
        match Reach::of_ip(ip) {
            Reach::Nobody | Reach::Link => None,
            Reach::Machine => Some(Self::Machine),
            Reach::Private => Some(Self::Private),
            // Examples serve as an internet in trials.
            Reach::Example | Reach::Public => Some(Self::Internet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_belongs_to_its_scope() {
        use AddressScope::{Internet, Machine, Private};
        let table = [
            ("/ip4/1.2.3.4/tcp/1", Some(Internet)),
            ("/ip6/2001:db8::1/udp/1/quic-v1", Some(Internet)),
            ("/dns4/example.org/tcp/443/wss", Some(Internet)),
            ("/ip4/10.1.2.3/tcp/1", Some(Private)),
            ("/ip4/100.64.0.1/tcp/1", Some(Private)),
            ("/ip4/100.128.0.1/tcp/1", Some(Internet)),
            ("/ip6/fd00::1/tcp/1", Some(Private)),
            ("/ip6/::ffff:10.0.0.1/tcp/1", Some(Private)),
            ("/dns/printer.local/tcp/1", Some(Private)),
            ("/ip4/127.0.0.1/tcp/1", Some(Machine)),
            ("/ip6/::1/tcp/1", Some(Machine)),
            ("/ip6/::ffff:127.0.0.1/tcp/1", Some(Machine)),
            ("/dns/localhost./tcp/1", Some(Machine)),
            ("/memory/7", Some(Machine)),
            ("/ip4/0.0.0.0/tcp/1", None),
            ("/ip4/224.0.0.251/udp/5353/quic-v1", None),
            ("/ip4/255.255.255.255/tcp/1", None),
            ("/ip4/169.254.169.254/tcp/80", None),
            ("/ip6/fe80::1/tcp/1", None),
            ("/ip6/ff02::fb/tcp/1", None),
            ("/unix/socket", None),
        ];
        for (text, expected) in table {
            let address: Multiaddr = text.parse().unwrap();
            let smallest = [Internet, Private, Machine].into_iter().find(|s| s.admits(&address));
            assert_eq!(smallest, expected, "{text}");
        }
    }
}
