//! How the C library's allocator treats memory that is freed.

/// Keeps what is freed for the next block, up to a bound.
///
/// Blocks and frames come and go some hundred times a second. By default the
/// allocator returns each large one to the system and is given zeroed pages for
/// the next: a tenth of the CPU time of a transfer. Call it before any thread
/// is started. It changes nothing where the C library is not GNU's.
pub(crate) fn settle() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    gnu::settle();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod gnu {
    use std::ffi::c_int;

    /// What may stay unused at the top of a heap, in bytes.
    const KEPT: c_int = 16 * 1024 * 1024;

    /// Allocations from this size on go back to the system at once: larger than
    /// every block and frame.
    const LARGE: c_int = 4 * 1024 * 1024;

    /// Each heap keeps memory of its own, so there are no more than cores that
    /// a transfer can use, and few.
    const HEAPS: c_int = 4;

    #[allow(unsafe_code, reason = "no safe crate sets these options")]
    pub(super) fn settle() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let heaps = c_int::try_from(cores).unwrap_or(HEAPS).min(HEAPS);
        for (option, value) in [
            (libc::M_TRIM_THRESHOLD, KEPT),
            (libc::M_MMAP_THRESHOLD, LARGE),
            (libc::M_ARENA_MAX, heaps),
        ] {
            // SAFETY: sets a number inside the allocator; an option that it does
            // not know is ignored. No other thread runs yet.
            unsafe { libc::mallopt(option, value) };
        }
    }
}
