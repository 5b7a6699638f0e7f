//! How much of a graph is wanted.

use std::{fmt, ops::Range};

/// How much of the graph below the end of a path is wanted: the trustless
/// gateway's `dag-scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DagScope {
    /// The one block where the path ends.
    Block,
    /// All of a file, or what is needed to list a folder.
    Entity,
    /// Everything below.
    #[default]
    All,
}

/// The bytes of a file that a client wants, as `entity-bytes=from:to` has it:
/// both ends are included, a negative number counts from the file's end, and
/// `to` may be `*` for the last byte.
///
/// ```
/// use peerage_core::data::EntityBytes;
///
/// let last_kilobyte = EntityBytes { from: -1024, to: None };
/// assert_eq!(last_kilobyte.resolve(10_000), Some(8_976..10_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityBytes {
    /// The first byte; counted from the end when negative.
    pub from: i64,
    /// The last byte, counted from the end when negative; `None` is the end.
    pub to: Option<i64>,
}

impl EntityBytes {
    /// All of the file.
    pub const ALL: Self = Self { from: 0, to: None };

    /// The bytes of `range`, which must be neither empty nor end beyond
    /// [`i64::MAX`]; `None` when it does.
    ///
    /// ```
    /// use peerage_core::data::EntityBytes;
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

impl fmt::Display for EntityBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{}:{to}", self.from),
            None => write!(f, "{}:*", self.from),
        }
    }
}
