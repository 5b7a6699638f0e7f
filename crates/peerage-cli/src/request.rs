//! What a verb asks of the home's node: the same value whether the node runs
//! in this process or behind the control socket.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{args::LayoutArgs, failure::Failure};

/// A request. All paths are absolute: the node may have another working folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Serve these until cancelled.
    Share {
        paths: Vec<Place>,
        name: Option<String>,
        metadata: bool,
        layout: LayoutArgs,
        http: Option<SocketAddr>,
        #[serde(default)]
        http_hosts: Vec<String>,
    },
    /// Get `target` into the folder `output`.
    Get {
        target: String,
        output: Place,
        peers: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_files: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_size: Option<u64>,
    },
    /// Put these in the store.
    Add { paths: Vec<Place>, metadata: bool, layout: LayoutArgs },
    /// Offer this no more.
    Unshare { cid: String },
    /// Write a CAR file.
    Export { cid: String, output: Place },
    /// Read a CAR file.
    Import { file: Place },
    /// List the roles, and what runs of each.
    Roles,
    /// List connected peers.
    Peers,
    /// List announced peers after listening for `wait` seconds.
    Nearby { wait: u64 },
    /// Look for a peer, content or a topic; for `wait` seconds, or until every way has answered.
    Find { key: String, wait: Option<u64> },
    /// Explain what the network allows.
    Doctor,
    /// Ping a peer `count` times.
    Ping { peer: String, addresses: Vec<String>, count: u32 },
    /// Accept streams: one to the raw bytes, or each to a TCP address. From a
    /// `terminal`, the end of the other side is the end of all.
    PipeListen {
        tcp: Option<SocketAddr>,
        from: Vec<String>,
        /// Whether whoever comes is let in, without a secret.
        #[serde(default)]
        anybody: bool,
        terminal: bool,
    },
    /// Open streams: one for the raw bytes, or one for each TCP connection.
    PipeConnect { peer: String, addresses: Vec<String>, tcp: Option<SocketAddr>, terminal: bool },
    /// Run until cancelled.
    Up {
        http: Option<SocketAddr>,
        #[serde(default)]
        http_hosts: Vec<String>,
    },
}

impl Request {
    /// Whether another node can take the request over from the start, without
    /// the user noticing more than a pause.
    pub(crate) const fn can_start_again(&self) -> bool {
        matches!(
            self,
            Self::Share { .. } | Self::Get { .. } | Self::Add { .. } | Self::Export { .. }
        )
    }
}

/// An absolute path that survives JSON whatever its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Place {
    /// A path of valid UTF-8.
    Text(String),
    /// Any other path, as bytes.
    Bytes(Vec<u8>),
}

impl Place {
    /// The place of `path`, seen from the working folder.
    ///
    /// # Errors
    ///
    /// When the path is empty or the working folder is gone.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        use std::os::unix::ffi::OsStringExt as _;

        let absolute =
            std::path::absolute(path).map_err(|error| Failure::reading(&path.display(), &error))?;
        Ok(match absolute.into_os_string().into_string() {
            Ok(text) => Self::Text(text),
            Err(other) => Self::Bytes(other.into_vec()),
        })
    }

    /// The places of several paths.
    ///
    /// # Errors
    ///
    /// As [`Place::new`].
    pub(crate) fn all(paths: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        paths.iter().map(|path| Self::new(path)).collect()
    }

    /// The path.
    pub(crate) fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStringExt as _;

        match self {
            Self::Text(text) => PathBuf::from(text),
            Self::Bytes(bytes) => std::ffi::OsString::from_vec(bytes.clone()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn any_path_survives_json() {
        for bytes in [&b"/a b/\xc3\xa4"[..], b"/not utf-8 \xff\x80"] {
            let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
            let place = Place::new(path).unwrap();
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<Place>(&json).unwrap().path(), path);
        }
    }
}
