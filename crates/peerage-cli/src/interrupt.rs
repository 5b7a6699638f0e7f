//! Ctrl-C and its relatives: the first asks the command to stop, the second
//! ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Code;

/// A token that is cancelled by SIGINT, SIGTERM or SIGHUP. Call it within a
/// runtime, once.
///
/// # Errors
///
/// When the system refuses the handlers.
pub(crate) fn listen() -> io::Result<CancellationToken> {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .map(signal)
        .into_iter()
        .collect::<io::Result<Vec<Signal>>>()?;
    let cancel = CancellationToken::new();
    let stopping = cancel.clone();
    tokio::spawn(async move {
        any(&mut signals).await;
        stopping.cancel();
        any(&mut signals).await;
        std::process::exit(Code::Interrupted as i32);
    });
    Ok(cancel)
}

async fn any(signals: &mut [Signal]) {
    let received = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures::future::select_all(received).await;
}
