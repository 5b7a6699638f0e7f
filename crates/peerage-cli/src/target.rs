//! Peers as users type them.

use peerage::{
    node::{Multiaddr, PeerId},
    routing::{PeerAddresses, peer_suffix, without_peer},
    session::Reaching,
};

use crate::failure::{Code, Failure};

/// Reads a peer id, or an address that ends in one, and more addresses.
///
/// # Errors
///
/// When one of them cannot be read, or is of another peer.
pub(crate) fn parse_target(peer: &str, more: &[String]) -> Result<PeerAddresses, Failure> {
    let mut target = match peer.starts_with('/') {
        true => parse_place(peer)?,
        false => PeerAddresses::unknown(parse_peer(peer)?),
    };
    for text in more {
        let address = parse_address(text)?;
        if peer_suffix(&address).is_some_and(|named| named != target.peer) {
            return Err(Failure::new(
                Code::BadTarget,
                format!("{text} is an address of another peer than {}", target.peer),
                "give addresses of one peer only",
            ));
        }
        let place = without_peer(&address);
        target.addresses.extend((!place.is_empty()).then_some(place));
    }
    Ok(target)
}

/// Reads an address that ends in `/p2p/PEER`.
///
/// # Errors
///
/// When it cannot be read or names no peer.
pub(crate) fn parse_place(text: &str) -> Result<PeerAddresses, Failure> {
    PeerAddresses::of(&parse_address(text)?).ok_or_else(|| {
        Failure::new(
            Code::BadTarget,
            format!("the address {text} does not say which peer is there"),
            "add /p2p/ and the peer's id at its end",
        )
    })
}

/// How to reach a peer: at these addresses, and wherever any way finds it.
pub(crate) fn reaching(target: &PeerAddresses) -> Reaching {
    Reaching::at(target.addresses.clone())
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

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const OTHER: &str = "12D3KooWNu4NTsSxfRv5yRq2Y8Ch2rDSvS3DYtWMAqjWSYd1CpLx";

    #[test]
    fn peers_are_read_with_and_without_addresses() {
        let bare = parse_target(PEER, &[]).unwrap();
        assert_eq!(bare.peer.to_string(), PEER);
        assert!(bare.addresses.is_empty());
        let address = format!("/ip4/10.0.0.1/tcp/4001/p2p/{PEER}");
        let full = parse_target(&address, &["/ip4/10.0.0.2/tcp/1".into()]).unwrap();
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
            let failure = parse_target(peer, &more).unwrap_err();
            assert_eq!(failure.code, Code::BadTarget, "{peer}");
            assert!(failure.hint.is_some(), "{peer}");
        }
    }
}
