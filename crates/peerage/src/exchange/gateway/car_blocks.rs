//! Taking a CAR apart as it arrives.

use bytes::Bytes;
use peerage_core::data::{Block, Cid, car::Decoder};

use super::{GatewayBody, GatewayError};

/// The blocks of a CAR, one after another, as they arrive.
///
/// Holds no more than one block that is not whole yet, and the piece that came
/// last.
#[derive(Debug)]
pub struct CarBlocks {
    body: GatewayBody,
    decoder: Decoder,
    /// After the end or an error nothing more comes.
    ended: bool,
}

impl CarBlocks {
    /// The blocks in the body of an answer to a request for a CAR.
    #[must_use]
    pub const fn new(body: GatewayBody) -> Self {
        Self { body, decoder: Decoder::new(), ended: false }
    }

    /// The next block, **not verified**: its bytes are what the peer says
    /// belongs to the CID. Verify with [`Block::verified`], on another thread
    /// where many come, or use [`Self::next_verified`].
    ///
    /// `None` comes only at the end of a whole CAR. Which blocks it holds is
    /// the peer's choice: it may send too few, too many, or one twice.
    ///
    /// # Errors
    ///
    /// As [`GatewayBody::next`]; and when the CAR is malformed, or ends within
    /// a block. Nothing comes after an error.
    pub async fn next(&mut self) -> Option<Result<(Cid, Bytes), GatewayError>> {
        if self.ended {
            return None;
        }
        let next = self.read().await.transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    /// The next block, verified here and now: its hash is computed on the
    /// calling task.
    ///
    /// # Errors
    ///
    /// As [`Self::next`]; and when the bytes do not hash to the CID.
    pub async fn next_verified(&mut self) -> Option<Result<Block, GatewayError>> {
        let (cid, data) = match self.next().await? {
            Ok(block) => block,
            Err(error) => return Some(Err(error)),
        };
        let block = Block::verified(cid, data);
        self.ended |= block.is_err();
        Some(block.map_err(GatewayError::from))
    }

    async fn read(&mut self) -> Result<Option<(Cid, Bytes)>, GatewayError> {
        loop {
            if let Some(block) = self.decoder.next_block()? {
                return Ok(Some(block));
            }
            match self.body.next().await {
                Some(piece) => self.decoder.push(piece?),
                None => {
                    self.decoder.finish()?;
                    return Ok(None);
                }
            }
        }
    }
}
