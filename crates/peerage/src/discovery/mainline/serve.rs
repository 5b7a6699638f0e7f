//! What a node does for others in the DHT, and how much of it.

use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::limits::{
    MAINLINE_REQUEST_BURST, MAINLINE_REQUESTS_PER_SECOND, MAX_MAINLINE_INFO_HASHES,
    MAX_MAINLINE_PEERS_PER_HASH, MAX_MAINLINE_VALUES,
};
use crate::sync::lock;
use mainline::{RequestFilter, RequestSpecific, ServerSettings};
use peerage_core::discovery::RateLimit;

/// Keeps some for others, and answers each source at a rate.
pub(super) fn settings() -> ServerSettings {
    ServerSettings {
        max_info_hashes: MAX_MAINLINE_INFO_HASHES,
        max_peers_per_info_hash: MAX_MAINLINE_PEERS_PER_HASH,
        max_immutable_values: MAX_MAINLINE_VALUES,
        max_mutable_values: MAX_MAINLINE_VALUES,
        filter: Box::new(Sources::new()),
    }
}

#[derive(Clone, Debug)]
struct Sources {
    rate: Arc<Mutex<RateLimit>>,
    started: Instant,
}

impl Sources {
    fn new() -> Self {
        let rate = RateLimit::new(MAINLINE_REQUESTS_PER_SECOND, MAINLINE_REQUEST_BURST);
        Self { rate: Arc::new(Mutex::new(rate)), started: Instant::now() }
    }
}

impl RequestFilter for Sources {
    fn allow_request(&self, _request: &RequestSpecific, from: SocketAddrV4) -> bool {
        let mut rate = lock(&self.rate);
        rate.allow((*from.ip()).into(), self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_source_is_answered_at_a_rate() {
        let sources = Sources::new();
        let from = "192.0.2.1:1".parse::<SocketAddrV4>().unwrap();
        let mut rate = sources.rate.lock().unwrap();
        let answered = (0..10 * MAINLINE_REQUEST_BURST)
            .filter(|_| rate.allow((*from.ip()).into(), Duration::ZERO))
            .count();
        assert_eq!(answered, MAINLINE_REQUEST_BURST as usize);
    }
}
