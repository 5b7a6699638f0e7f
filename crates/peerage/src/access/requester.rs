//! Who asks.

use std::{fmt, net::IpAddr};

use libp2p::PeerId;

/// Who asks for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Requester {
    /// A peer that has proved its id: the connection is encrypted to its key.
    Peer(PeerId),
    /// Whoever uses this machine: its user's own commands, and plain HTTP from
    /// this machine to this machine.
    ///
    /// The latter is no proof of a user: other users of the machine and all
    /// their programs count, and so does everybody behind a proxy or a forwarded
    /// port that ends here.
    Machine,
    /// Whoever sends plain HTTP from this address. Nobody has proved
    /// anything, others see and may change what is said, and an address may
    /// stand for a whole household or be somebody else's tomorrow.
    Anonymous(IpAddr),
}

impl Requester {
    /// Who speaks without a proof from this address.
    ///
    /// ```
    /// use peerage::access::Requester;
    ///
    /// assert_eq!(Requester::at("127.0.0.1".parse()?), Requester::Machine);
    /// assert_eq!(Requester::at("::ffff:127.0.0.1".parse()?), Requester::Machine);
    /// let neighbour = "192.168.1.7".parse()?;
    /// assert_eq!(Requester::at(neighbour), Requester::Anonymous(neighbour));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Machine,
            address => Self::Anonymous(address),
        }
    }

    /// The peer, if it is one.
    #[must_use]
    pub const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Peer(peer) => Some(*peer),
            Self::Machine | Self::Anonymous(_) => None,
        }
    }
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => write!(f, "{peer}"),
            Self::Machine => f.write_str("somebody on this machine"),
            Self::Anonymous(address) => write!(f, "somebody at {address}"),
        }
    }
}
