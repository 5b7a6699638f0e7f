//! dag-cbor: structured records with links.
//!
//! The codec itself is `serde_ipld_dagcbor`; this bounds what it is given.
//! See the [dag-cbor specification](https://ipld.io/specs/codecs/dag-cbor/spec/).

use bytes::Bytes;
use ipld_core::codec::Links as _;
use serde::{Serialize, de::DeserializeOwned};
use serde_ipld_dagcbor::codec::DagCborCodec;

use super::Cid;
use crate::advice::Advice;
use crate::limits::{MAX_BLOCK_BYTES, MAX_CBOR_DEPTH, MAX_CBOR_ITEMS};

pub use ipld_core::ipld::Ipld;

/// Why a value and a block are not each other's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DagCborError {
    /// The block is over [`MAX_BLOCK_BYTES`].
    #[error("a record of {0} bytes is over the limit of {MAX_BLOCK_BYTES}")]
    TooLarge(usize),
    /// Lists, maps and links inside each other deeper than [`MAX_CBOR_DEPTH`].
    #[error("the record is nested deeper than {MAX_CBOR_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_CBOR_ITEMS`] values.
    #[error("the record has more than {MAX_CBOR_ITEMS} values")]
    TooManyItems,
    /// Not CBOR, or cut short, or with bytes after its end.
    #[error("the record is not well-formed CBOR")]
    Malformed,
    /// CBOR, but not dag-cbor or not of the expected shape.
    #[error("the record is not what was expected: {0}")]
    Unexpected(String),
}

impl Advice for DagCborError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge(_) | Self::TooManyItems => Some("split it"),
            Self::TooDeep => Some("flatten it"),
            Self::Malformed => Some("fetch it again from another peer"),
            Self::Unexpected(_) => None,
        }
    }
}

/// Encodes a value as a dag-cbor block.
///
/// # Errors
///
/// When the value cannot be dag-cbor, or is over a limit that a reader has.
///
/// ```
/// use peerage_core::data::dag_cbor;
///
/// let block = dag_cbor::encode(&vec![1, 2, 3])?;
/// assert_eq!(dag_cbor::decode::<Vec<u8>>(&block)?, [1, 2, 3]);
/// # Ok::<(), dag_cbor::DagCborError>(())
/// ```
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, DagCborError> {
    let block = serde_ipld_dagcbor::to_vec(value)
        .map_err(|error| DagCborError::Unexpected(error.to_string()))?;
    check(&block)?;
    Ok(block.into())
}

/// Decodes a dag-cbor block; [`Ipld`] takes one of any shape.
///
/// # Errors
///
/// When the block is over a limit, malformed, or of another shape.
pub fn decode<T: DeserializeOwned>(block: &[u8]) -> Result<T, DagCborError> {
    check(block)?;
    serde_ipld_dagcbor::from_slice(block)
        .map_err(|error| DagCborError::Unexpected(error.to_string()))
}

/// The links in a dag-cbor block, in its order.
///
/// # Errors
///
/// When the block is over a limit or malformed.
pub fn links(block: &[u8]) -> Result<Vec<Cid>, DagCborError> {
    check(block)?;
    let links =
        DagCborCodec::links(block).map_err(|error| DagCborError::Unexpected(error.to_string()))?;
    Ok(links.collect())
}

/// Checks that a block is well-formed CBOR within the limits, before anything
/// is allocated for it.
///
/// # Errors
///
/// What is wrong with it.
pub fn check(block: &[u8]) -> Result<(), DagCborError> {
    if block.len() > MAX_BLOCK_BYTES {
        return Err(DagCborError::TooLarge(block.len()));
    }
    let mut rest = block;
    let mut items = 0;
    // How many values are still to come in each open list, map or tag.
    let mut open = vec![1_u64];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        items += 1;
        if items > MAX_CBOR_ITEMS {
            return Err(DagCborError::TooManyItems);
        }
        let inside = item(&mut rest)?;
        if inside > 0 {
            open.push(inside);
        }
        if open.len() > MAX_CBOR_DEPTH {
            return Err(DagCborError::TooDeep);
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(DagCborError::Malformed) }
}

/// Passes over one value's head and bytes; how many values it has inside.
fn item(rest: &mut &[u8]) -> Result<u64, DagCborError> {
    let head = take(rest, 1)?[0];
    let (major, info) = (head >> 5, head & 0x1f);
    let argument = match info {
        0..=23 => u64::from(info),
        24..=27 => {
            take(rest, 1 << (info - 24))?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        }
        _ => return Err(DagCborError::Malformed),
    };
    match major {
        2 | 3 => {
            let length = usize::try_from(argument).map_err(|_| DagCborError::Malformed)?;
            take(rest, length).map(|_| 0)
        }
        4 => Ok(argument),
        5 => argument.checked_mul(2).ok_or(DagCborError::Malformed),
        6 => Ok(1),
        _ => Ok(0),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DagCborError> {
    let (taken, after) = rest.split_at_checked(length).ok_or(DagCborError::Malformed)?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{HashKind, codec, hash};

    #[test]
    fn finds_links_in_order() {
        let cids = [b"a", b"b"].map(|data| hash(codec::RAW, HashKind::Sha2_256, data));
        let block = encode(&cids.map(Ipld::Link)).unwrap();
        assert_eq!(links(&block).unwrap(), cids);
    }

    #[test]
    fn refuses_what_is_nested_too_deep_on_either_side_of_the_limit() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0]].concat();
        assert!(decode::<Ipld>(&nested(MAX_CBOR_DEPTH - 1)).is_ok());
        assert!(matches!(decode::<Ipld>(&nested(MAX_CBOR_DEPTH)), Err(DagCborError::TooDeep)));
        assert!(matches!(check(&nested(1_000_000)), Err(DagCborError::TooDeep)));
    }

    #[test]
    fn refuses_too_many_values_before_allocating_for_them() {
        let list =
            |length: u32| [&[0x9a][..], &length.to_be_bytes(), &vec![0; length as usize]].concat();
        let limit = u32::try_from(MAX_CBOR_ITEMS).unwrap();
        assert!(check(&list(limit - 1)).is_ok());
        assert!(matches!(check(&list(limit)), Err(DagCborError::TooManyItems)));
        assert!(matches!(
            check(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]),
            Err(DagCborError::Malformed)
        ));
        assert!(matches!(check(&[0, 0]), Err(DagCborError::Malformed)));
    }

    proptest! {
        #[test]
        fn never_panics(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Ipld>(&block);
            let _ = links(&block);
        }
    }
}
