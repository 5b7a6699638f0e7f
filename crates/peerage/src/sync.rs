//! What threads and tasks need of each other everywhere.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinError;

/// Locks a mutex. Whoever panicked while holding it has left nothing half done:
/// what our locks guard is changed by single calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what waits for a disk or computes for long on a thread that may, away
/// from those of the runtime: at once, whether or not the result is awaited. A
/// panic there goes on with whoever awaits it.
pub(crate) fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> + Send {
    let task = tokio::task::spawn_blocking(work);
    async move {
        match finished(task.await) {
            Some(done) => done,
            // Work that has begun is not stopped, and what has not begun is
            // only while the runtime ends and polls nobody any more.
            None => std::future::pending().await,
        }
    }
}

/// What a task came to; nothing when it was stopped. A panic there goes on here.
pub(crate) fn finished<T>(task: Result<T, JoinError>) -> Option<T> {
    match task {
        Ok(done) => Some(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_stopped) => None,
        },
    }
}
