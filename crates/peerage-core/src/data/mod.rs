//! What survives an unreliable network and untrusted peers: content-addressed
//! blocks and the graphs made of them.

mod block;
mod cid;

pub use self::{
    block::{Block, VerifyError, verify},
    cid::{Cid, HashKind, codec, hash},
};
