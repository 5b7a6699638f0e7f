//! The path below a root: percent-encoded names to bytes, and back.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::RequestError;
use crate::limits::{MAX_GATEWAY_NAME_BYTES, MAX_GATEWAY_PATH_NAMES};

/// What is written as it is: the unreserved characters of RFC 3986. Bytes that
/// are no ASCII are always encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The names in a path. Empty ones (a slash at the end, or two in a row) are
/// left out, as other gateways do.
pub(super) fn decode(path: &str) -> Result<Vec<Bytes>, RequestError> {
    let names = path.split('/').filter(|name| !name.is_empty());
    let count = names.clone().count();
    if count > MAX_GATEWAY_PATH_NAMES {
        return Err(RequestError::TooDeep { names: count });
    }
    names.map(decode_name).collect()
}

fn decode_name(text: &str) -> Result<Bytes, RequestError> {
    let name = percent_decode(text)?;
    match &name[..] {
        b"." | b".." => Err(RequestError::Relative),
        long if long.len() > MAX_GATEWAY_NAME_BYTES => {
            Err(RequestError::NameTooLong { bytes: long.len() })
        }
        _ => Ok(name),
    }
}

/// The bytes that a percent-encoded text stands for.
pub(super) fn percent_decode(text: &str) -> Result<Bytes, RequestError> {
    let mut escapes = text.split('%').skip(1);
    let complete = |rest: &str| {
        rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !escapes.all(complete) {
        return Err(RequestError::Percent);
    }
    Ok(percent_decode_str(text).collect::<Vec<u8>>().into())
}

/// Appends a name, percent-encoded.
pub(super) fn encode(name: &[u8], out: &mut String) {
    out.extend(percent_encode(name, ENCODED));
}

/// All names, each with a slash before it.
pub(super) fn join(names: &[Bytes]) -> String {
    let mut path = String::new();
    for name in names {
        path.push('/');
        encode(name, &mut path);
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decodes_any_bytes() {
        assert_eq!(decode("").unwrap(), Vec::<Bytes>::new());
        assert_eq!(decode("a/b%20c/").unwrap(), ["a".as_bytes(), b"b c"]);
        assert_eq!(decode("//%FF%2f").unwrap(), [b"\xff/".as_slice()]);
    }

    #[test]
    fn refuses_what_is_no_path() {
        assert_eq!(decode("a%2"), Err(RequestError::Percent));
        assert_eq!(decode("%zz"), Err(RequestError::Percent));
        assert_eq!(decode("a/../b"), Err(RequestError::Relative));
        assert_eq!(decode("%2e%2E"), Err(RequestError::Relative));
        assert_eq!(decode(&"a/".repeat(129)), Err(RequestError::TooDeep { names: 129 }));
        assert!(decode(&"a/".repeat(128)).is_ok());
        assert_eq!(decode(&"a".repeat(1025)), Err(RequestError::NameTooLong { bytes: 1025 }));
        assert!(decode(&"a".repeat(1024)).is_ok());
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(
            names in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
        ) {
            let names: Vec<Bytes> = names.into_iter().map(Bytes::from).collect();
            prop_assume!(!names.iter().any(|name| matches!(&name[..], b"." | b"..")));
            prop_assert_eq!(decode(&join(&names)).unwrap(), names);
        }
    }
}
