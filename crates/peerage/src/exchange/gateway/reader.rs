//! Reading blocks for an answer, on a thread that may wait for a disk.

use std::path::Path;

use bytes::Bytes;
use peerage_core::{
    Advice,
    data::{
        Cid, car,
        select::{Walk, WalkError},
    },
    exchange::gateway::GatewayRequest,
};

use super::frame::{Frame, FrameBuilder};
use crate::exchange::{SourceError, serving::Reader};

/// The multihash code of a block that is inlined in its CID.
const IDENTITY: u64 = 0;

/// How many bytes of small blocks go into one piece of a body: two frames of
/// our own muxer.
const PIECE: usize = 256 * 1024;

/// Why a block of an answer cannot be given.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// Not here, or not for who asks, who must not learn which.
    #[error("{cid} is not here")]
    Missing { cid: Cid },
    #[error("{cid} cannot be read: {source}")]
    Source { cid: Cid, source: Box<SourceError> },
    #[error(transparent)]
    Walk(#[from] WalkError),
    #[error("the answer was read too slowly while others waited")]
    Busy,
    #[error("this peer is shutting down")]
    Stopped,
}

impl Advice for ReadError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } | Self::Busy | Self::Stopped => None,
            Self::Source { source, .. } => source.hint(),
            Self::Walk(error) => error.hint(),
        }
    }
}

impl ReadError {
    /// The user's file that the failure is about.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Source { source, .. } => source.file(),
            _ => None,
        }
    }

    /// The HTTP status, when the answer has not begun. What the user's files
    /// no longer hold is gone, and no failure of ours.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Missing { .. }
            | Self::Walk(WalkError::NotFound { .. } | WalkError::NotADirectory { .. }) => 404,
            Self::Walk(_) => 400,
            Self::Source { .. } if self.file().is_some() => 404,
            Self::Source { .. } | Self::Busy | Self::Stopped => 500,
        }
    }

    /// What a stranger may know of it.
    pub(super) fn public_reason(&self) -> String {
        match self {
            Self::Source { .. } => "the block cannot be read here at the moment".to_owned(),
            others => others.whole(),
        }
    }
}

/// One block.
pub(super) fn read_block(blocks: &Reader, cid: &Cid) -> Result<Bytes, ReadError> {
    if cid.hash().code() == IDENTITY {
        return Ok(Bytes::copy_from_slice(cid.hash().digest()));
    }
    match blocks.get(cid) {
        Ok(Some(block)) => Ok(block),
        Ok(None) => Err(ReadError::Missing { cid: *cid }),
        Err(source) => Err(ReadError::Source { cid: *cid, source: source.into() }),
    }
}

/// The size of one block in bytes.
pub(super) fn size_of_block(blocks: &Reader, cid: &Cid) -> Result<u64, ReadError> {
    if cid.hash().code() == IDENTITY {
        return Ok(cid.hash().digest().len() as u64);
    }
    match blocks.size(cid) {
        Ok(Some(size)) => Ok(size),
        Ok(None) => Err(ReadError::Missing { cid: *cid }),
        Err(source) => Err(ReadError::Source { cid: *cid, source: source.into() }),
    }
}

/// Reads the blocks of a CAR in the order in which they are sent.
pub(super) struct CarReader {
    blocks: Reader,
    walk: Walk,
    /// The CAR's header, until it is sent.
    header: Option<Bytes>,
}

impl CarReader {
    pub(super) fn new(blocks: Reader, request: &GatewayRequest) -> Self {
        let walk = Walk::new(request.selection());
        Self { blocks, walk, header: Some(car::header(&[request.root])) }
    }

    /// Reads the next piece of the CAR; `None` at its end. What was read before
    /// an error is not given: the answer ends there.
    pub(super) fn step(mut self: Box<Self>) -> (Box<Self>, Result<Option<Frame>, ReadError>) {
        let piece = self.read_piece();
        (self, piece)
    }

    fn read_piece(&mut self) -> Result<Option<Frame>, ReadError> {
        let mut frame = FrameBuilder::new(PIECE);
        frame.push(self.header.take().unwrap_or_default());
        while frame.len() < PIECE {
            let Some(step) = self.walk.advance()? else { break };
            let block = read_block(&self.blocks, &step.cid)?;
            if step.feed {
                self.walk.feed(&step.cid, &block)?;
            }
            if !step.repeat {
                frame.push(car::frame(&step.cid, block.len()));
                frame.push(block);
            }
        }
        Ok((frame.len() > 0).then(|| frame.finish()))
    }
}
