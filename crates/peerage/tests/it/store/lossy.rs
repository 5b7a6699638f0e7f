//! A backend that loses in a crash what a disk may lose: any of the sectors
//! written since the last sync.

use std::{
    io,
    sync::{Arc, Mutex},
};

use redb::StorageBackend;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// Bytes in memory of which a crash keeps what was synced, and of the rest
/// each sector or not, as the seed has it.
#[derive(Clone, Debug)]
pub(crate) struct Lossy(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    seed: u64,
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Writes, resizes and syncs until everything fails.
    left: Option<u64>,
}

impl Lossy {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { seed, now: Vec::new(), synced: Vec::new(), left: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Lets `operations` more changes through; then the machine is off.
    pub(crate) fn crash_after(&self, operations: u64) {
        self.0.lock().unwrap().left = Some(operations);
    }

    /// What is on the disk when the machine is on again.
    pub(crate) fn after_crash(&self) -> Self {
        let mut state = self.0.lock().unwrap();
        let mut random = state.seed | 1;
        // The length is the new one or the old one; what it adds is zeros.
        let len =
            if next(&mut random).is_multiple_of(2) { state.now.len() } else { state.synced.len() };
        let mut disk = std::mem::take(&mut state.synced);
        disk.resize(len, 0);
        for (old, new) in disk.chunks_mut(SECTOR).zip(state.now.chunks(SECTOR)) {
            if next(&mut random).is_multiple_of(2) {
                let both = old.len().min(new.len());
                old[..both].copy_from_slice(&new[..both]);
            }
        }
        let state = State { seed: random, now: disk.clone(), synced: disk, left: None };
        Self(Arc::new(Mutex::new(state)))
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.left == Some(0) {
            return Err(io::Error::other("the machine is off"));
        }
        state.left = state.left.map(|left| left - 1);
        change(&mut state);
        Ok(())
    }
}

/// Marsaglia's xorshift.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

impl StorageBackend for Lossy {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let range = state.now.get(start..start + out.len());
        out.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|state| state.now.resize(usize::try_from(len).unwrap(), 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|state| state.synced.clone_from(&state.now))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.change(|state| state.now[start..start + data.len()].copy_from_slice(data))
    }
}
