//! Which blocks a walk has met, in bounded memory.

use std::collections::HashMap;

use crate::{data::Cid, limits::MAX_WALK_SEEN};

/// What is known of a block that is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// It was not met before.
    First,
    /// It was met, but not everything below it was walked.
    Again,
    /// It was met, and all that is below it walked.
    Whole,
}

/// The blocks that were met, known by the first bytes of their hashes.
///
/// Sixteen bytes of a cryptographic hash are not the same by chance; who makes
/// them the same on purpose hides a block of a graph of their own.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether everything below the block was walked.
    whole: HashMap<[u8; KEY_BYTES], bool>,
}

const KEY_BYTES: usize = 17;

impl Seen {
    /// Notes that a block is met and is now walked, as a `whole` or in part.
    pub(super) fn meet(&mut self, cid: &Cid, whole: bool) -> Meeting {
        let known = self.whole.len();
        let key = key(cid);
        match self.whole.get_mut(&key) {
            Some(true) => Meeting::Whole,
            Some(walked) => {
                *walked = whole;
                Meeting::Again
            }
            None => {
                if known < MAX_WALK_SEEN {
                    self.whole.insert(key, whole);
                }
                Meeting::First
            }
        }
    }
}

/// The start of the hash, and the codec: the same bytes can be two blocks.
fn key(cid: &Cid) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let digest = cid.hash().digest();
    let length = digest.len().min(KEY_BYTES - 1);
    key[..length].copy_from_slice(&digest[..length]);
    key[KEY_BYTES - 1] = cid.codec().to_le_bytes()[0];
    key
}
