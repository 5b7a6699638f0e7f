//! For whom an IP address means the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use multiaddr::Multiaddr;

use super::{Place, dns_list};

/// From how far away an IP address means the same host; from the nearest to the
/// farthest.
///
/// After IANA's registries of special-purpose addresses
/// ([RFC 6890](https://www.rfc-editor.org/rfc/rfc6890)). An IPv4 address that
/// IPv6 carries ([RFC 4291, section 2.5.5.2]; [RFC 6052]) counts as what it is.
///
/// [RFC 4291, section 2.5.5.2]: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
/// [RFC 6052]: https://www.rfc-editor.org/rfc/rfc6052
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// No single host's: unspecified, multicast, broadcast, reserved.
    Nobody,
    /// Another host on each machine: loopback.
    Machine,
    /// Another host on each link.
    Link,
    /// In examples and trials only: documentation, benchmarks.
    Example,
    /// Another host in each private network, or behind each provider's NAT.
    Private,
    /// The same host for everybody.
    Public,
}

impl Reach {
    /// The reach of the host of a [`Place`], or of a list of them in the DNS;
    /// nobody's for any other address. A name counts as public, but for
    /// `localhost`: what it stands for is known only when it is dialled.
    ///
    /// ```
    /// use peerage_core::routing::address::Reach;
    ///
    /// assert_eq!(Reach::of(&"/ip4/192.168.1.7/tcp/1".parse()?), Reach::Private);
    /// assert_eq!(Reach::of(&"/dns/example.com/tcp/1".parse()?), Reach::Public);
    /// # Ok::<(), multiaddr::Error>(())
    /// ```
    #[must_use]
    pub fn of(address: &Multiaddr) -> Self {
        match (Place::try_from(address), dns_list(address)) {
            (Ok(place), _) => place.host().reach(),
            (_, Some(name)) => Self::of_name(&name),
            _ => Self::Nobody,
        }
    }

    /// The reach of an IP address.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        match plain(ip) {
            IpAddr::V4(ip) => of_ipv4(ip),
            IpAddr::V6(ip) => of_ipv6(ip),
        }
    }

    /// The reach of a name: `localhost` and what is below it is this machine
    /// ([RFC 6761, section 6.3](https://www.rfc-editor.org/rfc/rfc6761#section-6.3)).
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let name = name.trim_end_matches('.');
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.eq_ignore_ascii_case("localhost") { Self::Machine } else { Self::Public }
    }
}

/// The address that another one carries or translates to, else itself.
#[must_use]
pub fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let translated = six.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    match six.to_ipv4_mapped() {
        Some(inner) => inner.into(),
        None if translated => {
            let [.., a, b, c, d] = six.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        None => ip,
    }
}

fn of_ipv4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        [0 | 224..=255, ..] => Reach::Nobody,
        [127, ..] => Reach::Machine,
        [169, 254, ..] => Reach::Link,
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18 | 19, ..] => {
            Reach::Example
        }
        // Between a provider and its customers (RFC 6598).
        [100, 64..=127, ..] => Reach::Private,
        _ if ip.is_private() => Reach::Private,
        _ => Reach::Public,
    }
}

fn of_ipv6(ip: Ipv6Addr) -> Reach {
    match ip.segments() {
        _ if ip.is_loopback() => Reach::Machine,
        _ if ip.is_multicast() => Reach::Nobody,
        [0xfe80..=0xfebf, ..] => Reach::Link,
        // Private once (RFC 3879), and private now.
        [0xfec0..=0xfeff | 0xfc00..=0xfdff, ..] => Reach::Private,
        [0x2001, 0xdb8, ..] | [0x3ff0..=0x3fff, ..] => Reach::Example,
        // All that is given out so far.
        [0x2000..=0x3fef, ..] => Reach::Public,
        _ => Reach::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_reach() {
        for (text, reach) in [
            ("0.0.0.0", Reach::Nobody),
            ("0.1.2.3", Reach::Nobody),
            ("255.255.255.255", Reach::Nobody),
            ("224.0.0.251", Reach::Nobody),
            ("::", Reach::Nobody),
            ("ff02::fb", Reach::Nobody),
            ("100::1", Reach::Nobody),
            ("64:ff9b:1::1", Reach::Nobody),
            ("4000::1", Reach::Nobody),
            ("127.9.9.9", Reach::Machine),
            ("::1", Reach::Machine),
            ("::ffff:127.0.0.1", Reach::Machine),
            ("169.254.1.1", Reach::Link),
            ("fe80::1", Reach::Link),
            ("192.0.2.1", Reach::Example),
            ("198.18.0.1", Reach::Example),
            ("2001:db8::1", Reach::Example),
            ("10.0.0.1", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("192.168.0.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("fec0::1", Reach::Private),
            ("::ffff:10.0.0.1", Reach::Private),
            ("64:ff9b::a00:1", Reach::Private),
            ("1.1.1.1", Reach::Public),
            ("100.63.255.255", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("192.88.99.1", Reach::Public),
            ("2600::1", Reach::Public),
            ("64:ff9b::808:808", Reach::Public),
        ] {
            assert_eq!(Reach::of_ip(text.parse().unwrap()), reach, "{text}");
        }
    }

    #[test]
    fn names_are_public_but_for_this_machine() {
        for (name, reach) in [
            ("localhost", Reach::Machine),
            ("a.LOCALHOST.", Reach::Machine),
            ("localhost.example", Reach::Public),
            ("notlocalhost", Reach::Public),
        ] {
            assert_eq!(Reach::of_name(name), reach, "{name}");
        }
    }
}
