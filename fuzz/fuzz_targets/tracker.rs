//! Requests and answers of a tracker, on both of its protocols, and the
//! snapshot of its registry.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    discovery::{
        LegacyPeerRecord, SignedPeerRecord,
        registry::{Caller, RecordForm, Registry},
        rendezvous, tracker,
    },
    identity::{Keypair, parse_peer_id},
};
use peerage_fuzz::Parts;

const HUB: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
/// Whose requests the seeds are.
const CALLER: [u8; 32] = [1; 32];
const NOW: Duration = Duration::from_secs(1_700_000_000);

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    match parts.byte() % 3 {
        0 => requests(parts),
        1 => registrations(parts),
        _ => snapshot(parts.rest()),
    }
});

fn registry() -> Registry {
    Registry::new(parse_peer_id(HUB).expect("a peer id"))
}

fn caller() -> Caller {
    let key = Keypair::ed25519_from_bytes(CALLER).expect("32 bytes");
    Caller { peer: key.public().to_peer_id(), seen: vec![[192, 0, 2, 1].into()] }
}

fn requests(parts: Parts<'_>) {
    let mut registry = registry();
    for request in parts {
        let Ok(request) = tracker::Message::decode(request) else { continue };
        assert_eq!(tracker::Message::decode(&request.encode()).as_ref(), Ok(&request));
        let answer = tracker::answer(&mut registry, &caller(), request, NOW);
        assert_eq!(tracker::Message::decode(&answer.encode()), Ok(answer));
    }
    check(registry);
}

fn registrations(parts: Parts<'_>) {
    let mut registry = registry();
    for request in parts {
        let Ok(request) = rendezvous::Message::decode(request) else { continue };
        assert_eq!(rendezvous::Message::decode(&request.encode()).as_ref(), Ok(&request));
        let form = RecordForm::Legacy;
        let answer = rendezvous::answer(&mut registry, &caller(), form, request, NOW);
        if let Some(answer) = answer {
            assert_eq!(rendezvous::Message::decode(&answer.encode()), Ok(answer));
        }
    }
    check(registry);
}

fn snapshot(bytes: &[u8]) {
    let mut registry = registry();
    let _ = registry.restore(bytes, NOW);
    check(registry);
    // Records are read apart from what holds them.
    if let Ok(record) = SignedPeerRecord::decode(bytes) {
        assert_eq!(SignedPeerRecord::decode(&record.encode()).ok(), Some(record));
    }
    if let Ok(record) = LegacyPeerRecord::decode(bytes) {
        assert_eq!(LegacyPeerRecord::decode(&record.encode()).ok(), Some(record));
    }
}

/// What is held is restored as it is, and goes when its time comes.
fn check(mut registry: Registry) {
    let mut restored = self::registry();
    let taken = restored.restore(&registry.snapshot(), NOW).expect("our own snapshot");
    // Of those who vouch for each other as relays, some may be left out.
    assert!(taken <= registry.peers() && restored.bytes() <= registry.bytes());
    registry.sweep(NOW + Duration::from_secs(1 << 30));
    assert_eq!((registry.peers(), registry.bytes()), (0, 0));
}
