//! CAR: blocks in a row, as a stream or a file.
//!
//! Writes [version 1](https://ipld.io/specs/transport/car/carv1/); reads it,
//! and the version 1 inside [version 2](https://ipld.io/specs/transport/car/carv2/).

use std::collections::VecDeque;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use unsigned_varint::encode;

use super::{Cid, dag_cbor};
use crate::{
    advice::Advice,
    limits::{MAX_CAR_HEADER_BYTES, MAX_CAR_SECTION_BYTES},
    varint,
};

/// Why a CAR cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CarError {
    /// The header is not a CAR's.
    #[error("this is not a CAR: its header is malformed")]
    MalformedHeader,
    /// The header is over [`MAX_CAR_HEADER_BYTES`].
    #[error("the CAR's header is over {MAX_CAR_HEADER_BYTES} bytes")]
    HeaderTooLarge,
    /// A version that is not read.
    #[error("CAR version {0} is not read")]
    UnknownVersion(u64),
    /// A section is over [`MAX_CAR_SECTION_BYTES`].
    #[error("a block of the CAR is over {MAX_CAR_SECTION_BYTES} bytes")]
    SectionTooLarge,
    /// A section without a readable length or CID.
    #[error("a block of the CAR has a malformed length or CID")]
    MalformedSection,
    /// The stream ended inside the header or a section.
    #[error("the CAR is cut short")]
    Truncated,
}

impl Advice for CarError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::MalformedHeader | Self::MalformedSection => {
                Some("make it again where it came from")
            }
            Self::HeaderTooLarge => Some("put its roots into several CARs"),
            Self::UnknownVersion(_) => Some("use version 1 or 2"),
            Self::SectionTooLarge => Some("ask its author for smaller blocks"),
            Self::Truncated => Some("ask for the rest"),
        }
    }
}

#[derive(Deserialize, Serialize)]
struct Header {
    #[serde(default)]
    roots: Vec<Cid>,
    version: u64,
}

/// The bytes that begin a CAR of version 1 with these roots.
///
/// A CAR is these, then for each block its [`frame`] and its bytes.
///
/// ```
/// use bytes::Bytes;
/// use peerage_core::data::{Block, HashKind, car, codec};
///
/// let block = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"dawn"));
/// let mut decoder = car::Decoder::new();
/// decoder.push(car::header(&[*block.cid()]));
/// decoder.push(car::frame(block.cid(), block.data().len()));
/// decoder.push(block.data().clone());
/// assert_eq!(decoder.next_block()?, Some(block.into_parts()));
/// decoder.finish()?;
/// # Ok::<(), car::CarError>(())
/// ```
#[must_use]
pub fn header(roots: &[Cid]) -> Bytes {
    let header = Header { roots: roots.to_vec(), version: 1 };
    let body = serde_ipld_dagcbor::to_vec(&header).expect("CIDs and a number are dag-cbor");
    let mut bytes = BytesMut::with_capacity(body.len() + 4);
    bytes.put_slice(encode::usize(body.len(), &mut encode::usize_buffer()));
    bytes.put_slice(&body);
    bytes.freeze()
}

/// The bytes that go before a block of `length` bytes.
#[must_use]
pub fn frame(cid: &Cid, length: usize) -> Bytes {
    let cid_length = cid.encoded_len();
    let mut bytes = BytesMut::with_capacity(cid_length + 10);
    bytes.put_slice(encode::usize(cid_length + length, &mut encode::usize_buffer()));
    cid.write_bytes((&mut bytes).writer()).expect("a buffer in memory takes all bytes");
    bytes.freeze()
}

/// Reads a CAR as it comes in.
///
/// A block that lies within one pushed chunk is a range of it; one that does
/// not is copied once. Blocks are not verified: [`Block::verified`] does that.
/// Holds what was pushed and not yet read, so read until there is nothing
/// more before pushing again.
///
/// [`Block::verified`]: super::Block::verified
#[derive(Debug)]
pub struct Decoder {
    chunks: VecDeque<Bytes>,
    buffered: usize,
    state: State,
    roots: Vec<Cid>,
    /// In version 2, the bytes of the inner version 1 that are still to come.
    inner_left: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Version2Header,
    /// Bytes to pass over before the inner version 1 begins.
    Padding(u64),
    Sections,
    /// After the inner version 1: an index that is not read.
    Done,
}

/// The length of a version 2's own header, without its pragma.
const VERSION_2_HEADER_BYTES: usize = 40;
/// Where the fixed part of a version 2 ends: pragma and header.
const VERSION_2_PREFIX_BYTES: u64 = 51;

