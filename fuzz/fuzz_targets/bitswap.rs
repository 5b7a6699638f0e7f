//! Bitswap messages, and what a server does with them.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use peerage_core::{
    data::verify,
    exchange::bitswap::{Found, Ledger, Message, Outcome, Prefix, Reply, Version, Wantlist},
    limits::{MAX_BITSWAP_MESSAGE_ENTRIES, MAX_BITSWAP_WANTS_PER_PEER},
};

fuzz_target!(|input: &[u8]| {
    if let Ok(prefix) = Prefix::from_bytes(input) {
        assert_eq!(prefix.to_bytes(), input);
    }
    let Ok(message) = Message::decode(Bytes::copy_from_slice(input)) else { return };
    let entries = message.wantlist.entries.len();
    assert!(
        entries + message.blocks.len() + message.presences.len() <= MAX_BITSWAP_MESSAGE_ENTRIES
    );
    write(&message);
    serve(&message.wantlist);
    for payload in message.blocks {
        let prefix = payload.prefix;
        let Ok(block) = payload.into_block() else { continue };
        assert_eq!(Prefix::of(block.cid()), prefix);
        assert!(verify(block.cid(), block.data()).is_ok());
    }
});

/// What is written for a peer of any version is read by it.
fn write(message: &Message) {
    let newest = Message::decode(message.encode(Version::V1_2)).expect("what was written is read");
    assert_eq!(newest, *message);
    for version in Version::ALL {
        let framed = message.encode_framed(version);
        let bytes = message.encode(version);
        assert!(framed.ends_with(&bytes));
        Message::decode(bytes).expect("what was written is read");
    }
}

/// Answers a want-list sent twice, every other want with a block.
fn serve(wantlist: &Wantlist) {
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        let accepted = ledger.receive(wantlist);
        assert!(ledger.len() <= MAX_BITSWAP_WANTS_PER_PEER);
        assert!(accepted.refused.len() <= accepted.dropped);
        let mut reply = Reply::default();
        reply.refuse(accepted.refused);
        let mut here = false;
        while let Some(asked) = ledger.next_asked() {
            here = !here;
            let found = if here { Found::Block(Bytes::from_static(b"x")) } else { Found::Nothing };
            let outcome = reply.add(&asked, found);
            assert_eq!(outcome == Outcome::Answered, here);
            ledger.settle(&asked.cid, outcome);
        }
        assert!(!ledger.has_queued());
        reply.into_message().inspect(|message| assert!(!message.is_empty()));
    }
    for entry in &wantlist.entries {
        ledger.arrived(&entry.cid);
    }
    while let Some(asked) = ledger.next_asked() {
        ledger.settle(&asked.cid, Outcome::Answered);
    }
    assert!(ledger.is_empty());
}
