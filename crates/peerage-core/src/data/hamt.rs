//! Sharded folders: a hash array mapped trie (HAMT) of dag-pb blocks.
//!
//! Each level takes the next bits of the murmur3 hash of an entry's name as
//! its position in the shard; entries that share a position move into a shard
//! of their own below it. The same entries give the same blocks whatever order
//! they come in.

use std::io::Cursor;

use super::{
    Block, Cid, Profile, dag_pb,
    directory::{DirectoryError, Entry},
    layout::Built,
    unixfs::{Kind, Metadata, Node},
};
use crate::limits::MAX_HAMT_FANOUT;

/// The multicodec of murmur3-x64-64, the only hash function of shards.
pub const HASH_MURMUR3_X64_64: u64 = 0x22;

const HASH_BITS: u32 = 64;
const MIN_FANOUT: usize = 8;

/// The hash of a name, from whose top bits its positions are taken.
#[must_use]
pub fn hash_name(name: &[u8]) -> u64 {
    let hash = murmur3::murmur3_x64_128(&mut Cursor::new(name), 0);
    // The first half of the hash is the low half of the number.
    #[expect(clippy::cast_possible_truncation, reason = "the other half is not used")]
    let hash = hash.expect("reading from memory does not fail") as u64;
    hash
}

/// The fan-out of a shard: a power of two from 8 to [`MAX_HAMT_FANOUT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fanout {
    bits: u32,
}

impl Fanout {
    /// The fan-out with this many positions, if it is one that shards have.
    #[must_use]
    pub const fn new(positions: usize) -> Option<Self> {
        if positions.is_power_of_two() && positions >= MIN_FANOUT && positions <= MAX_HAMT_FANOUT {
            Some(Self { bits: positions.trailing_zeros() })
        } else {
            None
        }
    }

    /// The number of positions.
    #[must_use]
    pub const fn positions(self) -> usize {
        1 << self.bits
    }

    /// The number of hexadecimal digits that a position is written with.
    #[must_use]
    pub const fn prefix_length(self) -> usize {
        self.bits.div_ceil(4) as usize
    }

    /// The position of a hashed name in a shard `depth` levels below the root;
    /// none where the hash has no bits left.
    #[must_use]
    pub const fn position(self, hash: u64, depth: u32) -> Option<usize> {
        let used = self.bits.saturating_mul(depth);
        if used + self.bits > HASH_BITS {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most ten bits are left")]
        let position = (hash << used >> (HASH_BITS - self.bits)) as usize;
        Some(position)
    }

    /// The position that a link's prefix says, in upper-case hexadecimal.
    pub(super) fn parse_prefix(self, prefix: &[u8]) -> Option<usize> {
        let upper = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
        let text = std::str::from_utf8(prefix).ok().filter(|_| prefix.iter().all(upper))?;
        usize::from_str_radix(text, 16).ok().filter(|position| *position < self.positions())
    }

    fn prefix(self, position: usize) -> String {
        format!("{position:0width$X}", width = self.prefix_length())
    }
}

/// Where a shard is in a folder: which bits of a name's hash led to it.
///
/// Shows that an entry is where it should be, and so that no name is twice in
/// the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardPlace {
    fanout: Fanout,
    depth: u32,
    /// The bits that led here, as a number.
    taken: u64,
}

impl ShardPlace {
    /// The place of a folder's root shard.
    #[must_use]
    pub const fn root(fanout: Fanout) -> Self {
        Self { fanout, depth: 0, taken: 0 }
    }

    /// The place of the shard below this one at `position`; none where a hash
    /// has no bits left for it.
    #[must_use]
    pub fn below(self, position: usize) -> Option<Self> {
        let depth = self.depth + 1;
        self.fanout.position(0, depth)?;
        let taken = self.taken << self.fanout.bits | position as u64;
        Some(Self { depth, taken, ..self })
    }

    /// The folder's fan-out.
    #[must_use]
    pub const fn fanout(self) -> Fanout {
        self.fanout
    }

