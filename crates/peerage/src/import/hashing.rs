//! The threads that read and hash, one for each core.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender},
    },
    thread,
};

use bytes::Bytes;
use peerage_core::data::{
    Cid, Profile,
    layout::{Part, inline_frame},
    unixfs::Metadata,
};

use crate::limits::MAX_IMPORT_ATTEMPTS;
use crate::store::os::{self, Stat};
use crate::sync::lock;

/// What decides the CIDs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) profile: Profile,
    pub(super) metadata: bool,
}

impl Rules {
    /// What is kept of a file or folder besides its content.
    pub(super) fn metadata_of(&self, stat: &Stat) -> Metadata {
        if self.metadata {
            Metadata { mode: Some(stat.mode), mtime: Some(stat.modified.into()) }
        } else {
            Metadata::default()
        }
    }
}

/// A file to be read whole by one thread.
#[derive(Debug)]
pub(super) struct SmallFile {
    pub(super) number: u32,
    pub(super) path: PathBuf,
}

pub(super) enum Job {
    Files(Vec<SmallFile>),
    /// Some chunks of a file.
    Piece {
        number: u32,
        file: Arc<File>,
        offset: u64,
        len: u64,
    },
}

pub(super) enum Outcome {
    Files(Vec<(u32, Result<Hashed, Trouble>)>),
    Piece {
        number: u32,
        offset: u64,
        leaves: Result<Vec<Part>, Trouble>,
    },
    /// The job's thread panicked, which its scope tells on.
    Lost,
}

/// A job whose outcome somebody waits for: even a panic must be told.
struct Owed<'a>(&'a SyncSender<Outcome>);

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _nobody_waits = self.0.send(Outcome::Lost);
        }
    }
}

/// A file that was read whole and did not change meanwhile.
pub(super) struct Hashed {
    pub(super) stat: Stat,
    pub(super) leaves: Vec<Part>,
}

/// Why a file could not be read.
pub(super) enum Trouble {
    Io(io::Error),
    /// It changed whenever it was read, or is shorter than it was.
    Changing,
    /// It is not a file any more.
    NotAFile,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Does jobs until there are no more, or nobody wants the outcomes.
pub(super) fn work(rules: Rules, jobs: &Mutex<Receiver<Job>>, outcomes: &SyncSender<Outcome>) {
    let mut hasher = Hasher { rules, buffer: Vec::new() };
    let _owed = Owed(outcomes);
    loop {
        let job = lock(jobs).recv();
        let Ok(job) = job else { return };
        if outcomes.send(hasher.run(job)).is_err() {
            return;
        }
    }
}

struct Hasher {
    rules: Rules,
    /// Used again for every chunk.
    buffer: Vec<u8>,
}

impl Hasher {
    fn run(&mut self, job: Job) -> Outcome {
        match job {
            Job::Files(files) => {
                let hash = |file: SmallFile| (file.number, self.file(&file.path));
                Outcome::Files(files.into_iter().map(hash).collect())
            }
            Job::Piece { number, file, offset, len } => {
                let leaves = self.range(&file, offset, len);
                Outcome::Piece { number, offset, leaves }
            }
        }
    }

    /// Reads a whole file, again if it changes meanwhile.
    fn file(&mut self, path: &Path) -> Result<Hashed, Trouble> {
        for _ in 0..MAX_IMPORT_ATTEMPTS {
            let file = os::open(path)?;
            let stat = os::stat(&file)?;
            if !stat.is_file {
                return Err(Trouble::NotAFile);
            }
            let leaves = match self.whole(&file, &stat) {
                Err(Trouble::Changing) => continue,
                leaves => leaves?,
            };
            if os::stat(&file)?.same_content(&stat) {
                return Ok(Hashed { stat, leaves });
            }
        }
        Err(Trouble::Changing)
    }

    fn whole(&mut self, file: &File, stat: &Stat) -> Result<Vec<Part>, Trouble> {
        let metadata = self.rules.metadata_of(stat);
        let chunk = self.rules.profile.chunk_size as u64;
        if stat.size == 0 {
            Ok(Vec::new())
        } else if stat.size <= chunk && !metadata.is_empty() {
            Ok(vec![self.inline(file, 0, stat.size, &metadata)?])
        } else {
            self.range(file, 0, stat.size)
        }
    }

    /// The leaves of a range of a file.
    fn range(&mut self, file: &File, offset: u64, len: u64) -> Result<Vec<Part>, Trouble> {
        let chunk = self.rules.profile.chunk_size.max(1);
        let mut leaves = Vec::new();
        for start in (offset..offset + len).step_by(chunk) {
            let bytes = (offset + len - start).min(chunk as u64);
            leaves.push(if self.rules.profile.raw_leaves {
                self.raw(file, start, bytes)?
            } else {
                self.inline(file, start, bytes, &Metadata::default())?
            });
        }
        Ok(leaves)
    }

    fn raw(&mut self, file: &File, offset: u64, len: u64) -> Result<Part, Trouble> {
        self.buffer.clear();
        self.append(file, offset, len)?;
        let cid = self.rules.profile.raw_leaf_cid(&self.buffer);
        Ok(part(cid, len, len))
    }

    fn inline(
        &mut self,
        file: &File,
        offset: u64,
        len: u64,
        metadata: &Metadata,
    ) -> Result<Part, Trouble> {
        let length = usize::try_from(len).map_err(|_| Trouble::Changing)?;
        let frame = inline_frame(length, metadata);
        self.buffer.clear();
        self.buffer.extend_from_slice(&frame.prefix);
        self.append(file, offset, len)?;
        self.buffer.extend_from_slice(&frame.suffix);
        // The buffer goes into the block and comes back, without a copy.
        let block = self.rules.profile.node(Bytes::from(std::mem::take(&mut self.buffer)));
        let (cid, data) = block.into_parts();
        let part = part(cid, len, data.len() as u64);
        self.buffer = data.into();
        Ok(part)
    }

    fn append(&mut self, file: &File, offset: u64, len: u64) -> Result<(), Trouble> {
        let length = usize::try_from(len).map_err(|_| Trouble::Changing)?;
        let end = self.buffer.len() + length;
        os::read_at(file, offset, length, &mut self.buffer)?;
        if self.buffer.len() == end { Ok(()) } else { Err(Trouble::Changing) }
    }
}

const fn part(cid: Cid, file_bytes: u64, total_size: u64) -> Part {
    Part { cid, file_bytes, total_size }
}
