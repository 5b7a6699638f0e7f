//! Value records: a key that names a peer, and the peer's own word for where
//! it is.

use libp2p_identity::PeerId;

use crate::discovery::{RecordError, SignedPeerRecord};

/// What the keys of peer records begin with; the bytes of a peer id follow.
const NAMESPACE: &[u8] = b"/peerage/peer/";

/// The key that a peer's record is kept under.
///
/// ```
/// use peerage_core::topology::kademlia::{check_record, record_key};
/// use peerage_core::discovery::SignedPeerRecord;
/// # let key = libp2p_identity::Keypair::ed25519_from_bytes([1; 32])?;
///
/// let record = SignedPeerRecord::sign(&key, 1, Vec::new())?;
/// let own = record_key(&record.peer());
/// assert!(check_record(&own, &record.encode(), None).is_ok());
/// let others = record_key(&"12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?);
/// assert!(check_record(&others, &record.encode(), None).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn record_key(peer: &PeerId) -> Vec<u8> {
    [NAMESPACE, &peer.to_bytes()].concat()
}

/// Why a record is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordRefusal {
    /// The key is not that of a peer's record.
    #[error("the key names no peer")]
    Key,
    /// The record is damaged, too large, or its signature is not the peer's.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The record speaks of another peer than its key.
    #[error("the key names {named}, and the record is {signer}'s")]
    Foreign {
        /// Whom the key names.
        named: PeerId,
        /// Who signed the record.
        signer: PeerId,
    },
    /// A newer one is known.
    #[error("record {offered} is older than {stored}, which is known")]
    Stale {
        /// The number of the known one.
        stored: u64,
        /// The number of the one that is refused.
        offered: u64,
    },
}

/// A good record, beside the one that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It replaces what is stored, if anything is.
    Newer(SignedPeerRecord),
    /// It has the number of the one that is stored.
    Same(SignedPeerRecord),
}

/// Judges a record that somebody offers under a key. `stored` is what is kept
/// under that key now.
///
/// # Errors
///
/// When the key or the record is bad, or they do not belong together, or the
/// stored one is newer.
pub fn check_record(
    key: &[u8],
    value: &[u8],
    stored: Option<&[u8]>,
) -> Result<Offer, RecordRefusal> {
    let named = key.strip_prefix(NAMESPACE).ok_or(RecordRefusal::Key)?;
    let named = PeerId::from_bytes(named).map_err(|_| RecordRefusal::Key)?;
    let record = SignedPeerRecord::decode(value)?;
    let signer = record.peer();
    if signer != named {
        return Err(RecordRefusal::Foreign { named, signer });
    }
    let stored = stored.and_then(|bytes| SignedPeerRecord::decode(bytes).ok());
    let Some(stored) = stored.map(|record| record.sequence()) else {
        return Ok(Offer::Newer(record));
    };
    match record.sequence() {
        offered if offered < stored => Err(RecordRefusal::Stale { stored, offered }),
        offered if offered == stored => Ok(Offer::Same(record)),
        _ => Ok(Offer::Newer(record)),
    }
}

#[cfg(test)]
mod tests {
    use libp2p_identity::Keypair;

    use super::*;

    fn record(secret: u8, sequence: u64) -> SignedPeerRecord {
        let key = Keypair::ed25519_from_bytes([secret; 32]).unwrap();
        SignedPeerRecord::sign(&key, sequence, Vec::new()).unwrap()
    }

    #[test]
    fn the_newer_replaces_the_older_and_never_the_other_way_round() {
        let (old, new) = (record(1, 1), record(1, 2));
        let key = record_key(&old.peer());
        let (old_bytes, new_bytes) = (old.encode(), new.encode());
        let check = |value: &[u8], stored| check_record(&key, value, stored);
        assert_eq!(check(&old_bytes, None).unwrap(), Offer::Newer(old));
        assert_eq!(check(&new_bytes, Some(&old_bytes)).unwrap(), Offer::Newer(new.clone()));
        assert_eq!(check(&new_bytes, Some(&new_bytes)).unwrap(), Offer::Same(new));
        let stale = check(&old_bytes, Some(&new_bytes));
        assert!(matches!(stale, Err(RecordRefusal::Stale { stored: 2, offered: 1 })));
    }

    #[test]
    fn a_record_under_anothers_name_is_refused() {
        let (ours, theirs) = (record(1, 1), record(2, 1));
        let refused = check_record(&record_key(&ours.peer()), &theirs.encode(), None);
        assert!(matches!(refused, Err(RecordRefusal::Foreign { .. })));
    }

    #[test]
    fn keys_of_other_kinds_and_damaged_records_are_refused() {
        let record = record(1, 1);
        for key in [&b"/pk/x"[..], b"", b"/peerage/peer/", b"/peerage/peer/nobody"] {
            let refused = check_record(key, &record.encode(), None);
            assert!(matches!(refused, Err(RecordRefusal::Key)), "{key:?}");
        }
        let mut forged = record.encode();
        *forged.last_mut().unwrap() ^= 1;
        let refused = check_record(&record_key(&record.peer()), &forged, None);
        assert!(matches!(refused, Err(RecordRefusal::Record(_))));
    }
}
