//! All chance of a run, from its seed: the simulation's own, and what libp2p and
//! the order of hash maps ask the system for.

use std::ffi::{c_uint, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static STATE: AtomicU64 = AtomicU64::new(0);

/// Begins anew from a seed.
pub(crate) fn seed(seed: u64) {
    STATE.store(seed, Ordering::Relaxed);
}

/// The next number (SplitMix64).
pub(crate) fn next() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut value = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// One below `count`, which is not 0.
pub(crate) fn below(count: usize) -> usize {
    usize::try_from(next() % count as u64).unwrap_or(0)
}

/// From 0 to 1, without 1.
pub(crate) fn fraction() -> f64 {
    f64::from(u32::try_from(next() >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

/// How long until the next of events that are independent of each other, when
/// there are so many a second.
pub(crate) fn until_next(a_second: f64) -> Duration {
    Duration::from_secs_f64(-(1.0 - fraction()).ln() / a_second)
}

/// A duration between two.
pub(crate) fn between(least: Duration, most: Duration) -> Duration {
    least + (most - least).mul_f64(fraction())
}

/// Stands in for the system call by which everything below asks for chance.
/// What Peerage itself would have to be secret for is none of a simulation's.
///
/// # Safety
///
/// `buffer` must have room for `length` bytes, as the C library demands.
// SAFETY: the name is the C library's, and so is what it takes and answers.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, _flags: c_uint) -> isize {
    for index in 0..length {
        // SAFETY: whoever calls has room for `length` bytes there.
        unsafe { buffer.cast::<u8>().add(index).write(next().to_le_bytes()[7]) };
    }
    isize::try_from(length).unwrap_or(-1)
}
