//! Where blocks live: the user's own files for what is in them, and a small
//! database for the rest.
//!
//! The store does not copy what it shares. For a block that is a range of a
//! file it records which ([`Batch::reference`]), and reads the file when the
//! block is asked for, after checking that size and modification time are as
//! recorded. Blocks that are in no file (folders, inner nodes, symbolic links)
//! it keeps ([`Batch::block`]).
//!
//! Everything belongs to an [`Owner`]: files that are shared or added, a
//! download, a database, a pin. Several may own the same block; it goes when the
//! last of them is removed ([`Store::remove_owner`]). An owner with files has a
//! base folder that their paths start from, so moving the folder is one small
//! write ([`Store::move_owner`]). [`Store::owners`] tells what is here, and by
//! its kind why. Beside blocks, an owner may have keys and values
//! ([`Store::values_of`]).
//!
//! All methods block on the disk for a short time; asynchronous code calls them
//! from `spawn_blocking` or threads of its own.

mod batch;
mod error;
mod files;
mod held;
mod migrate;
pub(crate) mod os;
mod owner;
mod owners;
mod read;
mod record;
mod sweep;
mod tables;
mod values;
mod write;

use std::{
    collections::{BTreeMap, HashMap},
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use peerage_core::data::Cid;
use redb::{Database, DatabaseError, Durability, ReadableDatabase as _, StorageBackend};
use tokio::sync::watch;

use self::{
    files::{ChangedFiles, OpenFiles},
    held::Held,
};

pub use self::{
    batch::{Batch, Frame},
    error::StoreError,
    files::ChangedFile,
    owner::{DownloadState, Owner, OwnerId, OwnerKind, Purpose},
    record::{FileRecord, Modified},
    values::{KeyValue, ValueChange, Values, ValuesPage},
};
use crate::limits::MAX_WRITES_UNSYNCED;

/// The database's file in the store's folder.
const FILE_NAME: &str = "blocks.redb";

/// How much of the database is held in memory: its inner pages and what was
/// used last. The users' files are in the system's page cache instead.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// A store of blocks. Cloning gives another handle to the same store.
///
/// ```
/// use bytes::Bytes;
/// use peerage::store::{OwnerKind, Store};
/// use peerage_core::data::{Block, HashKind, codec};
///
/// let store = Store::memory()?;
/// let block = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(b"dawn"));
/// let pin = store.add_owner(OwnerKind::Pin { root: *block.cid() })?;
/// store.put(pin, &[block.clone()])?;
/// assert_eq!(store.get(block.cid())?.as_deref(), Some(b"dawn".as_slice()));
/// # Ok::<(), peerage::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// Written to only by compaction, which needs the database to itself.
    database: RwLock<Database>,
    secret: [u8; 32],
    owners: RwLock<BTreeMap<OwnerId, Owner>>,
    /// Held while an owner changes, in the database and here.
    changing_owners: Mutex<()>,
    /// How many owners have each root.
    roots: RwLock<HashMap<Cid, u32>>,
    /// How often the owners have changed.
    changes: watch::Sender<u64>,
    open_files: Mutex<OpenFiles>,
    changed: Mutex<ChangedFiles>,
    /// Writes since the last durable one.
    unsynced: AtomicU32,
    /// Whether compacting may gain something.
    grown: AtomicBool,
}

