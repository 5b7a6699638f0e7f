//! Giving blocks to others, by whatever protocol: what they are read through,
//! and the one place that tells what happens.

use std::{
    collections::VecDeque,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use peerage_core::{Advice as _, data::Cid};
use tokio::sync::broadcast;

use super::{BlockSource, SourceError};
use crate::{
    access::Requester,
    limits::{FILE_TOLD_AGAIN_SECONDS, MAX_FILES_TOLD, MAX_SERVING_EVENTS},
    sync::lock,
};

/// What is given to others, and the account of it. The gateway and bitswap of a
/// node share one, so whoever listens hears of both. Cloning is cheap: clones
/// share the blocks and the listeners.
///
/// Any [`BlockSource`] turns into one of its own.
#[derive(Clone)]
pub struct Serving {
    inner: Arc<Inner>,
}

struct Inner {
    source: Box<dyn BlockSource>,
    events: broadcast::Sender<ServingEvent>,
    files: Mutex<FilesTold>,
}

/// Something that happened while serving. Events that nobody takes in time
/// are dropped, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServingEvent {
    /// A shared file is not as it was when it was shared, is missing or cannot
    /// be read. Who asked for it got no more of it. Told once in
    /// [`FILE_TOLD_AGAIN_SECONDS`], however often it is asked for.
    FileChanged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Somebody got something.
    Served(Served),
}

/// What somebody got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Who.
    pub requester: Requester,
    /// By which protocol.
    pub exchange: Exchange,
    /// What was asked for. Over bitswap, whose requests know no roots, the
    /// root of what was shared, if its block was asked for; else the first
    /// block.
    pub cid: Cid,
    /// How many bytes were handed to the network: of blocks, and over the
    /// gateway those around them in a CAR.
    pub bytes: u64,
    /// Whether that was all of it; else it was broken off, or stopped at a
    /// block that is not here for this requester.
    pub complete: bool,
}

/// How blocks are given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exchange {
    /// The trustless gateway over a stream: an event for each request.
    Gateway,
    /// The trustless gateway by plain HTTP: an event for each request.
    Http,
    /// Bitswap: an event for what a peer got until it was quiet for a moment,
    /// and for each [`BITSWAP_TOLD_SECONDS`](crate::limits::BITSWAP_TOLD_SECONDS)
    /// of one that never is.
    Bitswap,
}

impl Exchange {
    /// Its name in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Http => "http",
            Self::Bitswap => "bitswap",
        }
    }
}

impl<S: BlockSource> From<S> for Serving {
    fn from(source: S) -> Self {
        let inner = Inner {
            source: Box::new(source),
            events: broadcast::Sender::new(MAX_SERVING_EVENTS),
            files: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Serving {
    /// What happens from now on. At most [`MAX_SERVING_EVENTS`] wait; who is
    /// slower is told how many were missed.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<ServingEvent> {
        self.inner.events.subscribe()
    }

    /// The blocks as a requester sees them.
    pub(super) fn reader(&self, requester: Requester) -> Reader {
        Reader { serving: self.clone(), requester }
    }

    /// Opens the account of something that a requester is given.
    pub(super) fn account(&self, requester: Requester, exchange: Exchange, cid: Cid) -> Account {
        let served = Served { requester, exchange, cid, bytes: 0, complete: false };
        Account { serving: self.clone(), served }
    }

    fn tell(&self, event: ServingEvent) {
        // Nobody listening is fine.
        let _ = self.inner.events.send(event);
    }

    fn tell_of_file(&self, path: &Path, error: &SourceError) {
        // Whoever comes to listen later shall hear of it at the next request.
        let heard = self.inner.events.receiver_count() > 0;
        if heard && lock(&self.inner.files).is_news(path, Instant::now()) {
            self.tell(ServingEvent::FileChanged { path: path.into(), reason: error.whole() });
        }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}

/// The blocks as one requester sees them: what is not for it is not here.
#[derive(Clone)]
pub(super) struct Reader {
    serving: Serving,
    requester: Requester,
}

impl Reader {
    /// The block's bytes. Waits for a disk.
    pub(super) fn get(&self, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        self.told(cid, self.serving.inner.source.get(&self.requester, cid))
    }

    /// The block's size in bytes. Waits for a disk.
    pub(super) fn size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        self.told(cid, self.serving.inner.source.size(&self.requester, cid))
    }

    /// Whether something that is shared begins at this block.
    pub(super) fn begins(&self, cid: &Cid) -> bool {
        self.serving.inner.source.begins(cid)
    }

    fn told<T>(&self, cid: &Cid, read: Result<T, SourceError>) -> Result<T, SourceError> {
        read.inspect_err(|error| {
            tracing::warn!(requester = %self.requester, %cid, %error, "a block cannot be read");
            if let Some(path) = error.file() {
                self.serving.tell_of_file(path, error);
            }
        })
    }
}

/// The account of something that is being given, told when it is dropped unless
/// nothing was.
pub(super) struct Account {
    serving: Serving,
    served: Served,
}

impl Account {
    /// What was asked for.
    pub(super) const fn cid(&self) -> &Cid {
        &self.served.cid
    }

    /// So many bytes went to the network.
    pub(super) const fn sent(&mut self, bytes: u64) {
        self.served.bytes += bytes;
        self.served.complete = false;
    }

    /// That was all of it.
    pub(super) const fn complete(&mut self) {
        self.served.complete = true;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.served.bytes > 0 {
            self.serving.tell(ServingEvent::Served(self.served.clone()));
        }
    }
}

/// The files that were told about, and when, oldest first.
#[derive(Default)]
struct FilesTold(VecDeque<(PathBuf, Instant)>);

impl FilesTold {
    /// Whether to tell of this file now.
    fn is_news(&mut self, path: &Path, now: Instant) -> bool {
        let old = |told: Instant| now.duration_since(told) >= TOLD_AGAIN;
        while self.0.front().is_some_and(|(_, told)| old(*told)) {
            self.0.pop_front();
        }
        if self.0.iter().any(|(known, _)| known == path) {
            return false;
        }
        if self.0.len() >= MAX_FILES_TOLD {
            self.0.pop_front();
        }
        self.0.push_back((path.to_path_buf(), now));
        true
    }
}

const TOLD_AGAIN: Duration = Duration::from_secs(FILE_TOLD_AGAIN_SECONDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_about_once_in_a_while() {
        let (mut files, start) = (FilesTold::default(), Instant::now());
        let (one, other) = (Path::new("/a"), Path::new("/b"));
        assert!(files.is_news(one, start));
        assert!(!files.is_news(one, start));
        assert!(files.is_news(other, start + TOLD_AGAIN / 2));
        assert!(files.is_news(one, start + TOLD_AGAIN));
        assert!(!files.is_news(other, start + TOLD_AGAIN));
    }

    #[test]
    fn so_many_files_are_remembered_and_no_more() {
        let (mut files, now) = (FilesTold::default(), Instant::now());
        let path = |number: usize| PathBuf::from(format!("/{number}"));
        assert!((0..=MAX_FILES_TOLD).all(|number| files.is_news(&path(number), now)));
        assert_eq!(files.0.len(), MAX_FILES_TOLD);
        assert!(!files.is_news(&path(1), now));
        assert!(files.is_news(&path(0), now), "the oldest gave way");
    }
}
