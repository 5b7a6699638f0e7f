//! How records are laid out in the database: varints, in the order written.

use std::path::{Path, PathBuf};

use unsigned_varint::{decode, encode};

use peerage_core::data::unixfs::{Metadata, Mtime};

use super::{OwnerId, StoreError, os, tables::BlockKey};

/// Appends `value` as an unsigned varint.
pub(super) fn put(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(encode::u64(value, &mut encode::u64_buffer()));
}

/// Appends a signed number so that small ones, of either sign, stay short.
fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Reads records of one table; whatever does not decode is that table's damage.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    table: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(rest: &'a [u8], table: &'static str) -> Self {
        Self { rest, table }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn damaged(&self) -> StoreError {
        StoreError::Damaged { table: self.table }
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        let (value, rest) = decode::u64(self.rest).map_err(|_| self.damaged())?;
        self.rest = rest;
        Ok(value)
    }

    pub(super) fn small(&mut self) -> Result<u32, StoreError> {
        u32::try_from(self.number()?).map_err(|_| self.damaged())
    }

    fn signed(&mut self) -> Result<i64, StoreError> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn bytes(&mut self, len: u64) -> Result<&'a [u8], StoreError> {
        let len = usize::try_from(len).map_err(|_| self.damaged())?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) const fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Everything that the store knows about one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// The block itself, when the store keeps it.
    pub(super) kept: Option<Kept>,
    /// Where in the user's files it is, oldest first.
    pub(super) references: Vec<Reference>,
}

/// A block that the store keeps, for as long as an owner owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) owners: Vec<OwnerId>,
    pub(super) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the entry.
    Here(Vec<u8>),
    /// In `pieces`, from the number `first` on.
    Pieces { first: u64, len: u64 },
}

impl Place {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            Self::Pieces { len, .. } => *len,
        }
    }
}

/// A block that is a range of a user's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) owner: OwnerId,
    pub(super) file: u32,
    /// Offset and length in bytes; `None` for the whole file.
    pub(super) part: Option<(u64, u64)>,
    pub(super) around: Around,
}

/// What goes around a file's bytes to make them the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    /// Nothing: a raw leaf.
    Nothing,
    /// A node without metadata.
    Leaf,
    /// A node with the file's metadata ([`StoredFile::inline`]).
    File,
}

impl Around {
    const ALL: [Self; 3] = [Self::Nothing, Self::Leaf, Self::File];
}

const TAG_HERE: u64 = 0;
const TAG_PIECES: u64 = 1;
/// References: plus 2 for a part of the file, plus 4 for each in [`Around::ALL`].
const TAG_REFERENCE: u64 = 16;
const FLAG_PART: u64 = 2;

impl Entry {
    pub(super) const fn is_empty(&self) -> bool {
        self.kept.is_none() && self.references.is_empty()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        if let Some(kept) = &self.kept {
            kept.encode(&mut out);
        }
        for reference in &self.references {
            reference.encode(&mut out);
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = Reader::new(bytes, "blocks");
        let mut entry = Self::default();
        while !reader.is_empty() {
            match reader.number()? {
                tag @ (TAG_HERE | TAG_PIECES) => {
                    entry.kept = Some(Kept::decode(tag, &mut reader)?);
                }
                tag => entry.references.push(Reference::decode(tag, &mut reader)?),
            }
        }
        Ok(entry)
    }
}

impl Kept {
    fn encode(&self, out: &mut Vec<u8>) {
        put(out, if matches!(self.place, Place::Here(_)) { TAG_HERE } else { TAG_PIECES });
        put(out, self.owners.len() as u64);
        for owner in &self.owners {
            put(out, owner.0.into());
        }
        put(out, self.place.len());
        match &self.place {
            Place::Here(bytes) => out.extend_from_slice(bytes),
            Place::Pieces { first, .. } => put(out, *first),
        }
    }

