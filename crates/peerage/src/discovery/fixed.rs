//! Peers that somebody wrote down, as one way among others.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use crate::limits::MAX_STATIC_LIST_BYTES;
use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use peerage_core::Advice;
use peerage_core::discovery::{Finding, Key, StaticListError, WayName, read_static_list};

use tokio::time::sleep;

use super::{Presence, Way, WayError};
use crate::sync::lock;

/// How often a file is looked at while news of it are waited for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a file with a list of peers cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListFileError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no list.
    #[error("{path}: {source}")]
    List {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: StaticListError,
    },
}

impl Advice for ListFileError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("check its name and its permissions"),
            Self::List { source, .. } => source.hint(),
        }
    }
}

/// A list of peers, given by code or in a file, which is read again after it
/// has changed. Who has content it does not know, so it names everybody, and of
/// topics it knows nothing.
#[derive(Debug)]
pub struct StaticList(Arc<List>);

#[derive(Debug)]
struct List {
    given: Vec<Finding>,
    file: Option<PathBuf>,
    read: Mutex<Version>,
}

/// What was read of a file, and as of when.
#[derive(Debug)]
struct Version {
    modified: Option<SystemTime>,
    peers: Vec<Finding>,
}

impl StaticList {
    /// A list that does not change.
    #[must_use]
    pub fn new(peers: Vec<Finding>) -> Self {
        Self::with(peers, None, Version { modified: None, peers: Vec::new() })
    }

    /// The list of a file: see [`read_static_list`].
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is no list; the error names the line.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, ListFileError> {
        let path = path.into();
        let version = Version::read(&path)?;
        Ok(Self::with(Vec::new(), Some(path), version))
    }

    fn with(given: Vec<Finding>, file: Option<PathBuf>, version: Version) -> Self {
        Self(Arc::new(List { given, file, read: Mutex::new(version) }))
    }
}

impl List {
    /// The peers on the list that are worth naming. A file that has become
    /// unreadable is an error, and what it last said still counts.
    fn named(&self, key: &Key) -> Vec<Result<Finding, WayError>> {
        let error = self.refresh().err();
        let read = lock(&self.read);
        let all = self.given.iter().chain(&read.peers);
        let wanted = all.filter(|entry| match key {
            Key::Peer(peer) => entry.peer == *peer,
            Key::Content(_) => true,
            Key::Topic(_) => false,
        });
        let error = error.map(|error| Err(WayError::Unavailable(error.to_string())));
        wanted.cloned().map(Ok).chain(error).collect()
    }

    /// The peers to name if the file is not as it was; and how it is now.
    fn news(&self, key: &Key, was: Option<SystemTime>) -> (Vec<Finding>, Option<SystemTime>) {
        let named = self.named(key);
        let modified = lock(&self.read).modified;
        let named = named.into_iter().filter(|_| modified != was);
        (named.filter_map(Result::ok).collect(), modified)
    }

    /// Reads the file again if it is not the one that was read.
    fn refresh(&self) -> Result<(), ListFileError> {
        let Some(path) = &self.file else { return Ok(()) };
        let mut read = lock(&self.read);
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        if modified.is_none() || modified != read.modified {
            *read = Version::read(path)?;
        }
        Ok(())
    }
}

impl Version {
    fn read(path: &Path) -> Result<Self, ListFileError> {
        let failed = |source| ListFileError::Read { path: path.to_owned(), source };
        let (modified, text) = read(path).map_err(failed)?;
        let peers = read_static_list(&text)
            .map_err(|source| ListFileError::List { path: path.to_owned(), source })?;
        Ok(Self { modified, peers })
    }
}

/// A file's text, no more of it than a list may have, and when it was changed.
fn read(path: &Path) -> io::Result<(Option<SystemTime>, String)> {
    let file = std::fs::File::open(path)?;
    let modified = file.metadata()?.modified().ok();
    let mut text = String::new();
    file.take(MAX_STATIC_LIST_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok((modified, text))
}

impl Way for StaticList {
    fn name(&self) -> WayName {
        WayName::Static
    }

    fn announce<'a>(&'a self, _: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        std::future::ready(Err(WayError::Unsupported)).boxed()
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        if matches!(key, Key::Topic(_)) {
            return stream::iter([Err(WayError::Unsupported)]).boxed();
        }
        let (list, key) = (Arc::clone(&self.0), key.clone());
        // A file's folder may be on a network that does not answer.
        let named = tokio::task::spawn_blocking(move || list.named(&key));
        let named = named.map(|named| named.unwrap_or_default());
        stream::once(named).flat_map(stream::iter).boxed()
    }

    fn watch<'a>(&'a self, key: &Key) -> Option<BoxStream<'a, Finding>> {
        self.0.file.as_ref()?;
        let (list, key) = (Arc::clone(&self.0), key.clone());
        let news = stream::unfold(None, move |was| {
            let (list, key) = (Arc::clone(&list), key.clone());
            async move {
                sleep(LOOK_EVERY).await;
                tokio::task::spawn_blocking(move || list.news(&key, was)).await.ok()
            }
        });
        Some(news.flat_map(stream::iter).boxed())
    }
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;

    use super::*;

    fn line(peer: PeerId, port: u16) -> String {
        format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}\n")
    }

    async fn ports(list: &StaticList, key: Key) -> Vec<String> {
        let found = list.look_up(&key).map(|found| match found {
            Ok(found) => found.addresses[0].to_string().split_off("/ip4/127.0.0.1/tcp/".len()),
            Err(error) => error.to_string(),
        });
        found.collect().await
    }

    #[tokio::test]
    async fn a_file_is_read_again_after_a_change_and_keeps_counting_when_it_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let (ann, bob) = (PeerId::random(), PeerId::random());
        let change = |text: &str, seconds| {
            std::fs::write(&path, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
        };
        change(&line(ann, 1), 1);
        let list = StaticList::from_file(&path).unwrap();
        assert_eq!(ports(&list, Key::Peer(ann)).await, ["1"]);
        assert!(ports(&list, Key::Peer(bob)).await.is_empty());

        change(&(line(ann, 2) + &line(bob, 3)), 2);
        assert_eq!(ports(&list, Key::Peer(ann)).await, ["2"]);
        assert_eq!(ports(&list, Key::Content(Key::Peer(ann).to_cid())).await, ["2", "3"]);

        change("nonsense", 3);
        let found = ports(&list, Key::Peer(bob)).await;
        assert_eq!(found[0], "3");
        assert!(found[1].contains("line 1"), "{found:?}");
    }

    #[tokio::test]
    async fn a_bad_file_is_refused_with_its_name_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let missing = StaticList::from_file(&path).unwrap_err().to_string();
        assert!(missing.contains("peers cannot be read"), "{missing}");
        std::fs::write(&path, "# nobody\n/ip4/127.0.0.1/tcp/1\n").unwrap();
        let wrong = StaticList::from_file(&path).unwrap_err().to_string();
        assert!(wrong.contains("line 2 names no peer"), "{wrong}");
    }
}
