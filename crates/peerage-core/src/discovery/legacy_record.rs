//! Signed peer records in the form that rust-libp2p had first: the same
//! payload, signed for another domain and under another payload type. Its
//! rendezvous clients and servers read no other.

use libp2p_core::{PeerRecord, SignedEnvelope};
use libp2p_identity::{Keypair, PeerId};
use multiaddr::Multiaddr;

use super::record::payload;
use super::{RecordError, SignedPeerRecord};
use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_PEER_RECORD_BYTES};

const DOMAIN: &str = "libp2p-routing-state";
const PAYLOAD_TYPE: &[u8] = b"/libp2p/routing-state-record";

/// As [`SignedPeerRecord`], in the form that rust-libp2p had first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyPeerRecord(PeerRecord);

impl LegacyPeerRecord {
    /// Says the same as `record` in this form.
    ///
    /// # Errors
    ///
    /// When the key cannot sign, or is not the key of the record's peer.
    pub fn sign(key: &Keypair, record: &SignedPeerRecord) -> Result<Self, RecordError> {
        let payload = payload(&record.peer(), record.sequence(), record.addresses());
        let envelope = SignedEnvelope::new(key, DOMAIN.to_owned(), PAYLOAD_TYPE.to_vec(), payload);
        Self::open(envelope.map_err(|error| RecordError::Signing(error.to_string()))?)
    }

    /// Reads a record and checks its signature.
    ///
    /// # Errors
    ///
    /// When it is too large, damaged, or signed by another than it speaks of.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_PEER_RECORD_BYTES {
            return Err(RecordError::TooLarge(bytes.len()));
        }
        let envelope = SignedEnvelope::from_protobuf_encoding(bytes)
            .map_err(|error| RecordError::Invalid(error.to_string()))?;
        Self::open(envelope)
    }

    fn open(envelope: SignedEnvelope) -> Result<Self, RecordError> {
        let record = PeerRecord::from_signed_envelope(envelope)
            .map_err(|error| RecordError::Invalid(error.to_string()))?;
        match record.addresses().len() {
            many if many > MAX_ADDRESSES_PER_PEER => Err(RecordError::TooMany(many)),
            _ => Ok(Self(record)),
        }
    }

    /// The bytes of the envelope.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.to_signed_envelope().into_protobuf_encoding()
    }

    /// Whose record it is; proven.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.0.peer_id()
    }

    /// Its number among the peer's records of this form.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.0.seq()
    }

    /// Where the peer says that it is.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        self.0.addresses()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same_and_neither_is_read_as_the_other() {
        let key = Keypair::ed25519_from_bytes([1; 32]).unwrap();
        let address = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let record = SignedPeerRecord::sign(&key, 9, vec![address]).unwrap();
        let legacy = LegacyPeerRecord::sign(&key, &record).unwrap();
        assert_eq!((legacy.peer(), legacy.sequence()), (record.peer(), 9));
        assert_eq!(legacy.addresses(), record.addresses());

        assert!(LegacyPeerRecord::decode(&legacy.encode()).is_ok());
        assert!(SignedPeerRecord::decode(&legacy.encode()).is_err());
        assert!(LegacyPeerRecord::decode(&record.encode()).is_err());
    }

    #[test]
    fn it_is_rust_libp2ps() {
        let key = Keypair::ed25519_from_bytes([1; 32]).unwrap();
        let theirs = PeerRecord::new(&key, Vec::new()).unwrap();
        let bytes = theirs.into_signed_envelope().into_protobuf_encoding();
        assert!(LegacyPeerRecord::decode(&bytes).is_ok());

        let other = Keypair::ed25519_from_bytes([2; 32]).unwrap();
        let record = SignedPeerRecord::sign(&other, 1, Vec::new()).unwrap();
        assert!(LegacyPeerRecord::sign(&key, &record).is_err(), "another one's record");
    }
}
