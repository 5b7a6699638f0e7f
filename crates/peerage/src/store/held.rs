//! A backend that writes nothing before it is known that it may.
//!
//! The database writes as soon as it is opened: marks, and what a crash left to
//! mend. A store that a newer version wrote is not ours to write to. So what is
//! written is held in memory until the store's format has been looked at.

use std::{
    io,
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

use super::lock;

/// A backend whose changes wait for [`Held::release`]. Cloning gives another
/// handle to the same.
#[derive(Debug)]
pub(super) struct Held<B>(Arc<Inner<B>>);

impl<B> Clone for Held<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<B> {
    backend: B,
    /// Whether changes go through.
    is_released: AtomicBool,
    /// What waits, in its order: opening changes a few pages.
    waiting: Mutex<Vec<Change>>,
}

#[derive(Debug)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Resize(u64),
    Sync,
}

impl<B: StorageBackend> Held<B> {
    pub(super) fn new(backend: B) -> Self {
        let (is_released, waiting) = (AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Inner { backend, is_released, waiting }))
    }

    /// Makes the changes that waited, in their order; those that come make
    /// themselves.
    ///
    /// # Errors
    ///
    /// When the backend fails.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut waiting = lock(&self.0.waiting);
        for change in waiting.drain(..) {
            match change {
                Change::Write { offset, data } => self.0.backend.write(offset, &data)?,
                Change::Resize(len) => self.0.backend.set_len(len)?,
                Change::Sync => self.0.backend.sync_data()?,
            }
        }
        self.0.is_released.store(true, Ordering::Release);
        Ok(())
    }

    fn is_released(&self) -> bool {
        self.0.is_released.load(Ordering::Acquire)
    }

    fn wait(&self, change: Change) -> io::Result<()> {
        lock(&self.0.waiting).push(change);
        Ok(())
    }
}

/// How long the storage would be after these changes.
fn length_after(before: u64, changes: &[Change]) -> u64 {
    let resized = changes.iter().rev().find_map(|change| match change {
        Change::Resize(len) => Some(*len),
        _ => None,
    });
    resized.unwrap_or(before)
}

impl Change {
    /// Makes the change in `out`, which is what lies from `start` on.
    fn apply(&self, start: u64, out: &mut [u8]) {
        match self {
            Self::Write { offset, data } => overlay(*offset, data, start, out),
            // What is added later is zeros, whatever was there before.
            Self::Resize(len) => {
                let kept = usize::try_from(len.saturating_sub(start)).unwrap_or(usize::MAX);
                out.iter_mut().skip(kept).for_each(|byte| *byte = 0);
            }
            Self::Sync => {}
        }
    }
}

/// Copies what `data` at `offset` and `out` at `start` have in common.
fn overlay(offset: u64, data: &[u8], start: u64, out: &mut [u8]) {
    let from = offset.max(start);
    let to = (offset + data.len() as u64).min(start + out.len() as u64);
    if from >= to {
        return;
    }
    let within = |position: u64, base: u64| usize::try_from(position - base).unwrap_or(usize::MAX);
    let source = &data[within(from, offset)..within(to, offset)];
    out[within(from, start)..within(to, start)].copy_from_slice(source);
}

impl<B: StorageBackend> StorageBackend for Held<B> {
    fn len(&self) -> io::Result<u64> {
        if self.is_released() {
            return self.0.backend.len();
        }
        Ok(length_after(self.0.backend.len()?, &lock(&self.0.waiting)))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.is_released() {
            return self.0.backend.read(offset, out);
        }
        let waiting = lock(&self.0.waiting);
        let before = self.0.backend.len()?;
        if offset + out.len() as u64 > length_after(before, &waiting) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = usize::try_from(before.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (old, added) = out.split_at_mut(there.min(out.len()));
        self.0.backend.read(offset, old)?;
        added.fill(0);
        waiting.iter().for_each(|change| change.apply(offset, out));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.is_released() {
            self.0.backend.set_len(len)
        } else {
            self.wait(Change::Resize(len))
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is_released() { self.0.backend.sync_data() } else { self.wait(Change::Sync) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.is_released() {
            return self.0.backend.write(offset, data);
        }
        self.wait(Change::Write { offset, data: data.to_vec() })
    }

    fn close(&self) -> io::Result<()> {
        self.0.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.query_lock_range(start, end)
    }
}