impl Decoder {
    /// A decoder at the beginning of a CAR.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            buffered: 0,
            state: State::Header,
            roots: Vec::new(),
            inner_left: None,
        }
    }

    /// Adds the next bytes of the CAR.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.buffered += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// How many bytes were pushed and not yet read.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffered
    }

    /// The roots that the header names, once it has been read; nobody has
    /// checked that they are in the CAR.
    ///
    /// # Errors
    ///
    /// When the header is malformed.
    pub fn roots(&mut self) -> Result<Option<&[Cid]>, CarError> {
        let read = self.read_header()?;
        Ok(read.then_some(&self.roots))
    }

    /// The next block, if all of it has been pushed.
    ///
    /// # Errors
    ///
    /// When the CAR is malformed or over a limit. It cannot be read further.
    pub fn next_block(&mut self) -> Result<Option<(Cid, Bytes)>, CarError> {
        if !self.read_header()? {
            return Ok(None);
        }
        if self.inner_left == Some(0) {
            self.state = State::Done;
        }
        if matches!(self.state, State::Done) {
            self.discard(u64::MAX);
            return Ok(None);
        }
        let Some(section) = self.delimited(MAX_CAR_SECTION_BYTES, CarError::SectionTooLarge)?
        else {
            return Ok(None);
        };
        let mut rest = &section[..];
        let cid = Cid::read_bytes(&mut rest).map_err(|_| CarError::MalformedSection)?;
        let start = section.len() - rest.len();
        Ok(Some((cid, section.slice(start..))))
    }

    /// Says that nothing more will be pushed.
    ///
    /// # Errors
    ///
    /// When the CAR is not whole, or blocks are left unread.
    pub const fn finish(&self) -> Result<(), CarError> {
        match (self.state, self.inner_left) {
            (State::Done, _) | (State::Sections, Some(0)) => Ok(()),
            (State::Sections, None) if self.buffered == 0 => Ok(()),
            _ => Err(CarError::Truncated),
        }
    }

    /// Reads what comes before the first section; whether that is done.
    fn read_header(&mut self) -> Result<bool, CarError> {
        loop {
            let done = match self.state {
                State::Sections | State::Done => return Ok(true),
                State::Header => self.read_version()?,
                State::Version2Header => self.read_version_2()?,
                State::Padding(bytes) => self.skip_padding(bytes),
            };
            if !done {
                return Ok(false);
            }
        }
    }

    fn read_version(&mut self) -> Result<bool, CarError> {
        let Some(body) = self.delimited(MAX_CAR_HEADER_BYTES, CarError::HeaderTooLarge)? else {
            return Ok(false);
        };
        let header: Header = dag_cbor::decode(&body).map_err(|_| CarError::MalformedHeader)?;
        self.state = match (header.version, self.inner_left) {
            (1, _) => State::Sections,
            (2, None) => State::Version2Header,
            (version, _) => return Err(CarError::UnknownVersion(version)),
        };
        self.roots = header.roots;
        Ok(true)
    }

    fn read_version_2(&mut self) -> Result<bool, CarError> {
        if self.buffered < VERSION_2_HEADER_BYTES {
            return Ok(false);
        }
        let mut header = self.take(VERSION_2_HEADER_BYTES);
        header.advance(16); // characteristics
        let (offset, size) = (header.get_u64_le(), header.get_u64_le());
        let padding = offset.checked_sub(VERSION_2_PREFIX_BYTES);
        self.state = State::Padding(padding.ok_or(CarError::MalformedHeader)?);
        self.inner_left = Some(size);
        Ok(true)
    }

    fn skip_padding(&mut self, bytes: u64) -> bool {
        let left = bytes - self.discard(bytes);
        self.state = if left == 0 { State::Header } else { State::Padding(left) };
        left == 0
    }

    /// Takes a varint and as many bytes as it says, if all are there.
    fn delimited(&mut self, limit: usize, too_large: CarError) -> Result<Option<Bytes>, CarError> {
        let mut head = [0; 10];
        let available = self.peek(&mut head);
        let (length, rest) = match varint::read(&head[..available]) {
            Ok(read) => read,
            Err(varint::Error::Insufficient) => return Ok(None),
            Err(_) => return Err(CarError::MalformedSection),
        };
        let prefix = available - rest.len();
        let length = usize::try_from(length).ok().filter(|length| *length <= limit);
        let length = length.ok_or(too_large)?;
        if self.buffered < prefix + length {
            return Ok(None);
        }
        if let Some(left) = &mut self.inner_left {
            let used = (prefix + length) as u64;
            *left = left.checked_sub(used).ok_or(CarError::MalformedSection)?;
        }
        self.discard(prefix as u64);
        Ok(Some(self.take(length)))
    }

    /// Copies the first bytes that are buffered, without taking them.
    fn peek(&self, head: &mut [u8; 10]) -> usize {
        let mut filled = 0;
        for chunk in &self.chunks {
            let length = chunk.len().min(head.len() - filled);
            head[filled..filled + length].copy_from_slice(&chunk[..length]);
            filled += length;
            if filled == head.len() {
                break;
            }
        }
        filled
    }

    /// Takes `length` bytes, which are buffered.
    fn take(&mut self, length: usize) -> Bytes {
        self.buffered -= length;
        if let Some(first) = self.chunks.front_mut()
            && first.len() >= length
        {
            let taken = first.split_to(length);
            self.drop_empty();
            return taken;
        }
        let mut gathered = BytesMut::with_capacity(length);
        while gathered.len() < length {
            let Some(first) = self.chunks.front_mut() else { break };
            gathered.put_slice(&first.split_to(first.len().min(length - gathered.len())));
            self.drop_empty();
        }
        gathered.freeze()
    }

    /// Drops up to `bytes` of what is buffered; how many were there.
    fn discard(&mut self, bytes: u64) -> u64 {
        let total = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.buffered);
        let mut left = total;
        while let Some(first) = self.chunks.front_mut() {
            let length = first.len().min(left);
            first.advance(length);
            left -= length;
            if !self.drop_empty() {
                break;
            }
        }
        self.buffered -= total;
        total as u64
    }

    /// Drops the first chunk if it has been used up.
    fn drop_empty(&mut self) -> bool {
        let empty = self.chunks.front().is_some_and(Bytes::is_empty);
        if empty {
            self.chunks.pop_front();
        }
        empty
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