    fn decode(tag: u64, reader: &mut Reader<'_>) -> Result<Self, StoreError> {
        let mut owners = Vec::new();
        for _ in 0..reader.number()? {
            owners.push(OwnerId(reader.small()?));
        }
        let len = reader.number()?;
        let place = if tag == TAG_HERE {
            Place::Here(reader.bytes(len)?.to_vec())
        } else {
            Place::Pieces { first: reader.number()?, len }
        };
        Ok(Self { owners, place })
    }
}

impl Reference {
    fn encode(&self, out: &mut Vec<u8>) {
        let part = if self.part.is_some() { FLAG_PART } else { 0 };
        put(out, TAG_REFERENCE + part + 4 * self.around as u64);
        put(out, self.owner.0.into());
        put(out, self.file.into());
        if let Some((offset, len)) = self.part {
            put(out, offset);
            put(out, len);
        }
    }

    fn decode(tag: u64, reader: &mut Reader<'_>) -> Result<Self, StoreError> {
        let flags = tag.checked_sub(TAG_REFERENCE).ok_or_else(|| reader.damaged())?;
        let around = usize::try_from(flags / 4).ok().and_then(|index| Around::ALL.get(index));
        let around = *around.ok_or_else(|| reader.damaged())?;
        let owner = OwnerId(reader.small()?);
        let file = reader.small()?;
        let part = match flags & FLAG_PART {
            0 => None,
            _ => Some((reader.number()?, reader.number()?)),
        };
        Ok(Self { owner, file, part, around })
    }
}

/// When a file was last modified, as the file system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modified {
    /// Whole seconds since 1970, rounded down; negative before.
    pub seconds: i64,
    /// Nanoseconds after that second.
    pub nanoseconds: u32,
}

/// A user's file, as recorded under its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// The path below the owner's base; empty when the base is the file itself.
    pub path: PathBuf,
    /// The file's size in bytes.
    pub size: u64,
    /// When it was last modified. `None` while it is still being written:
    /// its blocks are then hashed again whenever they are read.
    pub modified: Option<Modified>,
}

impl From<Modified> for Mtime {
    fn from(modified: Modified) -> Self {
        Self { seconds: modified.seconds, nanoseconds: modified.nanoseconds }
    }
}

/// A user's file as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredFile {
    pub(super) record: FileRecord,
    /// The metadata in the node that the whole file is the inside of.
    pub(super) inline: Metadata,
}

/// How many files share a record of `files`.
const GROUP: u32 = 64;

/// The group of a file, and its place there.
pub(super) const fn group_of(file: u32) -> (u32, u32) {
    (file / GROUP, file % GROUP)
}

/// Up to [`GROUP`] files with neighbouring numbers. Walking a folder gives
/// neighbours similar paths and times, so each is written as its difference
/// from the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileGroup {
    /// Place in the group and the file, in ascending order of place.
    files: Vec<(u32, StoredFile)>,
}

// What follows in a file's record; above these four bits is the number of
// places left out before it.
const HAS_MODIFIED: u32 = 1;
const HAS_MODE: u32 = 2;
const HAS_MTIME: u32 = 4;
/// The metadata's time is the file's own, as it is after an import.
const SAME_MTIME: u32 = 8;

impl FileGroup {
    pub(super) fn get(&self, place: u32) -> Option<&StoredFile> {
        let index = self.files.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&self.files[index].1)
    }

    /// The paths of the files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(_, file)| file.record.path.as_path())
    }

    /// Adds or replaces a file; the metadata around its bytes stays.
    pub(super) fn set(&mut self, place: u32, record: FileRecord) {
        match self.files.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(index) => self.files[index].1.record = record,
            Err(index) => {
                let file = StoredFile { record, inline: Metadata::default() };
                self.files.insert(index, (place, file));
            }
        }
    }

    /// Sets the metadata around a file's bytes; whether the file is here.
    pub(super) fn set_inline(&mut self, place: u32, inline: Metadata) -> bool {
        let found = self.files.binary_search_by_key(&place, |(place, _)| *place);
        found.is_ok_and(|index| {
            self.files[index].1.inline = inline;
            true
        })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let mut out = Vec::new();
        let (mut path, mut next, mut seconds) = (Vec::new(), 0, 0);
        for (place, file) in &self.files {
            put(&mut out, u64::from((place - next) << 4 | file.flags()));
            next = place + 1;
            path = encode_path(&mut out, &path, &file.record)?;
            file.encode(&mut out, &mut seconds);
        }
        Ok(out)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = Reader::new(bytes, "files");
        let mut files = Vec::new();
        let (mut path, mut next, mut seconds) = (Vec::new(), 0u32, 0i64);
        while !reader.is_empty() {
            let head = reader.small()?;
            let place = next + (head >> 4);
            if place >= GROUP {
                return Err(reader.damaged());
            }
            next = place + 1;
            decode_path(&mut reader, &mut path)?;
            let path = os::path_from(path.clone())?;
            files.push((place, StoredFile::decode(head, path, &mut reader, &mut seconds)?));
        }
        Ok(Self { files })
    }
}

