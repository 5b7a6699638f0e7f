//! Options of TCP sockets.

use std::time::Duration;

use libp2p::tcp::tokio::TcpStream;
use socket2::{SockRef, TcpKeepalive};

/// How long bytes that were sent may stay unanswered, and how long an idle
/// peer may leave probes unanswered, before the connection is dead. With the
/// probe that discovers it, a peer that vanished is noticed within 5 s.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(4);

/// How long a connection may be silent before the kernel probes it.
const PROBE_AFTER: Duration = Duration::from_secs(2);

/// How long the kernel waits between two probes.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Lets the kernel notice a peer that vanished: by probes while the
/// connection is idle, and by missing acknowledgements while it is busy.
///
/// Best effort: a system that lacks an option still gives a connection.
pub(crate) fn tune(stream: &TcpStream) {
    let socket = SockRef::from(&stream.0);
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY);
    #[cfg(not(windows))]
    let probes = probes.with_retries(3);
    if let Err(error) = socket.set_tcp_keepalive(&probes) {
        tracing::debug!(%error, "no keep-alive on this socket");
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Err(error) = socket.set_tcp_user_timeout(Some(DEAD_AFTER)) {
        tracing::debug!(%error, "no user timeout on this socket");
    }
}
