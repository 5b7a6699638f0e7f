//! What this host is attached to: its network interfaces, and the networks
//! around it.

use std::{collections::BTreeSet, io};

use if_addrs::{IfAddr, Interface};
use peerage_core::discovery::{Network, Surroundings};

/// The network interfaces that discovery uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interfaces {
    /// Every interface that is up, except loopback.
    #[default]
    Network,
    /// The interfaces of these names alone, as the system calls them: `eth0`,
    /// `wlan0`. With the loopback interface's name (`lo` on Linux), several
    /// nodes on one machine without a network find each other.
    Named(BTreeSet<String>),
}

impl Interfaces {
    pub(crate) fn include(&self, interface: &Interface) -> bool {
        match self {
            Self::Network => !interface.is_loopback(),
            Self::Named(names) => names.contains(&interface.name),
        }
    }

    /// Whether addresses of this machine alone are worth announcing and
    /// keeping.
    pub(crate) fn include_loopback(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    /// The names of those that are up and have an address now.
    pub(crate) fn usable(&self) -> io::Result<BTreeSet<String>> {
        let present = if_addrs::get_if_addrs()?.into_iter();
        let usable = present.filter(|interface| interface.is_oper_up() && self.include(interface));
        Ok(usable.map(|interface| interface.name).collect())
    }
}

/// The networks that this machine is in now: what decides which addresses of
/// others are worth dialling from here.
///
/// # Errors
///
/// When the system does not list its interfaces.
pub fn surroundings() -> io::Result<Surroundings> {
    let present = if_addrs::get_if_addrs()?.into_iter();
    let networks = present.filter(Interface::is_oper_up).map(|interface| {
        let prefix = match &interface.addr {
            IfAddr::V4(address) => address.prefixlen,
            IfAddr::V6(address) => address.prefixlen,
        };
        Network::new(interface.ip(), prefix)
    });
    Ok(Surroundings::new(networks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_takes_part_only_when_named() {
        let all = if_addrs::get_if_addrs().unwrap();
        let loopback = all.iter().find(|interface| interface.is_loopback()).unwrap();

        assert!(!Interfaces::Network.include(loopback));
        assert!(Interfaces::Named([loopback.name.clone()].into()).include(loopback));
        assert!(!Interfaces::Named(["none".to_owned()].into()).include(loopback));
    }

    #[test]
    fn our_own_addresses_are_in_our_surroundings() {
        let here = surroundings().unwrap();
        let own = if_addrs::get_if_addrs().unwrap().into_iter();
        for own in own.filter(|own| own.is_oper_up() && !own.is_link_local()) {
            let address: libp2p::Multiaddr = own.ip().into();
            let address = address.with(libp2p::multiaddr::Protocol::Tcp(1));
            let loopback = here.clone().with_loopback();
            assert_eq!(loopback.worth_dialling(std::slice::from_ref(&address)), [address]);
        }
    }
}
