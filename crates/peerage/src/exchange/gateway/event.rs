//! What a gateway tells its owner.

use std::path::PathBuf;

use libp2p::PeerId;
use peerage_core::data::Cid;

/// Something that happened while serving. Events that nobody takes in time
/// are dropped, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayEvent {
    /// A shared file is not as it was when it was shared, is missing or cannot
    /// be read. The answer that needed it was broken off.
    FileChanged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// An answer has ended.
    Served {
        /// Who got it; `None` over plain HTTP.
        peer: Option<PeerId>,
        /// What was asked for.
        root: Cid,
        /// How many bytes were handed to the network.
        bytes: u64,
        /// Whether that was all of it.
        complete: bool,
    },
}
