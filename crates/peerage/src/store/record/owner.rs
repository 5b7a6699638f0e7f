//! An owner as the database has it: its kind, its root, and its folder or name.

use peerage_core::data::Cid;

use super::{Reader, StoreError, os, put};
use crate::store::owner::{DownloadState, Owner, OwnerId, OwnerKind, Purpose};

const TAG_SHARED: u64 = 0;
const TAG_ADDED: u64 = 1;
const TAG_GETTING: u64 = 2;
const TAG_GOT: u64 = 3;
const TAG_DATABASE: u64 = 4;
const TAG_PIN: u64 = 5;

const TABLE: &str = "owners";

impl OwnerKind {
    const fn tag(&self) -> u64 {
        match self {
            Self::Files { purpose: Purpose::Shared, .. } => TAG_SHARED,
            Self::Files { purpose: Purpose::Added, .. } => TAG_ADDED,
            Self::Download { state: DownloadState::Getting, .. } => TAG_GETTING,
            Self::Download { state: DownloadState::Got, .. } => TAG_GOT,
            Self::Database { .. } => TAG_DATABASE,
            Self::Pin { .. } => TAG_PIN,
        }
    }

    /// # Errors
    ///
    /// When the system's path cannot be recorded.
    pub(in crate::store) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let mut out = Vec::new();
        put(&mut out, self.tag());
        put_root(&mut out, self.root());
        match self {
            Self::Files { base, .. } | Self::Download { base, .. } => {
                out.extend_from_slice(os::path_bytes(base)?);
            }
            Self::Database { name, .. } => out.extend_from_slice(name.as_bytes()),
            Self::Pin { .. } => {}
        }
        Ok(out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = Reader::new(bytes, TABLE);
        let tag = reader.number()?;
        let root = read_root(&mut reader)?;
        let damaged = reader.damaged();
        let rest = reader.rest();
        let base = || os::path_from(rest.to_vec());
        Ok(match (tag, root) {
            (TAG_SHARED, root) => Self::Files { base: base()?, purpose: Purpose::Shared, root },
            (TAG_ADDED, root) => Self::Files { base: base()?, purpose: Purpose::Added, root },
            (TAG_GETTING, Some(root)) => {
                Self::Download { base: base()?, state: DownloadState::Getting, root }
            }
            (TAG_GOT, Some(root)) => {
                Self::Download { base: base()?, state: DownloadState::Got, root }
            }
            (TAG_DATABASE, root) => {
                let name = String::from_utf8(rest.to_vec()).map_err(|_| damaged)?;
                Self::Database { name, root }
            }
            (TAG_PIN, Some(root)) if rest.is_empty() => Self::Pin { root },
            _ => return Err(damaged),
        })
    }
}

impl Owner {
    /// # Errors
    ///
    /// When the bytes are no owner.
    pub(in crate::store) fn decode(id: OwnerId, bytes: &[u8]) -> Result<Self, StoreError> {
        Ok(Self { id, kind: OwnerKind::decode(bytes)? })
    }
}

fn put_root(out: &mut Vec<u8>, root: Option<Cid>) {
    let root = root.map(|cid| cid.to_bytes()).unwrap_or_default();
    put(out, root.len() as u64);
    out.extend_from_slice(&root);
}

/// A root that may be missing.
///
/// # Errors
///
/// When the bytes are no CID.
pub(in crate::store) fn read_root(reader: &mut Reader<'_>) -> Result<Option<Cid>, StoreError> {
    let len = reader.number()?;
    match reader.bytes(len)? {
        [] => Ok(None),
        bytes => Cid::try_from(bytes).map(Some).map_err(|_| reader.damaged()),
    }
}