impl Store {
    /// Opens the store in the folder `dir`, or makes one there.
    ///
    /// After a crash the store holds everything up to a moment at or after the
    /// last [`Store::sync`].
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] when another process has it open,
    /// [`StoreError::NewerFormat`] when a newer version wrote it, which leaves
    /// the file as it is; others when the folder cannot be made, or what is in
    /// it is not a store. One of an older version becomes one of this.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let folder = |source| StoreError::Folder { path: dir.to_path_buf(), source };
        crate::files::private_folder(dir).map_err(folder)?;
        let file = private_file(&dir.join(FILE_NAME)).map_err(folder)?;
        let backend = redb::backends::FileBackend::new(file)?;
        Self::with_backend(backend).map_err(|error| match error {
            StoreError::Database(inner) if matches!(*inner, redb::Error::DatabaseAlreadyOpen) => {
                StoreError::InUse { path: dir.to_path_buf() }
            }
            error => error,
        })
    }

    /// A store in memory, which is gone when its last handle is.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn memory() -> Result<Self, StoreError> {
        Self::with_backend(redb::backends::InMemoryBackend::new())
    }

    /// A store on a backend of the caller's: somewhere to keep bytes.
    ///
    /// # Errors
    ///
    /// When the backend fails, or what is in it is not a store that we read.
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        // A store that is newer is refused untouched.
        let backend = Held::new(backend);
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend.clone())
            .map_err(|error: DatabaseError| StoreError::from(error))?;
        let found = tables::read_format(&database.begin_read()?)?;
        backend.release().map_err(redb::StorageError::Io)?;
        let secret = prepare(&database, found)?;
        let owners = owners::load(&database.begin_read()?)?;
        let inner = Inner {
            database: RwLock::new(database),
            secret,
            roots: RwLock::new(owners::count_roots(&owners)),
            owners: RwLock::new(owners),
            changing_owners: Mutex::default(),
            changes: watch::Sender::default(),
            open_files: Mutex::default(),
            changed: Mutex::default(),
            unsynced: AtomicU32::new(0),
            grown: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes everything written so far survive a crash of the machine.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn sync(&self) -> Result<(), StoreError> {
        if self.inner.unsynced.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let database = self.inner.database();
        self.inner.begin_write(&database, true)?.commit()
    }

    /// Makes the database's file as small as its contents, if it has been
    /// written to since it was last compacted. Happens by itself when the last
    /// handle is dropped. Nobody else can read or write meanwhile.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn compact(&self) -> Result<(), StoreError> {
        let mut database = self.inner.database.write().unwrap_or_else(PoisonError::into_inner);
        self.inner.compact(&mut database)
    }

    /// The files in which a block was asked for and which had changed, were
    /// missing or could not be read: the last 256 of them, each once.
    #[must_use]
    pub fn changed_files(&self) -> Vec<ChangedFile> {
        lock(&self.inner.changed).list()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Inner {
    fn database(&self) -> RwLockReadGuard<'_, Database> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to write; waits for whoever is writing. Now and then the
    /// transaction is made durable though it need not be.
    fn begin_write(&self, database: &Database, durable: bool) -> Result<Writing<'_>, StoreError> {
        let mut redb = database.begin_write()?;
        let unsynced = self.unsynced.fetch_add(1, Ordering::AcqRel);
        let durable = durable || unsynced >= MAX_WRITES_UNSYNCED;
        redb.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        Ok(Writing { inner: self, redb, durable })
    }

    fn compact(&self, database: &mut Database) -> Result<(), StoreError> {
        if self.grown.swap(false, Ordering::AcqRel) {
            database.compact()?;
            self.unsynced.store(0, Ordering::Release);
        }
        Ok(())
    }
}

/// A write transaction.
struct Writing<'a> {
    inner: &'a Inner,
    redb: redb::WriteTransaction,
    durable: bool,
}

impl Writing<'_> {
    fn commit(self) -> Result<(), StoreError> {
        self.inner.grown.store(true, Ordering::Release);
        // Still the only writer here, so nobody else counts meanwhile.
        if self.durable {
            self.inner.unsynced.store(0, Ordering::Release);
        }
        self.redb.commit().inspect_err(|_| self.inner.unsynced.store(1, Ordering::Release))?;
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let grown = self.grown.swap(false, Ordering::AcqRel);
        let database = self.database.get_mut().unwrap_or_else(PoisonError::into_inner);
        if grown && let Err(error) = database.compact() {
            tracing::warn!(%error, "the store could not be compacted");
        }
    }
}

/// Makes the store what this version writes; its secret.
fn prepare(database: &Database, found: Option<(u64, [u8; 32])>) -> Result<[u8; 32], StoreError> {
    match found {
        Some((tables::FORMAT, secret)) => Ok(secret),
        Some((1, secret)) => {
            migrate::from_format_1(database, &secret)?;
            Ok(secret)
        }
        Some(_) => Err(StoreError::Damaged { table: "meta" }),
        None => {
            let transaction = database.begin_write()?;
            let secret = tables::prepare(&transaction)?;
            transaction.commit()?;
            Ok(secret)
        }
    }
}

/// Opens the database's file, which only its owner may read: it has the names
/// of the user's files in it.
fn private_file(path: &PathBuf) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
