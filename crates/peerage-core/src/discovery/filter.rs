//! Which addresses that somebody told of are worth dialling from here.
//!
//! A stranger's list may send a crowd to a victim, or into the private networks
//! of whoever reads it. So only what can be meant for us is dialled, and little
//! of it at one place.

use std::collections::HashMap;
use std::net::IpAddr;

use multiaddr::Multiaddr;

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_DIALLED_PER_HOST};
use crate::routing::address::{Family, Host, Place, Reach, dns_list, plain};

/// A network that one of our interfaces is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of an interface, by its address and the length of the
    /// network's prefix in bits; a longer one than the address has counts as
    /// the whole address.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix: prefix.min(bits) }
    }

    /// Whether an address is in this network.
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = u128::from(own.to_bits() ^ other.to_bits());
                differ >> (32 - self.prefix) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(u32::from(128 - self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether an address reaches all hosts of this network.
    fn is_broadcast(&self, other: IpAddr) -> bool {
        let IpAddr::V4(other) = other else { return false };
        let hosts = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        hosts > 1 && self.contains(other.into()) && other.to_bits() & hosts == hosts
    }
}

/// Where this machine is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    networks: Vec<Network>,
    loopback: bool,
}

impl Surroundings {
    /// The networks of our interfaces. Loopback addresses are worth dialling
    /// where there is no other network.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        let networks = networks.into_iter();
        let networks: Vec<_> = networks.filter(|it| !it.address.is_loopback()).collect();
        Self { loopback: networks.is_empty(), networks }
    }

    /// Also dials loopback addresses: what was found comes from this machine.
    #[must_use]
    pub fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// The addresses of one peer that are worth dialling, in their order: at
    /// most [`MAX_DIALLED_PER_HOST`] at one host and [`MAX_ADDRESSES_PER_PEER`]
    /// in all.
    ///
    /// ```
    /// use peerage_core::discovery::{Network, Surroundings};
    ///
    /// let here = Surroundings::new([Network::new("192.168.1.7".parse()?, 24)]);
    /// let told = ["/ip4/192.168.1.9/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/1"];
    /// let told = told.map(|text| text.parse().expect("an address"));
    /// assert_eq!(here.worth_dialling(&told), [told[0].clone(), told[2].clone()]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn worth_dialling(&self, addresses: &[Multiaddr]) -> Vec<Multiaddr> {
        let mut dialled: HashMap<Host, usize> = HashMap::new();
        let mut worth: Vec<Multiaddr> = Vec::new();
        for address in addresses {
            let Some(host) = self.host(address) else { continue };
            let here = dialled.entry(host).or_default();
            if *here < MAX_DIALLED_PER_HOST && !worth.contains(address) {
                *here += 1;
                worth.push(address.clone());
            }
        }
        worth.truncate(MAX_ADDRESSES_PER_PEER);
        worth
    }

    /// What tells the host of an address from others; nothing when it is not
    /// worth dialling.
    fn host(&self, address: &Multiaddr) -> Option<Host> {
        let host = match Place::try_from(address) {
            Ok(place) => place.host().plain(),
            Err(_) => Host::Name { name: dns_list(address)?, family: Family::Any },
        };
        let meant = match &host {
            Host::Ip(ip) => self.is_for_us(*ip),
            Host::Name { name, .. } => self.loopback || Reach::of_name(name) != Reach::Machine,
        };
        meant.then_some(host)
    }

    /// Whether an IP address can be meant for us: it is public, or in a network
    /// that one of our interfaces is in.
    #[must_use]
    pub fn is_worth_dialling(&self, ip: IpAddr) -> bool {
        self.is_for_us(plain(ip))
    }

    fn is_for_us(&self, ip: IpAddr) -> bool {
        let ours = |of: fn(&Network, IpAddr) -> bool| self.networks.iter().any(|it| of(it, ip));
        match Reach::of_ip(ip) {
            Reach::Machine => self.loopback,
            // Without its interface's name a link's address leads nowhere.
            Reach::Nobody | Reach::Link => false,
            _ if ours(Network::is_broadcast) => false,
            Reach::Private | Reach::Example => ours(Network::contains),
            Reach::Public => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_home() -> Surroundings {
        let networks = [("127.0.0.1", 8), ("192.168.1.7", 24), ("fd00:9::7", 64)];
        Surroundings::new(
            networks.map(|(address, prefix)| Network::new(address.parse().unwrap(), prefix)),
        )
    }

    fn parse(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn worth(surroundings: &Surroundings, text: &str) -> bool {
        !surroundings.worth_dialling(&[parse(text)]).is_empty()
    }

    #[test]
    fn public_addresses_names_and_our_own_networks_are_worth_it() {
        for text in [
            "/ip4/8.8.8.8/tcp/1",
            "/ip4/192.168.1.9/udp/1/quic-v1",
            "/ip6/2600::1/tcp/1",
            "/ip6/fd00:9::9/tcp/1",
            "/ip6/::ffff:8.8.8.8/tcp/1",
            "/dns4/hub.example.org/tcp/443/wss",
            "/dnsaddr/hub.example.org",
            "/ip4/8.8.8.8/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit",
        ] {
            assert!(worth(&at_home(), text), "{text}");
        }
    }

    #[test]
    fn what_is_not_meant_for_us_is_dropped() {
        for text in [
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/0.1.2.3/tcp/1",
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip4/192.168.2.9/tcp/1",
            "/ip4/192.168.1.255/tcp/1",
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/100.64.0.1/tcp/1",
            "/ip4/192.0.2.1/tcp/1",
            "/ip4/198.18.0.1/tcp/1",
            "/ip4/224.0.0.251/udp/1/quic-v1",
            "/ip4/255.255.255.255/udp/1/quic-v1",
            "/ip4/8.8.8.8/tcp/0",
            "/ip6/::/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/ff02::fb/udp/1/quic-v1",
            "/ip6/fd00:8::1/tcp/1",
            "/ip6/2001:db8::1/tcp/1",
            "/ip6/::ffff:10.0.0.1/tcp/1",
            "/ip6/64:ff9b::a00:1/tcp/1",
            "/dns4/localhost/tcp/1",
            "/dns/a.LOCALHOST./tcp/1",
            "/unix/tmp%2Fsocket",
            "/memory/1",
            "/ip4/8.8.8.8/tcp/1/ip4/127.0.0.1/tcp/22",
            "/ip4/8.8.8.8/tcp/1/tcp/22",
            "/dns4/hub.example.org/tcp/443/dns4/localhost/tcp/22",
            "/dnsaddr/hub.example.org/ip4/127.0.0.1/tcp/22",
            "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit",
            "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
        ] {
            assert!(!worth(&at_home(), text), "{text}");
        }
    }

    #[test]
    fn loopback_counts_where_there_is_nothing_else_or_when_asked_for() {
        let alone = Surroundings::new([Network::new("127.0.0.1".parse().unwrap(), 8)]);
        for text in ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/dns/localhost/tcp/1"] {
            assert!(worth(&alone, text), "{text}");
            assert!(worth(&at_home().with_loopback(), text), "{text}");
        }
    }

    #[test]
    fn nobody_is_made_to_dial_one_host_many_times() {
        let crowd = (1..100).map(|port| parse(&format!("/ip4/8.8.8.8/tcp/{port}")));
        let one: Vec<_> = crowd.collect();
        assert_eq!(at_home().worth_dialling(&one).len(), MAX_DIALLED_PER_HOST);
        let mapped = one.iter().cloned().chain([parse("/ip6/::ffff:8.8.8.8/tcp/200")]);
        let mapped: Vec<_> = mapped.collect();
        assert_eq!(at_home().worth_dialling(&mapped).len(), MAX_DIALLED_PER_HOST);
        let many: Vec<_> = (1..100).map(|n| parse(&format!("/ip4/8.8.8.{n}/tcp/1"))).collect();
        assert_eq!(at_home().worth_dialling(&many).len(), MAX_ADDRESSES_PER_PEER);
        assert_eq!(at_home().worth_dialling(&[one[0].clone(), one[0].clone()]).len(), 1);
    }

    #[test]
    fn networks_of_any_length_are_told_apart() {
        let contains = |network: &str, prefix, ip: &str| {
            Network::new(network.parse().unwrap(), prefix).contains(ip.parse().unwrap())
        };
        assert!(contains("10.0.0.1", 0, "8.8.8.8") && contains("::1", 0, "2600::1"));
        assert!(contains("10.0.0.1", 32, "10.0.0.1") && !contains("10.0.0.1", 32, "10.0.0.2"));
        assert!(contains("fd00::1", 128, "fd00::1") && !contains("fd00::1", 127, "fd00::2"));
        assert!(contains("10.0.0.1", 200, "10.0.0.1") && !contains("10.0.0.1", 8, "::1"));
    }

    #[test]
    fn two_at_the_ends_of_a_cable_have_no_broadcast_address() {
        let here = Surroundings::new([Network::new("10.0.0.0".parse().unwrap(), 31)]);
        assert!(worth(&here, "/ip4/10.0.0.1/tcp/1"));
    }
}
