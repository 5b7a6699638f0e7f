//! What the DNS and the Mainline DHT say, and what is asked of our zone: the
//! first byte says which, then parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    discovery::{
        mainline,
        zone::{self, Place, Walk},
    },
    identity::parse_peer_id,
    limits::{MAX_ADDRESSES_PER_PEER, MAX_DNSADDR_QUESTIONS},
};
use peerage_fuzz::Parts;

const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 3 {
        0 => place(rest),
        1 => walk(rest),
        _ => value(rest),
    }
});

fn place(input: &[u8]) {
    let mut parts = Parts::of(input);
    let labels: Vec<&[u8]> = std::iter::from_fn(|| parts.next()).collect();
    if let Place::Peer(peer) | Place::Above(peer) = Place::of(&labels) {
        let label = zone::label(&peer).expect("a peer that was read from a label has one");
        assert!(labels.last().is_some_and(|last| last.eq_ignore_ascii_case(label.as_bytes())));
    }
}

/// The same texts answer every question.
fn walk(input: &[u8]) {
    let mut parts = Parts::of(input);
    let texts: Vec<&[u8]> = std::iter::from_fn(|| parts.next()).collect();
    let mut walk = Walk::new(PEER.parse().expect("a peer id"), ["example.org"]);
    let (mut asked, mut found) = (0, 0);
    while let Some(question) = walk.next_question() {
        asked += 1;
        assert!(question.name.starts_with("_dnsaddr.") && question.name.len() <= 253);
        found += walk.answer(&question, texts.iter().copied()).len();
    }
    assert!(asked <= MAX_DNSADDR_QUESTIONS && found <= MAX_ADDRESSES_PER_PEER);
}

fn value(input: &[u8]) {
    let peer = parse_peer_id(PEER).expect("a peer id");
    if let Some(record) = mainline::read_value(&peer, input) {
        assert_eq!(record.peer(), peer);
        assert!(zone::texts(&record, peerage_core::discovery::Scope::Local).len() <= 16);
        let _ = (zone::ip_addresses(&record), mainline::announced_port(record.addresses()));
    }
}
