//! Datagrams that must arrive, or must not.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::PATIENCE;

/// How often a datagram is sent that must not arrive.
const ROUNDS: usize = 5;

/// After how long a datagram is sent again.
const AGAIN: Duration = Duration::from_millis(100);

/// Sends until it arrives, and gives where it came from.
pub(super) fn arrives(from: &UdpSocket, to: SocketAddr, at: &UdpSocket) -> SocketAddr {
    let letter = letter();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        from.send_to(&letter, to).unwrap();
        if let Some(sender) = wait(at, &letter) {
            return sender;
        }
    }
    panic!("nothing from {from:?} to {to} arrived at {at:?}");
}

/// Sends what must not arrive. That it did not is known when something else
/// has arrived that was sent later: from `witness` to the address `open`.
pub(super) fn is_lost(
    (from, to): (&UdpSocket, SocketAddr),
    at: &UdpSocket,
    (witness, open): (&UdpSocket, SocketAddr),
) {
    let lost = letter();
    at.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..ROUNDS {
        let later = letter();
        // Where there is no way at all, the system may say so.
        let _refused = from.send_to(&lost, to);
        witness.send_to(&later, open).unwrap();
        loop {
            let (read, _) = receive(at).expect("what is sent later arrives");
            assert_ne!(read, lost, "from {from:?} to {to} at {at:?}");
            if read == later {
                break;
            }
        }
    }
}

/// Text that no other datagram has: what is late is not mistaken.
fn letter() -> Vec<u8> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec()
}

/// Reads until this letter comes, for a moment.
fn wait(at: &UdpSocket, letter: &[u8]) -> Option<SocketAddr> {
    at.set_read_timeout(Some(AGAIN)).unwrap();
    loop {
        let (read, sender) = receive(at)?;
        if read == letter {
            return Some(sender);
        }
    }
}

/// The next datagram, or nothing when none comes in time.
pub(super) fn receive(at: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = vec![0; 2048];
    let (length, sender) = at.recv_from(&mut buffer).ok()?;
    buffer.truncate(length);
    Some((buffer, sender))
}
