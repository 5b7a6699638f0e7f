//! `entity-bytes`: which bytes of a file are wanted.

use std::{fmt, ops::Range, str::FromStr};

use super::RequestError;

/// The bytes of a file that a client wants, as `entity-bytes=from:to` has it:
/// both ends are included, a negative number counts from the file's end, and
/// `to` may be `*` for the last byte.
///
/// ```
/// use peerage_core::protocols::exchange::gateway::EntityBytes;
///
/// let last_kilobyte: EntityBytes = "-1024:*".parse()?;
/// assert_eq!(last_kilobyte.resolve(10_000), Some(8_976..10_000));
/// # Ok::<(), peerage_core::protocols::exchange::gateway::RequestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityBytes {
    /// The first byte; counted from the end when negative.
    pub from: i64,
    /// The last byte, counted from the end when negative; `None` is the end.
    pub to: Option<i64>,
}

const WRONG: RequestError = RequestError::Parameter {
    name: "entity-bytes",
    expected: "from:to, both whole numbers (negative ones count from the end), to may be *, and to does not lie before from",
};

impl EntityBytes {
    /// All of the file.
    pub const ALL: Self = Self { from: 0, to: None };

    /// The bytes of `range`, which must be neither empty nor end beyond
    /// [`i64::MAX`]; `None` when it does.
    ///
    /// ```
    /// use peerage_core::protocols::exchange::gateway::EntityBytes;
    ///
    /// let first_hundred = EntityBytes::of(0..100).expect("a hundred bytes");
    /// assert_eq!(first_hundred.to_string(), "0:99");
    /// ```
    #[must_use]
    pub fn of(range: Range<u64>) -> Option<Self> {
        if range.is_empty() {
            return None;
        }
        let from = i64::try_from(range.start).ok()?;
        let to = i64::try_from(range.end - 1).ok()?;
        Some(Self { from, to: Some(to) })
    }

    /// The bytes of a file of `size` bytes that are meant, cut to the file;
    /// `None` when there are none.
    #[must_use]
    pub fn resolve(self, size: u64) -> Option<Range<u64>> {
        let start = from_start(self.from, size).unwrap_or(0);
        let end = match self.to {
            None => size,
            Some(to) => from_start(to, size)?.saturating_add(1).min(size),
        };
        (start < end).then_some(start..end)
    }
}

/// An offset counted from the file's start; `None` when it lies before it.
fn from_start(offset: i64, size: u64) -> Option<u64> {
    match u64::try_from(offset) {
        Ok(offset) => Some(offset),
        Err(_) => size.checked_sub(offset.unsigned_abs()),
    }
}

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

impl fmt::Display for EntityBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{}:{to}", self.from),
            None => write!(f, "{}:*", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