impl StoredFile {
    fn flags(&self) -> u32 {
        let mtime = match self.inline.mtime {
            None => 0,
            Some(mtime) if self.record.modified.map(Mtime::from) == Some(mtime) => SAME_MTIME,
            Some(_) => HAS_MTIME,
        };
        let modified = if self.record.modified.is_some() { HAS_MODIFIED } else { 0 };
        let mode = if self.inline.mode.is_some() { HAS_MODE } else { 0 };
        modified | mode | mtime
    }

    /// Writes all but the path. Times are differences from `seconds`.
    fn encode(&self, out: &mut Vec<u8>, seconds: &mut i64) {
        put(out, self.record.size);
        if let Some(modified) = self.record.modified {
            put_signed(out, modified.seconds.wrapping_sub(*seconds));
            put(out, modified.nanoseconds.into());
            *seconds = modified.seconds;
        }
        if let Some(mode) = self.inline.mode {
            put(out, mode.into());
        }
        if let (HAS_MTIME, Some(mtime)) = (self.flags() & HAS_MTIME, self.inline.mtime) {
            put_signed(out, mtime.seconds);
            put(out, mtime.nanoseconds.into());
        }
    }

    fn decode(
        flags: u32,
        path: PathBuf,
        reader: &mut Reader<'_>,
        seconds: &mut i64,
    ) -> Result<Self, StoreError> {
        let size = reader.number()?;
        let mut modified = None;
        if flags & HAS_MODIFIED != 0 {
            *seconds = seconds.wrapping_add(reader.signed()?);
            modified = Some(Modified { seconds: *seconds, nanoseconds: reader.small()? });
        }
        let mut inline = Metadata::default();
        if flags & HAS_MODE != 0 {
            inline.mode = Some(reader.small()?);
        }
        if flags & HAS_MTIME != 0 {
            let seconds = reader.signed()?;
            inline.mtime = Some(Mtime { seconds, nanoseconds: reader.small()? });
        } else if flags & SAME_MTIME != 0 {
            inline.mtime = modified.map(Mtime::from);
        }
        Ok(Self { record: FileRecord { path, size, modified }, inline })
    }
}

/// Writes a path as what it shares with the one before, and the rest.
fn encode_path(out: &mut Vec<u8>, before: &[u8], file: &FileRecord) -> Result<Vec<u8>, StoreError> {
    let path = os::path_bytes(&file.path)?;
    let shared = path.iter().zip(before).take_while(|(a, b)| a == b).count();
    put(out, shared as u64);
    put(out, (path.len() - shared) as u64);
    out.extend_from_slice(&path[shared..]);
    Ok(path.to_vec())
}

fn decode_path(reader: &mut Reader<'_>, path: &mut Vec<u8>) -> Result<(), StoreError> {
    let shared = usize::try_from(reader.number()?).map_err(|_| reader.damaged())?;
    if shared > path.len() {
        return Err(reader.damaged());
    }
    path.truncate(shared);
    let len = reader.number()?;
    path.extend_from_slice(reader.bytes(len)?);
    Ok(())
}

/// The key of a multihash in `blocks`.
pub(super) fn block_key(secret: &[u8; 32], cid: &peerage_core::data::Cid) -> BlockKey {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(&cid.hash().code().to_le_bytes());
    hasher.update(cid.hash().digest());
    let mut key = BlockKey::default();
    key.copy_from_slice(&hasher.finalize().as_bytes()[..12]);
    key
}

mod owner;

pub(super) use owner::read_root;
#[cfg(test)]
mod tests;
