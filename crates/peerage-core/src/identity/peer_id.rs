//! Reading a peer id in each of the forms that the specification has.

use cid::Cid;
use libp2p_identity::PeerId;

use crate::{advice::Advice, limits::MAX_PEER_ID_TEXT_BYTES, text::for_terminal};

/// The multicodec of a libp2p public key: the codec of a peer id's CID.
const LIBP2P_KEY: u64 = 0x72;
const SHA2_256: u64 = 0x12;
/// How much of a wrong peer id an error message repeats, in columns.
const SHOWN_COLUMNS: usize = 64;

/// Why a text was not read as a peer id.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerIdError {
    /// Nothing was given.
    #[error("the peer id is empty")]
    Empty,
    /// The text is longer than any peer id.
    #[error("a peer id has at most {MAX_PEER_ID_TEXT_BYTES} characters, and this has {bytes}")]
    TooLong {
        /// The text's length in bytes.
        bytes: usize,
    },
    /// It is a CID, and names content.
    #[error("{text} names content, not a peer")]
    NamesContent {
        /// The text, made safe to show.
        text: String,
    },
    /// It is neither of the two forms; most often some of it is missing.
    #[error("{text} is not a peer id")]
    Malformed {
        /// The text, made safe to show.
        text: String,
    },
}

impl Advice for PeerIdError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("give one like 12D3KooW… or k51…"),
            Self::TooLong { .. } => Some("copy only the id"),
            Self::NamesContent { .. } => Some("give a peer id, like 12D3KooW… or k51…"),
            Self::Malformed { .. } => Some("copy it whole: it looks like 12D3KooW… or k51…"),
        }
    }
}

/// Reads a peer id in either form of the specification: the base58 multihash
/// (`12D3KooW…`, `16Uiu2…`, `Qm…`), or a CID of version 1 with the codec
/// `libp2p-key` in any base (`k51…`, `bafz…`).
///
/// ```
/// use peerage_core::identity::parse_peer_id;
///
/// let peer = parse_peer_id("k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe")?;
/// assert_eq!(peer.to_string(), "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq");
/// # Ok::<(), peerage_core::identity::PeerIdError>(())
/// ```
///
/// # Errors
///
/// When the text is empty, over [`MAX_PEER_ID_TEXT_BYTES`], the CID of
/// something else, or no peer id at all.
pub fn parse_peer_id(text: &str) -> Result<PeerId, PeerIdError> {
    if text.is_empty() {
        return Err(PeerIdError::Empty);
    }
    if text.len() > MAX_PEER_ID_TEXT_BYTES {
        return Err(PeerIdError::TooLong { bytes: text.len() });
    }
    let peer = if text.starts_with('1') || text.starts_with("Qm") {
        from_base58(text)
    } else {
        from_cid(text)?
    };
    peer.filter(is_well_formed).ok_or_else(|| PeerIdError::Malformed { text: shown(text) })
}

/// The CID form of a peer id, whose text in base 36 (`k51…`) serves where
/// upper and lower case are not kept apart, such as in host names.
#[must_use]
pub fn peer_id_to_cid(peer: &PeerId) -> Cid {
    Cid::new_v1(LIBP2P_KEY, *peer.as_ref())
}

fn from_base58(text: &str) -> Option<PeerId> {
    text.parse().ok()
}

fn from_cid(text: &str) -> Result<Option<PeerId>, PeerIdError> {
    // The CID parser skips anything before "/ipfs/".
    let Some(cid) = (!text.contains('/')).then(|| Cid::try_from(text).ok()).flatten() else {
        return Ok(None);
    };
    if cid.codec() != LIBP2P_KEY {
        return Err(PeerIdError::NamesContent { text: shown(text) });
    }
    Ok(PeerId::from_multihash(*cid.hash()).ok())
}

/// A hashed key's id carries a whole SHA-256 hash; an inlined key, the key.
fn is_well_formed(peer: &PeerId) -> bool {
    let multihash = peer.as_ref();
    let length = multihash.digest().len();
    if multihash.code() == SHA2_256 { length == 32 } else { length > 0 }
}

fn shown(text: &str) -> String {
    for_terminal(text, SHOWN_COLUMNS).into_owned()
}

#[cfg(test)]
mod tests {
    use cid::multibase::Base;
    use libp2p_identity::PublicKey;
    use proptest::prelude::*;

    use super::*;

    const ED25519: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

    #[test]
    fn reads_the_forms_of_the_specification() {
        // Examples from libp2p's specification of peer ids.
        let hashed = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
        for (text, base58) in [
            ("bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe", hashed),
            (hashed, hashed),
            (ED25519, ED25519),
        ] {
            assert_eq!(
                parse_peer_id(text).map(|peer| peer.to_string()),
                Ok(base58.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn reads_its_own_cid_form_in_any_base() {
        let peer = parse_peer_id(ED25519).expect("a peer id");
        for base in [Base::Base32Lower, Base::Base36Lower, Base::Base36Upper, Base::Base58Btc] {
            let text = peer_id_to_cid(&peer).to_string_of_base(base).expect("a base");
            assert_eq!(parse_peer_id(&text), Ok(peer), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        let content = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
        let malformed = |text: &str| PeerIdError::Malformed { text: text.into() };
        assert_eq!(parse_peer_id(""), Err(PeerIdError::Empty));
        assert_eq!(parse_peer_id(&"1".repeat(129)), Err(PeerIdError::TooLong { bytes: 129 }));
        assert_eq!(parse_peer_id(content), Err(PeerIdError::NamesContent { text: content.into() }));
        for text in [&ED25519[..40], "alice", "1", "Qm", "/ipfs/k51", "12D3KooW 0OIl", "z", "k"] {
            assert_eq!(parse_peer_id(text), Err(malformed(text)), "{text}");
        }
    }

    #[test]
    fn an_rsa_key_gives_the_id_that_others_compute() {
        let key = PublicKey::try_decode_protobuf(include_bytes!(
            "../../tests/vectors/identity/rsa-public-key.bin"
        ))
        .expect("an RSA public key");
        let id = include_str!("../../tests/vectors/identity/rsa-peer-id.txt").trim();
        assert_eq!(parse_peer_id(id), Ok(key.to_peer_id()));
        assert!(key.verify(
            include_bytes!("../../tests/vectors/identity/rsa-message.txt"),
            include_bytes!("../../tests/vectors/identity/rsa-signature.bin"),
        ));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,140}") {
            let _ = parse_peer_id(&text);
        }
    }
}
