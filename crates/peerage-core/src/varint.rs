//! Reading [unsigned varints](https://github.com/multiformats/unsigned-varint).

pub(crate) use unsigned_varint::decode::Error;

/// The most bytes of a 64-bit varint.
const VARINT_BYTES: usize = 10;

/// Reads a 64-bit varint in its shortest form; the number and what follows it.
///
/// Of a tenth byte, `unsigned_varint` drops the bits beyond the 64th, so that
/// two encodings would be read as one number; here that is an overflow.
pub(crate) fn read(bytes: &[u8]) -> Result<(u64, &[u8]), Error> {
    let (number, rest) = unsigned_varint::decode::u64(bytes)?;
    let length = bytes.len() - rest.len();
    if length == VARINT_BYTES && bytes[length - 1] > 1 {
        Err(Error::Overflow)
    } else {
        Ok((number, rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_beyond_the_64th_are_an_overflow() {
        let with_last = |last: u8| [vec![0xff; 9], vec![last, 7]].concat();
        assert_eq!(read(&with_last(1)), Ok((u64::MAX, &[7][..])));
        for last in [2, 3, 0x27, 0x7f, 0x80] {
            assert_eq!(read(&with_last(last)), Err(Error::Overflow), "{last:#x}");
        }
        // Without its lost bits this would be zero.
        assert_eq!(read(&[vec![0x80; 9], vec![2]].concat()), Err(Error::Overflow));
    }

    #[test]
    fn other_faults_are_told_apart() {
        assert_eq!(read(&[]), Err(Error::Insufficient));
        assert_eq!(read(&[0x80]), Err(Error::Insufficient));
        assert_eq!(read(&[0x80, 0]), Err(Error::NotMinimal));
    }

    proptest! {
        #[test]
        fn what_is_read_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Ok((number, rest)) = read(&bytes) {
                let mut buffer = unsigned_varint::encode::u64_buffer();
                let written = unsigned_varint::encode::u64(number, &mut buffer);
                prop_assert_eq!(written, &bytes[..bytes.len() - rest.len()]);
            }
        }
    }
}
