//! What a download tells its caller while it runs.

use std::time::Duration;

use libp2p::PeerId;
use serde::Serialize;

/// Something that happened during a download.
///
/// Counts are of content bytes: what the files hold, without the nodes that
/// tie them together.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GetEvent {
    /// A peer is being dialled.
    Connecting {
        /// The peer.
        #[serde(serialize_with = "as_text")]
        peer: PeerId,
    },
    /// A peer was reached.
    Connected {
        /// The peer.
        #[serde(serialize_with = "as_text")]
        peer: PeerId,
        /// The path to it: the transport and the address in use.
        path: String,
        /// How blocks come from it: `gateway` or `bitswap`.
        exchange: &'static str,
    },
    /// A peer does not serve this download any more.
    ProviderLost {
        /// The peer.
        #[serde(serialize_with = "as_text")]
        peer: PeerId,
        /// Why.
        reason: String,
        /// Whether it will be tried again.
        again: bool,
    },
    /// So much was on this machine, most often from an earlier try, and was
    /// verified.
    Resumed {
        /// Content bytes that are there already.
        bytes: u64,
    },
    /// How far the download is. At most ten a second.
    Progress(Progress),
    /// A faster peer took over what a slow one held.
    TakenOver {
        /// The slow peer.
        #[serde(serialize_with = "as_text")]
        from: PeerId,
        /// The faster one.
        #[serde(serialize_with = "as_text")]
        to: PeerId,
    },
}

/// How far a download is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Content bytes verified and written, those of earlier tries included.
    pub bytes: u64,
    /// About how many there are in all, once known.
    pub total: Option<u64>,
    /// Files that are whole.
    pub files: u64,
    /// Bytes a second over the last seconds.
    pub rate: u64,
    /// Peers that serve right now.
    pub peers: usize,
}

/// What a finished download delivered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Got {
    /// The output.
    pub path: std::path::PathBuf,
    /// Its content bytes.
    pub bytes: u64,
    /// Those of them that were on this machine already, most often from an
    /// earlier try.
    pub resumed: u64,
    /// Its files.
    pub files: u64,
    /// How long it took.
    #[serde(serialize_with = "as_seconds")]
    pub elapsed: Duration,
    /// Each peer that delivered, with its bytes.
    pub peers: Vec<Delivered>,
}

/// What one peer delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// The peer.
    #[serde(serialize_with = "as_text")]
    pub peer: PeerId,
    /// The path to it.
    pub path: String,
    /// Bytes of verified blocks.
    pub bytes: u64,
}

fn as_text<S: serde::Serializer>(peer: &PeerId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(peer)
}

fn as_seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
