//! What the fuzz targets share: how one input becomes several values, and a
//! graph of blocks.
//!
//! A part is its length in two bytes, the lower first, and its bytes. A length
//! that goes beyond the end stands for what is left, so every input is good.

use std::collections::HashMap;

use bytes::Bytes;
use peerage_core::data::{Block, Cid, HashKind, codec};

/// The parts of an input, one after another.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The parts of `input`.
    #[must_use]
    pub const fn of(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// One byte, to choose something by; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *byte
    }

    /// The next part; empty at the end.
    pub fn part(&mut self) -> &'a [u8] {
        self.next().unwrap_or_default()
    }

    /// The next part, if it is text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.part()).ok()
    }

    /// Everything that no part was taken of.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = match *self.rest {
            [] => return None,
            [low] => (u16::from(low), &self.rest[1..]),
            [low, high, ..] => (u16::from_le_bytes([low, high]), &self.rest[2..]),
        };
        let (part, rest) = rest.split_at(usize::from(length).min(rest.len()));
        self.rest = rest;
        Some(part)
    }
}

/// Appends a part, for an input that is made on purpose. What is beyond the
/// longest part is left out.
pub fn push_part(input: &mut Vec<u8>, part: &[u8]) {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    input.extend_from_slice(&length.to_le_bytes());
    input.extend_from_slice(&part[..usize::from(length)]);
}

/// The blocks of a graph: those that a link really names, and for links to
/// nothing, which most made-up ones are, one after another as if it were named.
#[derive(Debug)]
pub struct Pool {
    named: HashMap<Cid, Block>,
    others: Vec<Bytes>,
}

impl Pool {
    /// A pool of these blocks, under the CIDs of every codec.
    #[must_use]
    pub fn of(blocks: &[&[u8]]) -> Self {
        let others: Vec<_> = blocks.iter().map(|data| Bytes::copy_from_slice(data)).collect();
        let codecs = [codec::DAG_PB, codec::DAG_CBOR, codec::RAW];
        let named = others.iter().flat_map(|data| codecs.map(|codec| named(codec, data)));
        Self { named: named.map(|block| (*block.cid(), block)).collect(), others }
    }

    /// The block of a CID, or what stands for it at this turn: a block of the
    /// CID's codec.
    #[must_use]
    pub fn get(&self, cid: &Cid, turn: usize) -> Block {
        let other = || match self.others.len() {
            0 => named(cid.codec(), &Bytes::new()),
            count => named(cid.codec(), &self.others[turn % count]),
        };
        self.named.get(cid).cloned().unwrap_or_else(other)
    }
}

fn named(codec: u64, data: &Bytes) -> Block {
    Block::new(codec, HashKind::Sha2_256, data.clone())
}
