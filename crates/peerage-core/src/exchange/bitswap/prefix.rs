//! How a block is named on its way: everything of its CID but the hash.

use bytes::Bytes;
use cid::multihash::Multihash;

use crate::{
    advice::Advice,
    data::{Block, Cid, HashKind, VerifyError, codec},
    varint,
};

const IDENTITY: u64 = 0;

/// A CID without its digest: version, codec, hash function and digest length.
///
/// Whoever receives a block with a prefix hashes the bytes to learn the CID, so
/// a sender cannot pass bytes off under another name.
///
/// ```
/// use bytes::Bytes;
/// use peerage_core::{
///     data::{Block, HashKind, codec},
///     exchange::bitswap::Prefix,
/// };
///
/// let sent = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"dawn"));
/// let prefix = Prefix::of(sent.cid()).to_bytes();
/// let received = Prefix::from_bytes(&prefix)?.block(Bytes::from_static(b"dawn"))?;
/// assert_eq!(received, sent);
/// # Ok::<(), peerage_core::exchange::bitswap::PrefixError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    version: u64,
    codec: u64,
    hash: u64,
    digest_bytes: u64,
}

/// Why a block and its prefix were not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrefixError {
    /// The prefix is not four varints, or names no possible CID.
    #[error("a block came with a prefix that no CID has")]
    Malformed,
    /// The hash function, or its digest length, is not one that we compute.
    #[error(
        "a block came with hash function {hash:#x} and a digest of {digest_bytes} bytes, and only whole SHA-256, BLAKE3 and short identity hashes are read"
    )]
    UnknownHash {
        /// The multihash code.
        hash: u64,
        /// The digest's length in bytes.
        digest_bytes: u64,
    },
    /// The block is larger than any peer should send.
    #[error(transparent)]
    Block(#[from] VerifyError),
}

impl Advice for PrefixError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Malformed | Self::UnknownHash { .. } => Some("ask another peer"),
            Self::Block(error) => error.hint(),
        }
    }
}

impl Prefix {
    /// The prefix of the only CIDs that bitswap 1.0.0 knows: version 0.
    pub const V0: Self = Self { version: 0, codec: codec::DAG_PB, hash: 0x12, digest_bytes: 32 };

    /// The prefix of a CID.
    #[must_use]
    pub fn of(cid: &Cid) -> Self {
        Self {
            version: cid.version().into(),
            codec: cid.codec(),
            hash: cid.hash().code(),
            digest_bytes: cid.hash().size().into(),
        }
    }

    /// Reads a prefix: four varints and nothing after them.
    ///
    /// # Errors
    ///
    /// [`PrefixError::Malformed`] when the bytes are anything else, or the
    /// version is not 0 or 1, or it is 0 with another codec or hash than
    /// version 0 has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PrefixError> {
        let mut fields = [0; 4];
        let mut rest = bytes;
        for field in &mut fields {
            (*field, rest) = varint::read(rest).map_err(|_| PrefixError::Malformed)?;
        }
        let [version, codec, hash, digest_bytes] = fields;
        let prefix = Self { version, codec, hash, digest_bytes };
        let possible = version == 1 || prefix == Self::V0;
        if rest.is_empty() && possible { Ok(prefix) } else { Err(PrefixError::Malformed) }
    }

    /// The prefix as it goes over the wire.
    #[must_use]
    pub fn to_bytes(self) -> Bytes {
        let mut bytes = Vec::with_capacity(8);
        for field in [self.version, self.codec, self.hash, self.digest_bytes] {
            let mut buffer = unsigned_varint::encode::u64_buffer();
            bytes.extend_from_slice(unsigned_varint::encode::u64(field, &mut buffer));
        }
        bytes.into()
    }

    /// Hashes `data` and so finds out which block it is.
    ///
    /// # Errors
    ///
    /// When the hash function is not one that we compute, or the block is over
    /// [`crate::limits::MAX_BLOCK_BYTES`].
    pub fn block(self, data: Bytes) -> Result<Block, PrefixError> {
        check_size(&data)?;
        match (HashKind::from_code(self.hash), self.digest_bytes) {
            (Some(_), 32) if self.version == 0 => Ok(Block::version_0(data)),
            (Some(kind), 32) => Ok(Block::new(self.codec, kind, data)),
            (None, _) if self.hash == IDENTITY => self.identity_block(data),
            _ => Err(self.unknown_hash()),
        }
    }

    fn identity_block(self, data: Bytes) -> Result<Block, PrefixError> {
        if self.digest_bytes != data.len() as u64 {
            return Err(PrefixError::Malformed);
        }
        let multihash = Multihash::wrap(IDENTITY, &data).map_err(|_| self.unknown_hash())?;
        Ok(Block::verified(Cid::new_v1(self.codec, multihash), data)?)
    }

    const fn unknown_hash(self) -> PrefixError {
        PrefixError::UnknownHash { hash: self.hash, digest_bytes: self.digest_bytes }
    }
}

fn check_size(data: &[u8]) -> Result<(), VerifyError> {
    if data.len() > crate::limits::MAX_BLOCK_BYTES {
        return Err(VerifyError::TooLarge { bytes: data.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_version_0_cid_comes_back_from_its_prefix() {
        let data = Bytes::from_static(b"\x0a\x02\x08\x01");
        let block = Prefix::V0.block(data).unwrap();
        assert_eq!(block.cid().to_string(), "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
        assert_eq!(Prefix::of(block.cid()), Prefix::V0);
        assert_eq!(&Prefix::V0.to_bytes()[..], [0, 0x70, 0x12, 0x20]);
    }

    #[test]
    fn refuses_what_names_no_cid() {
        for bytes in [
            &[][..],
            &[1, 0x55, 0x12],
            &[1, 0x55, 0x12, 32, 0],
            &[2, 0x55, 0x12, 32],
            &[0, 0x55, 0x12, 32],
            &[0xff; 12],
        ] {
            assert_eq!(Prefix::from_bytes(bytes), Err(PrefixError::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn refuses_hashes_that_it_cannot_compute() {
        for (hash, digest_bytes) in [(0x11, 20), (0x12, 20), (0x1e, 64), (0, 65)] {
            let prefix = Prefix { version: 1, codec: codec::RAW, hash, digest_bytes };
            let data = vec![7; usize::try_from(digest_bytes).unwrap()];
            assert_eq!(
                prefix.block(data.into()),
                Err(PrefixError::UnknownHash { hash, digest_bytes })
            );
        }
    }

    #[test]
    fn an_identity_block_is_its_own_digest() {
        let prefix = Prefix { version: 1, codec: codec::RAW, hash: IDENTITY, digest_bytes: 4 };
        let block = prefix.block(Bytes::from_static(b"dawn")).unwrap();
        assert_eq!(block.cid().hash().digest(), b"dawn");
        assert_eq!(prefix.block(Bytes::from_static(b"da")), Err(PrefixError::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            if let Ok(prefix) = Prefix::from_bytes(&bytes) {
                prop_assert_eq!(&prefix.to_bytes()[..], &bytes[..]);
            }
        }
    }
}
