//! What a server answers in one message.

use bytes::Bytes;

use super::{
    ledger::{Asked, Outcome},
    message::{Message, Payload, Presence},
    prefix::Prefix,
};
use crate::{
    data::Cid,
    limits::{BITSWAP_REPLY_BYTES, MAX_BITSWAP_ANSWERS_PER_MESSAGE},
};

/// What was found for a want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The block's bytes.
    Block(Bytes),
    /// The block is here; the peer only asked for word of it.
    Here,
    /// The block is not here, or cannot be read.
    Nothing,
}

/// One message that is being filled with answers.
#[derive(Debug, Default)]
pub struct Reply {
    message: Message,
    block_bytes: usize,
    answers: usize,
}

impl Reply {
    /// Adds what was found for a want, and says what becomes of the want.
    pub fn add(&mut self, asked: &Asked, found: Found) -> Outcome {
        self.answers += 1;
        match found {
            Found::Block(data) => self.add_block(&asked.cid, data),
            Found::Here => self.add_presence(asked.cid, true),
            Found::Nothing => {
                if asked.send_dont_have {
                    self.add_presence(asked.cid, false);
                }
                return Outcome::Missing;
            }
        }
        Outcome::Answered
    }

    /// Adds `DONT_HAVE` for wants that were not taken in.
    pub fn refuse(&mut self, cids: Vec<Cid>) {
        for cid in cids {
            self.add_presence(cid, false);
        }
    }

    /// Whether the message should be sent before more is added.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.block_bytes >= BITSWAP_REPLY_BYTES || self.answers >= MAX_BITSWAP_ANSWERS_PER_MESSAGE
    }

    /// The bytes of blocks in the message.
    #[must_use]
    pub const fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// The message; `None` when there is nothing to say.
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        (!self.message.is_empty()).then_some(self.message)
    }

    fn add_block(&mut self, cid: &Cid, data: Bytes) {
        self.block_bytes += data.len();
        self.message.blocks.push(Payload { prefix: Prefix::of(cid), data });
    }

    fn add_presence(&mut self, cid: Cid, have: bool) {
        self.message.presences.push(Presence { cid, have });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{HashKind, codec, hash},
        exchange::bitswap::{Version, Want},
        limits::{MAX_BITSWAP_MESSAGE_BYTES, MAX_BLOCK_BYTES},
    };

    fn asked(data: &[u8], send_dont_have: bool) -> Asked {
        let cid = hash(codec::RAW, HashKind::Sha2_256, data);
        Asked { cid, want: Want::Block, send_dont_have }
    }

    #[test]
    fn says_what_was_found() {
        let mut reply = Reply::default();
        let dawn = asked(b"dawn", true);
        assert_eq!(reply.add(&dawn, Found::Block(Bytes::from_static(b"dawn"))), Outcome::Answered);
        assert_eq!(reply.add(&asked(b"noon", true), Found::Here), Outcome::Answered);
        assert_eq!(reply.add(&asked(b"dusk", true), Found::Nothing), Outcome::Missing);
        assert_eq!(reply.add(&asked(b"night", false), Found::Nothing), Outcome::Missing);
        let message = reply.into_message().unwrap();
        assert_eq!(message.blocks[0].clone().into_block().unwrap().cid(), &dawn.cid);
        let presences: Vec<_> = message.presences.iter().map(|p| p.have).collect();
        assert_eq!(presences, [true, false]);
    }

    #[test]
    fn nothing_to_say_is_no_message() {
        let mut reply = Reply::default();
        reply.add(&asked(b"night", false), Found::Nothing);
        assert_eq!(reply.into_message(), None);
    }

    #[test]
    fn the_fullest_message_is_within_the_limit() {
        let mut reply = Reply::default();
        let almost = Bytes::from(vec![0; BITSWAP_REPLY_BYTES - 1]);
        reply.add(&asked(&almost, true), Found::Block(almost.clone()));
        assert!(!reply.is_full());
        let largest = Bytes::from(vec![0; MAX_BLOCK_BYTES]);
        reply.add(&asked(&largest, true), Found::Block(largest));
        assert!(reply.is_full());
        let bytes = reply.into_message().unwrap().encode(Version::V1_2);
        assert!(bytes.len() < MAX_BITSWAP_MESSAGE_BYTES);
    }
}
