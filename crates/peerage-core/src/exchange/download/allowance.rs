//! How much a graph may become.
//!
//! A graph of a few blocks can name one folder in itself again and again, and
//! so stand for more files than any disk holds. Whoever gets it asked for what
//! its maker promised, not for that.

use std::collections::HashSet;

use crate::{
    advice::Advice,
    data::Cid,
    limits::{
        DOWNLOAD_ENTRIES, DOWNLOAD_PROMISED_MARGIN_BYTES, DOWNLOAD_REPEATED_ENTRIES,
        DOWNLOAD_REPEATS, DOWNLOAD_UNPROMISED_BYTES,
    },
};

/// How many files and bytes one download may still make.
///
/// ```
/// use peerage_core::exchange::download::Allowance;
///
/// let mut allowance = Allowance::promised(Some(1000));
/// assert!(allowance.take_entry(900).is_ok());
/// assert!(allowance.take_entry(1 << 40).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Files, folders and links.
    entries: Quota,
    /// Bytes of files.
    bytes: Quota,
    /// What is listed where; nothing is counted when the caller has set how
    /// many entries there may be.
    repeats: Option<Repeats>,
}

/// What one and the same listing made again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Repeats {
    listings: HashSet<Cid>,
    /// Entries of listings that were met for the first time.
    first: u64,
    /// Entries of listings that were met again.
    again: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quota {
    most: u64,
    left: u64,
}

/// A graph stands for more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Excess {
    /// More files, folders and links.
    #[error("it holds more than {allowed} files and folders")]
    Entries {
        /// How many are allowed.
        allowed: u64,
    },
    /// The same folders again and again.
    #[error("it repeats the same folders until they hold {entries} files and folders")]
    Repeats {
        /// How many they would hold.
        entries: u64,
    },
    /// More bytes.
    #[error("its files have more than {allowed} bytes together")]
    Bytes {
        /// How many are allowed.
        allowed: u64,
    },
}

impl Advice for Excess {
    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Entries { .. } | Self::Repeats { .. } => {
                "allow more with --max-files, if you trust whoever made it"
            }
            Self::Bytes { .. } => "allow more with --max-size, if you trust whoever made it",
        })
    }
}

impl Quota {
    const fn new(most: u64) -> Self {
        Self { most, left: most }
    }

    fn take(&mut self, count: u64) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        Some(())
    }
}

impl Allowance {
    /// What a download may make without being asked, of content that was said
    /// to have `size` bytes: twice that and [`DOWNLOAD_PROMISED_MARGIN_BYTES`],
    /// since a sum of many small files is told differently by different
    /// software; [`DOWNLOAD_UNPROMISED_BYTES`] where nothing was said; and
    /// [`DOWNLOAD_ENTRIES`] files and folders.
    #[must_use]
    pub fn promised(size: Option<u64>) -> Self {
        let bytes = size.map_or(DOWNLOAD_UNPROMISED_BYTES, |size| {
            size.saturating_mul(2).saturating_add(DOWNLOAD_PROMISED_MARGIN_BYTES)
        });
        let (entries, bytes) = (Quota::new(DOWNLOAD_ENTRIES), Quota::new(bytes));
        Self { entries, bytes, repeats: Some(Repeats::default()) }
    }

    /// The same with so many bytes, whatever was said.
    #[must_use]
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Quota::new(bytes);
        self
    }

    /// The same with so many files, folders and links.
    #[must_use]
    pub fn with_entries(mut self, entries: u64) -> Self {
        self.entries = Quota::new(entries);
        self.repeats = None;
        self
    }

    /// Looks at what the graph says of itself, before anything is made of it.
    ///
    /// # Errors
    ///
    /// When that is more than is allowed.
    pub fn look_at(&self, bytes: u64) -> Result<(), Excess> {
        match bytes <= self.bytes.most {
            true => Ok(()),
            false => Err(Excess::Bytes { allowed: self.bytes.most }),
        }
    }

    /// Looks at a folder, or a shard of one, that lists so many entries. Every
    /// backup repeats some; what stands for billions repeats little else.
    ///
    /// # Errors
    ///
    /// When the same listings have come again too often.
    pub fn look_at_listing(&mut self, cid: &Cid, entries: usize) -> Result<(), Excess> {
        let (Some(repeats), entries) = (&mut self.repeats, entries as u64) else { return Ok(()) };
        if repeats.listings.insert(*cid) {
            repeats.first += entries;
            return Ok(());
        }
        repeats.again += entries;
        let most = DOWNLOAD_REPEATED_ENTRIES + DOWNLOAD_REPEATS * repeats.first;
        match repeats.again <= most {
            true => Ok(()),
            false => Err(Excess::Repeats { entries: repeats.again }),
        }
    }

    /// Takes a file of `bytes` bytes, or a folder or link of none.
    ///
    /// # Errors
    ///
    /// When less is left.
    pub fn take_entry(&mut self, bytes: u64) -> Result<(), Excess> {
        let entries = self.entries.take(1);
        entries.ok_or(Excess::Entries { allowed: self.entries.most })?;
        self.bytes.take(bytes).ok_or(Excess::Bytes { allowed: self.bytes.most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{HashKind, codec, hash};

    #[test]
    fn what_was_promised_fits_with_room_to_spare() {
        for size in [0, 1, 1 << 20, 1 << 40, u64::MAX] {
            let mut allowance = Allowance::promised(Some(size));
            assert_eq!(allowance.look_at(size), Ok(()));
            assert_eq!(allowance.take_entry(size), Ok(()));
        }
    }

    #[test]
    fn folders_may_be_alike_but_not_stand_for_billions() {
        let folder = |number: u64| hash(codec::DAG_PB, HashKind::Sha2_256, &number.to_le_bytes());
        let mut backups = Allowance::promised(None);
        for number in (0..1000).cycle().take(10_000) {
            assert_eq!(backups.look_at_listing(&folder(number), 100), Ok(()));
        }
        let mut bomb = Allowance::promised(None);
        let met = (0..u64::MAX).find(|_| bomb.look_at_listing(&folder(0), 2).is_err());
        assert!(met.is_some_and(|met| met < DOWNLOAD_REPEATED_ENTRIES), "{met:?}");
        let mut asked_for = Allowance::promised(None).with_entries(u64::MAX);
        assert!((0..200_000).all(|_| asked_for.look_at_listing(&folder(0), 2).is_ok()));
    }

    #[test]
    fn the_last_entry_and_the_last_byte_fit_and_no_more() {
        let mut allowance = Allowance::promised(None).with_entries(2).with_bytes(10);
        assert_eq!(allowance.look_at(10), Ok(()));
        assert_eq!(allowance.look_at(11), Err(Excess::Bytes { allowed: 10 }));
        assert_eq!(allowance.take_entry(10), Ok(()));
        assert_eq!(allowance.take_entry(0), Ok(()));
        assert_eq!(allowance.take_entry(0), Err(Excess::Entries { allowed: 2 }));
        let mut bytes = Allowance::promised(None).with_bytes(10);
        assert_eq!(bytes.take_entry(11), Err(Excess::Bytes { allowed: 10 }));
    }
}
