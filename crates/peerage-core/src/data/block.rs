//! A block: bytes, and the CID that they hash to.

use bytes::Bytes;

use super::cid::{Cid, HashKind, codec, hash};
use crate::advice::Advice;
use crate::limits::MAX_BLOCK_BYTES;

/// The multihash code of a CID that holds its block.
const IDENTITY: u64 = 0;

/// Bytes together with the CID that they hash to.
///
/// A `Block` cannot be made with a CID that does not match its bytes, so code
/// that holds one need not verify again. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    data: Bytes,
}

impl Block {
    /// Names `data` by hashing it (a version 1 CID).
    #[must_use]
    pub fn new(codec: u64, kind: HashKind, data: Bytes) -> Self {
        Self { cid: hash(codec, kind, &data), data }
    }

    /// Names a dag-pb node with a version 0 CID (which is always dag-pb and
    /// SHA-256).
    #[must_use]
    pub fn version_0(data: Bytes) -> Self {
        let multihash = *hash(codec::DAG_PB, HashKind::Sha2_256, &data).hash();
        let cid = Cid::new_v0(multihash).expect("a version 0 CID takes every SHA-256 hash");
        Self { cid, data }
    }

    /// Takes bytes that somebody says belong to `cid`.
    ///
    /// # Errors
    ///
    /// What [`verify`] finds wrong.
    pub fn verified(cid: Cid, data: Bytes) -> Result<Self, VerifyError> {
        verify(&cid, &data)?;
        Ok(Self { cid, data })
    }

    /// The block that its CID holds whole (an identity hash); `None` of any
    /// other CID.
    #[must_use]
    pub fn inline(cid: &Cid) -> Option<Self> {
        let hash = cid.hash();
        (hash.code() == IDENTITY)
            .then(|| Self::verified(*cid, Bytes::copy_from_slice(hash.digest())).ok())
            .flatten()
    }

    /// The block's CID.
    #[must_use]
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The block's bytes.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    /// The same block in memory of its own. A block that was received is most
    /// often a slice of a larger buffer, which lives as long as it does.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { cid: self.cid, data: Bytes::copy_from_slice(&self.data) }
    }

    /// The block taken apart.
    #[must_use]
    pub fn into_parts(self) -> (Cid, Bytes) {
        (self.cid, self.data)
    }
}

/// Why bytes were not accepted as the block of a CID.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The bytes hash to something else: they were damaged or forged.
    #[error("the bytes received for {cid} hash to something else")]
    WrongHash {
        /// The CID that was asked for.
        cid: Cid,
    },
    /// The CID's hash function is not one that we compute.
    #[error(
        "{cid} uses hash function {code:#x}, and only SHA-256, BLAKE3 and short identity hashes are read"
    )]
    UnknownHash {
        /// The CID that was asked for.
        cid: Cid,
        /// Its multihash code.
        code: u64,
    },
    /// The block is larger than any peer should send.
    #[error("a block of {bytes} bytes is over the limit of {MAX_BLOCK_BYTES}")]
    TooLarge {
        /// The block's size in bytes.
        bytes: usize,
    },
}

impl Advice for VerifyError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::WrongHash { .. } => Some("ask another peer"),
            Self::UnknownHash { .. } => {
                Some("ask whoever made it to hash it with SHA-256 or BLAKE3")
            }
            Self::TooLarge { .. } => Some("ask whoever made it for smaller chunks"),
        }
    }
}

/// Checks that `data` is the block that `cid` names.
///
/// # Errors
///
/// When it hashes to something else, is over [`MAX_BLOCK_BYTES`], or the hash
/// function is not SHA-256, BLAKE3 (32 bytes) or identity.
pub fn verify(cid: &Cid, data: &[u8]) -> Result<(), VerifyError> {
    if data.len() > MAX_BLOCK_BYTES {
        return Err(VerifyError::TooLarge { bytes: data.len() });
    }
    let multihash = cid.hash();
    let matches = match (HashKind::from_code(multihash.code()), multihash.code()) {
        (Some(kind), _) => multihash.digest() == kind.digest(data),
        (None, IDENTITY) => multihash.digest() == data,
        (None, code) => return Err(VerifyError::UnknownHash { cid: *cid, code }),
    };
    if matches { Ok(()) } else { Err(VerifyError::WrongHash { cid: *cid }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_hashes_and_refuses_the_rest() {
        for kind in [HashKind::Sha2_256, HashKind::Blake3] {
            let block = Block::new(codec::RAW, kind, Bytes::from_static(b"dawn"));
            assert_eq!(verify(block.cid(), b"dawn"), Ok(()));
            assert_eq!(
                verify(block.cid(), b"dusk"),
                Err(VerifyError::WrongHash { cid: *block.cid() })
            );
        }
    }

    #[test]
    fn refuses_a_block_over_the_limit() {
        let data = vec![0; MAX_BLOCK_BYTES + 1];
        let cid = hash(codec::RAW, HashKind::Sha2_256, &data);
        assert_eq!(verify(&cid, &data), Err(VerifyError::TooLarge { bytes: data.len() }));
        assert_eq!(verify(&hash(codec::RAW, HashKind::Sha2_256, &data[1..]), &data[1..]), Ok(()));
    }
}