    /// The position in this shard of a hashed name; none if it belongs into
    /// another shard.
    #[must_use]
    pub fn position(self, hash: u64) -> Option<usize> {
        let used = self.fanout.bits * self.depth;
        let taken = hash.checked_shr(HASH_BITS - used).unwrap_or(0);
        if taken == self.taken { self.fanout.position(hash, self.depth) } else { None }
    }

    /// Whether an entry of this name belongs at `position` of this shard.
    #[must_use]
    pub fn holds(self, position: usize, name: &[u8]) -> bool {
        self.position(hash_name(name)) == Some(position)
    }
}

/// Builds the shards of a folder; `entries` have been checked.
pub(super) fn build(
    entries: &[Entry],
    metadata: &Metadata,
    profile: &Profile,
    emit: &mut dyn FnMut(Block),
) -> Result<Built, DirectoryError> {
    let fanout = Fanout::new(profile.hamt_fanout)
        .ok_or(DirectoryError::UnsupportedFanout { fanout: profile.hamt_fanout as u64 })?;
    let mut hashed: Vec<_> = entries.iter().map(|entry| (hash_name(&entry.name), entry)).collect();
    hashed.sort_unstable_by_key(|(hash, _)| *hash);
    let mut builder = Builder { fanout, profile, emit };
    let (cid, total_size) = builder.shard(&hashed, 0, metadata)?;
    Ok(Built { cid, total_size, file_bytes: 0 })
}

struct Builder<'a> {
    fanout: Fanout,
    profile: &'a Profile,
    emit: &'a mut dyn FnMut(Block),
}

impl Builder<'_> {
    /// Builds the shard that holds `entries`, which are sorted by hash. Goes
    /// at most as deep as the hash has bits.
    fn shard(
        &mut self,
        entries: &[(u64, &Entry)],
        depth: u32,
        metadata: &Metadata,
    ) -> Result<(Cid, u64), DirectoryError> {
        let fanout = self.fanout;
        let position = |hash: u64| fanout.position(hash, depth);
        if position(0).is_none() {
            return Err(DirectoryError::HashCollision { name: entries[0].1.name.clone() });
        }
        let mut bit_field = BitField::new(fanout);
        let mut writer = dag_pb::Writer::with_capacity(entries.len().min(fanout.positions()) * 80);
        for group in entries.chunk_by(|a, b| position(a.0) == position(b.0)) {
            let index = position(group[0].0).unwrap_or_default();
            bit_field.set(index);
            let prefix = fanout.prefix(index);
            if let [(_, entry)] = group {
                writer.link(&entry.cid, prefix.as_bytes(), &entry.name, entry.total_size);
            } else {
                let (cid, total_size) = self.shard(group, depth + 1, &Metadata::default())?;
                writer.link(&cid, prefix.as_bytes(), &[], total_size);
            }
        }
        let mut node = Node::new(Kind::HamtShard);
        node.data = bit_field.to_bytes();
        node.hash_type = Some(HASH_MURMUR3_X64_64);
        node.fanout = Some(fanout.positions() as u64);
        node.metadata = *metadata;
        let (data, total_size) = writer.finish(&node.encode());
        let block = self.profile.node(data);
        let cid = *block.cid();
        (self.emit)(block);
        Ok((cid, total_size))
    }
}

/// Which positions of a shard are taken: one big-endian number, written
/// without leading zero bytes.
struct BitField {
    bytes: Vec<u8>,
}

impl BitField {
    fn new(fanout: Fanout) -> Self {
        Self { bytes: vec![0; fanout.positions() / 8] }
    }

    fn set(&mut self, position: usize) {
        let last = self.bytes.len() - 1;
        self.bytes[last - position / 8] |= 1 << (position % 8);
    }

    fn to_bytes(&self) -> bytes::Bytes {
        let zeros = self.bytes.iter().take_while(|byte| **byte == 0).count();
        bytes::Bytes::copy_from_slice(&self.bytes[zeros..])
    }
}

/// Checks that a shard's bit field and the positions of its links agree.
pub(super) fn bit_field_matches(
    fanout: Fanout,
    field: &[u8],
    positions: impl Iterator<Item = usize>,
) -> bool {
    let mut expected = BitField::new(fanout);
    positions.for_each(|position| expected.set(position));
    let trim =
        |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    trim(field) == trim(&expected.bytes)
}
