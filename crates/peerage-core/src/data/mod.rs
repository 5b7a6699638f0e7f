//! What survives an unreliable network and untrusted peers: content-addressed
//! blocks and the graphs made of them.

pub mod car;
pub mod dag_cbor;
pub mod dag_pb;
pub mod directory;
pub mod hamt;
pub mod layout;
pub mod profile;
pub mod select;
pub mod symlink;
pub mod unixfs;
pub mod view;

mod block;
mod cid;

pub use self::{
    block::{Block, VerifyError, verify},
    cid::{Cid, HashKind, codec, hash},
    profile::{Profile, ShardEstimate},
    select::{DagScope, EntityBytes},
    view::View,
};
