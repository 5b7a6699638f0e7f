//! Signed peer records: a list of addresses that nobody but the owner of the
//! key can write ([RFC 3], in an envelope of [RFC 2] of libp2p).
//!
//! [RFC 2]: https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md
//! [RFC 3]: https://github.com/libp2p/specs/blob/master/RFC/0003-routing-records.md

use libp2p_core::{PeerRecord, SignedEnvelope};
use libp2p_identity::{Keypair, PeerId};
use multiaddr::Multiaddr;
use prost::Message;

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_PEER_RECORD_BYTES};

/// What is signed for, and the code of a peer record among multicodecs.
const DOMAIN: &str = "libp2p-peer-record";
const PAYLOAD_TYPE: [u8; 2] = [0x03, 0x01];

/// Where a peer says that it is: signed by itself, and numbered, so that of two
/// the newer is known.
///
/// ```
/// use peerage_core::discovery::SignedPeerRecord;
/// # let key = libp2p_identity::Keypair::ed25519_from_bytes([1; 32])?;
///
/// let address = "/ip4/192.0.2.1/tcp/4001".parse()?;
/// let record = SignedPeerRecord::sign(&key, 7, vec![address])?;
/// let read = SignedPeerRecord::decode(&record.encode())?;
/// assert_eq!(read.peer(), key.public().to_peer_id());
/// assert_eq!((read.sequence(), read.addresses().len()), (7, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPeerRecord(Box<PeerRecord>);

/// Why bytes are no signed peer record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// More than [`MAX_PEER_RECORD_BYTES`].
    #[error("a peer record of {0} bytes is over the limit of {MAX_PEER_RECORD_BYTES}")]
    TooLarge(usize),
    /// More than [`MAX_ADDRESSES_PER_PEER`].
    #[error("a peer record of {0} addresses is over the limit of {MAX_ADDRESSES_PER_PEER}")]
    TooMany(usize),
    /// Not an envelope, or its signature is not the peer's.
    #[error("the peer record is damaged or forged: {0}")]
    Invalid(String),
    /// The key refused to sign.
    #[error("this key cannot sign: {0}")]
    Signing(String),
}

#[derive(Message)]
struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    peer: Vec<u8>,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(message, repeated, tag = "3")]
    addresses: Vec<Address>,
}

#[derive(Message)]
struct Address {
    #[prost(bytes = "vec", tag = "1")]
    multiaddr: Vec<u8>,
}

/// What is signed.
pub(super) fn payload(peer: &PeerId, sequence: u64, addresses: &[Multiaddr]) -> Vec<u8> {
    let addresses = addresses.iter().map(|a| Address { multiaddr: a.to_vec() }).collect();
    Payload { peer: peer.to_bytes(), sequence, addresses }.encode_to_vec()
}

impl SignedPeerRecord {
    /// Signs where the key's owner is. `sequence` must grow from one record to
    /// the next; the time in milliseconds does. Addresses beyond
    /// [`MAX_ADDRESSES_PER_PEER`] are left out.
    ///
    /// # Errors
    ///
    /// When the key cannot sign.
    pub fn sign(
        key: &Keypair,
        sequence: u64,
        mut addresses: Vec<Multiaddr>,
    ) -> Result<Self, RecordError> {
        addresses.truncate(MAX_ADDRESSES_PER_PEER);
        let payload = payload(&key.public().to_peer_id(), sequence, &addresses);
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
        let record = PeerRecord::from_signed_envelope_interop(envelope)
            .map_err(|error| RecordError::Invalid(error.to_string()))?;
        match record.addresses().len() {
            many if many > MAX_ADDRESSES_PER_PEER => Err(RecordError::TooMany(many)),
            _ => Ok(Self(Box::new(record))),
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

    /// Its number among the peer's records.
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

    fn key(secret: u8) -> Keypair {
        Keypair::ed25519_from_bytes([secret; 32]).unwrap()
    }

    fn record(sequence: u64) -> SignedPeerRecord {
        let key = key(1);
        let address = "/ip4/192.0.2.1/udp/1/quic-v1".parse().unwrap();
        SignedPeerRecord::sign(&key, sequence, vec![address]).unwrap()
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let bytes = record(1).encode();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(SignedPeerRecord::decode(&changed).is_err(), "byte {place}");
        }
    }

    #[test]
    fn another_ones_addresses_cannot_be_signed() {
        let (own, other) = (key(1), key(2));
        let payload = Payload {
            peer: other.public().to_peer_id().to_bytes(),
            sequence: 1,
            addresses: Vec::new(),
        };
        let envelope = SignedEnvelope::new(
            &own,
            DOMAIN.to_owned(),
            PAYLOAD_TYPE.to_vec(),
            payload.encode_to_vec(),
        );
        let bytes = envelope.unwrap().into_protobuf_encoding();
        assert!(matches!(SignedPeerRecord::decode(&bytes), Err(RecordError::Invalid(_))));
    }

    #[test]
    fn too_large_a_record_is_not_even_read() {
        let bytes = vec![0; MAX_PEER_RECORD_BYTES + 1];
        assert!(matches!(SignedPeerRecord::decode(&bytes), Err(RecordError::TooLarge(_))));
    }
}
