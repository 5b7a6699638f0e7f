//! `entity-bytes` as text.

use std::str::FromStr;

use super::RequestError;
use crate::data::EntityBytes;

const WRONG: RequestError = RequestError::Parameter {
    name: "entity-bytes",
    expected: "from:to, both whole numbers (negative ones count from the end), to may be *, and to does not lie before from",
};

impl FromStr for EntityBytes {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once(':').ok_or(WRONG)?;
        let from: i64 = from.parse().map_err(|_| WRONG)?;
        let to: Option<i64> = match to {
            "*" => None,
            number => Some(number.parse().map_err(|_| WRONG)?),
        };
        // Ends of one kind can be compared before the size is known.
        match to {
            Some(to) if (to < 0) == (from < 0) && to < from => Err(WRONG),
            _ => Ok(Self { from, to }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::ops::Range;

    use super::*;

    fn resolved(text: &str, size: u64) -> Option<Range<u64>> {
        text.parse::<EntityBytes>().unwrap().resolve(size)
    }

    #[test]
    fn resolves_as_the_specification_says() {
        assert_eq!(resolved("0:*", 10), Some(0..10));
        assert_eq!(resolved("0:0", 10), Some(0..1));
        assert_eq!(resolved("3:7", 10), Some(3..8));
        assert_eq!(resolved("3:700", 10), Some(3..10));
        assert_eq!(resolved("-4:*", 10), Some(6..10));
        assert_eq!(resolved("-400:*", 10), Some(0..10));
        assert_eq!(resolved("-4:-2", 10), Some(6..9));
        assert_eq!(resolved("499:-1000", 2000), Some(499..1001));
        assert_eq!(resolved("10:*", 10), None);
        assert_eq!(resolved("0:-11", 10), None);
        assert_eq!(resolved("0:*", 0), None);
        assert_eq!(resolved("-9223372036854775808:9223372036854775807", 7), Some(0..7));
    }

    #[test]
    fn refuses_what_is_no_range() {
        for text in
            ["", ":", "0", "0:", ":0", "*:0", "a:b", "5:4", "-4:-5", "0:9223372036854775808"]
        {
            assert_eq!(text.parse::<EntityBytes>(), Err(WRONG), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(start in 0_u64..1 << 40, length in 1_u64..1 << 40) {
            let range = EntityBytes::of(start..start + length).unwrap();
            prop_assert_eq!(range.to_string().parse::<EntityBytes>().unwrap(), range);
            prop_assert_eq!(range.resolve(u64::MAX), Some(start..start + length));
        }
    }
}
