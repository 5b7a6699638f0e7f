//! Content identifiers: how a block is named by its hash.

pub use cid::Cid;
use cid::multihash::Multihash;
use sha2::{Digest as _, Sha256};

/// The multicodec numbers of the block formats that Peerage reads and writes.
///
/// See the [multicodec table](https://github.com/multiformats/multicodec/blob/master/table.csv).
pub mod codec {
    /// Bytes without structure: the leaves of files.
    pub const RAW: u64 = 0x55;
    /// Protocol-buffer nodes with links: UnixFS files and folders.
    pub const DAG_PB: u64 = 0x70;
    /// CBOR with links: logs, manifests and other structured records.
    pub const DAG_CBOR: u64 = 0x71;
}

/// The hash functions that blocks are made and verified with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// SHA-256: what every IPFS implementation reads. The default.
    #[default]
    Sha2_256,
    /// BLAKE3 with 32 bytes of output: faster, and not read by all.
    Blake3,
}

impl HashKind {
    /// The function's multihash code.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::Sha2_256 => 0x12,
            Self::Blake3 => 0x1e,
        }
    }

    /// The function with this multihash code, if it is one that we compute.
    #[must_use]
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0x12 => Some(Self::Sha2_256),
            0x1e => Some(Self::Blake3),
            _ => None,
        }
    }

    /// The 32-byte digest of `data`.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> [u8; 32] {
        match self {
            Self::Sha2_256 => Sha256::digest(data).into(),
            Self::Blake3 => *blake3::hash(data).as_bytes(),
        }
    }
}

/// The version 1 CID of `data` under a codec and a hash function.
///
/// ```
/// use peerage_core::data::{HashKind, codec, hash};
///
/// let cid = hash(codec::RAW, HashKind::Sha2_256, b"hello world");
/// assert_eq!(cid.to_string(), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
/// ```
#[must_use]
pub fn hash(codec: u64, kind: HashKind, data: &[u8]) -> Cid {
    Cid::new_v1(codec, multihash(kind, data))
}

fn multihash(kind: HashKind, data: &[u8]) -> Multihash<64> {
    Multihash::wrap(kind.code(), &kind.digest(data)).expect("32 bytes fit in a 64-byte multihash")
}
