//! Peers as users type them.

use peerage::{
    node::{Multiaddr, PeerId},
    session::Reaching,
};

use crate::failure::{Code, Failure};

/// A peer, and where it may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerTarget {
    /// Who it is.
    pub(crate) peer: PeerId,
    /// Where it may be, without the peer; empty when only the peer was given.
    pub(crate) addresses: Vec<Multiaddr>,
}

impl PeerTarget {
    /// Reads a peer id, or an address that ends in one, and more addresses.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or is of another peer.
    pub(crate) fn parse(peer: &str, more: &[String]) -> Result<Self, Failure> {
        let mut target = if peer.starts_with('/') {
            Self::of_address(peer)?
        } else {
            Self { peer: parse_peer(peer)?, addresses: Vec::new() }
        };
        for text in more {
            let (address, named) = split(text)?;
            if named.is_some_and(|named| named != target.peer) {
                return Err(Failure::new(
                    Code::BadTarget,
                    format!("{text} is an address of another peer than {}", target.peer),
                    "give addresses of one peer only",
                ));
            }
            target.addresses.push(address);
        }
        Ok(target)
    }

    /// How to reach it: at these addresses, and wherever any way finds it.
    pub(crate) fn reaching(&self) -> Reaching {
        Reaching::at(self.addresses.clone())
    }

    /// Reads an address that ends in `/p2p/PEER`.
    ///
    /// # Errors
    ///
    /// When it cannot be read or names no peer.
    pub(crate) fn of_address(text: &str) -> Result<Self, Failure> {
        let (address, peer) = split(text)?;
        let peer = peer.ok_or_else(|| {
            Failure::new(
                Code::BadTarget,
                format!("the address {text} does not say which peer is there"),
                "add /p2p/ and the peer's id at its end",
            )
        })?;
        let addresses = if address.is_empty() { Vec::new() } else { vec![address] };
        Ok(Self { peer, addresses })
    }
}

/// Reads a peer id.
///
/// # Errors
///
/// When it is not one.
pub(crate) fn parse_peer(text: &str) -> Result<PeerId, Failure> {
    peerage::identity::parse_peer_id(text).map_err(|error| Failure::of(Code::BadTarget, &error))
}

/// Reads an address to listen on.
///
/// # Errors
///
/// When it is not a multiaddress.
pub(crate) fn parse_address(text: &str) -> Result<Multiaddr, Failure> {
    text.parse().map_err(|error| {
        Failure::new(
            Code::BadTarget,
            format!("{text:?} is not an address: {error}"),
            "write it like /ip4/192.168.1.2/tcp/4001",
        )
    })
}

/// An address, and the peer at its end if there is one.
fn split(text: &str) -> Result<(Multiaddr, Option<PeerId>), Failure> {
    let mut address = parse_address(text)?;
    match address.iter().last() {
        Some(peerage::Protocol::P2p(peer)) => {
            address.pop();
            Ok((address, Some(peer)))
        }
        _ => Ok((address, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const OTHER: &str = "12D3KooWNu4NTsSxfRv5yRq2Y8Ch2rDSvS3DYtWMAqjWSYd1CpLx";

    #[test]
    fn peers_are_read_with_and_without_addresses() {
        let bare = PeerTarget::parse(PEER, &[]).unwrap();
        assert_eq!(bare.peer.to_string(), PEER);
        assert!(bare.addresses.is_empty());
        let address = format!("/ip4/10.0.0.1/tcp/4001/p2p/{PEER}");
        let full = PeerTarget::parse(&address, &["/ip4/10.0.0.2/tcp/1".into()]).unwrap();
        assert_eq!(full.peer, bare.peer);
        let addresses: Vec<_> = full.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["/ip4/10.0.0.1/tcp/4001", "/ip4/10.0.0.2/tcp/1"]);
    }

    #[test]
    fn what_is_no_peer_is_refused_with_a_reason() {
        let other = format!("/ip4/10.0.0.1/tcp/1/p2p/{OTHER}");
        for (peer, more) in [
            ("nonsense", vec![]),
            ("/ip4/10.0.0.1/tcp/4001", vec![]),
            ("/ip4/10.0.0.1000/tcp/4001", vec![]),
            (PEER, vec![other]),
        ] {
            let failure = PeerTarget::parse(peer, &more).unwrap_err();
            assert_eq!(failure.code, Code::BadTarget, "{peer}");
            assert!(failure.hint.is_some(), "{peer}");
        }
    }
}
