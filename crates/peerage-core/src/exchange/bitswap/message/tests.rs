use proptest::prelude::*;

use super::*;
use crate::data::{HashKind, codec, hash};
use crate::limits::{MAX_BITSWAP_MESSAGE_BYTES, MAX_BITSWAP_MESSAGE_ENTRIES};

/// Written by @helia/bitswap 3.2.3's own encoder.
const FROM_HELIA: &str = "0a9d010a2e0a2401551220b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde910011800200028010a300a22122059948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbef10ffffffff071801200028000a370a2401701220c3c4733ec8affd06cf9e9ff50ffc6bcd2ec85a6170004bb709669c31de94391a10fbffffffffffffffff0118002001280110011a130a0401551220120b68656c6c6f20776f726c641a0c0a040070122012040a02080122260a2401701220c3c4733ec8affd06cf9e9ff50ffc6bcd2ec85a6170004bb709669c31de94391a22260a22122059948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbef1001288020";

fn from_helia() -> Message {
    let bytes = data_encoding::HEXLOWER.decode(FROM_HELIA.as_bytes()).unwrap();
    Message::decode(bytes.into()).unwrap()
}

fn hello() -> Cid {
    hash(codec::RAW, HashKind::Sha2_256, b"hello world")
}

fn payload(data: &'static [u8]) -> Payload {
    let block = Block::new(codec::RAW, HashKind::Sha2_256, Bytes::from_static(data));
    Payload { prefix: Prefix::of(block.cid()), data: block.into_parts().1 }
}

#[test]
fn reads_what_helia_writes() {
    let message = from_helia();
    let entries = &message.wantlist.entries;
    assert!(message.wantlist.full);
    assert_eq!(entries[0], Entry::block(hello(), 1));
    assert!(entries[1].cancel);
    assert_eq!(entries[1].cid.to_string(), "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
    assert_eq!(entries[1].priority, i32::MAX);
    assert_eq!((entries[2].want, entries[2].priority), (Want::Have, -5));
    let blocks: Vec<_> =
        message.blocks.iter().map(|b| *b.clone().into_block().unwrap().cid()).collect();
    assert_eq!(blocks, [hello(), entries[1].cid]);
    assert_eq!(message.presences[0], Presence { cid: entries[2].cid, have: true });
    assert_eq!(message.presences[1], Presence { cid: entries[1].cid, have: false });
    assert_eq!(message.pending_bytes, 4096);
}

#[test]
fn writes_what_it_read() {
    let message = from_helia();
    assert_eq!(Message::decode(message.encode(Version::V1_2)).unwrap(), message);
}

#[test]
fn the_frame_is_the_message_after_its_length() {
    let message = from_helia();
    let frame = message.encode_framed(Version::V1_2);
    let (length, rest) = unsigned_varint::decode::usize(&frame).unwrap();
    assert_eq!(length, rest.len());
    assert_eq!(rest, &message.encode(Version::V1_2)[..]);
}

#[test]
fn older_peers_are_told_only_what_they_understand() {
    let word = Entry { want: Want::Have, ..Entry::block(hello(), 1) };
    let message = Message {
        wantlist: Wantlist { entries: vec![Entry::block(hello(), 1), word], full: false },
        blocks: vec![payload(b"dawn")],
        presences: vec![Presence { cid: hello(), have: true }],
        pending_bytes: 0,
    };
    let second = Message::decode(message.encode(Version::V1_1)).unwrap();
    assert_eq!(second.wantlist.entries, message.wantlist.entries[..1]);
    assert_eq!(second.blocks, message.blocks);
    assert_eq!(second.presences, []);
    let first = Message::decode(message.encode(Version::V1_0)).unwrap();
    assert_eq!(first.blocks[0].prefix, Prefix::V0);
    assert_eq!(first.blocks[0].data, message.blocks[0].data);
}

#[test]
fn the_number_of_entries_is_limited_from_both_sides() {
    // Empty entries: two bytes each, within a want-list of one field more.
    let list = |entries: usize| {
        let entries = vec![super::wire::Entry::default(); entries];
        let wantlist = super::wire::Wantlist { entries, full: false };
        Bytes::from(
            super::wire::Message { wantlist: Some(wantlist), ..Default::default() }.encode_to_vec(),
        )
    };
    let at_limit = super::wire::decode(list(MAX_BITSWAP_MESSAGE_ENTRIES - 1)).unwrap();
    assert_eq!(at_limit.wantlist.unwrap().entries.len(), MAX_BITSWAP_MESSAGE_ENTRIES - 1);
    let over = Message::decode(list(MAX_BITSWAP_MESSAGE_ENTRIES));
    assert!(matches!(over, Err(DecodeError::TooManyEntries)));
}

#[test]
fn the_size_is_limited_from_both_sides() {
    let sized = |bytes: usize| {
        let data = Bytes::from(vec![0; bytes - 11]);
        let blocks = vec![Payload { prefix: Prefix::of(&hello()), data }];
        Message { blocks, ..Message::default() }.encode(Version::V1_2)
    };
    let spare = sized(MAX_BITSWAP_MESSAGE_BYTES).len() - MAX_BITSWAP_MESSAGE_BYTES;
    let at_limit = sized(MAX_BITSWAP_MESSAGE_BYTES - spare);
    assert_eq!(at_limit.len(), MAX_BITSWAP_MESSAGE_BYTES);
    assert!(Message::decode(at_limit).is_ok());
    let over = Message::decode(sized(MAX_BITSWAP_MESSAGE_BYTES - spare + 1));
    assert!(matches!(over, Err(DecodeError::TooLong { .. })));
}

#[test]
fn refuses_names_that_are_not_cids_and_broken_prefixes() {
    let mut cid = hello().to_bytes();
    cid.push(0);
    let entry = super::wire::Entry { cid: cid.into(), ..Default::default() };
    let wantlist = super::wire::Wantlist { entries: vec![entry], full: false };
    let message = super::wire::Message { wantlist: Some(wantlist), ..Default::default() };
    let read = Message::decode(message.encode_to_vec().into());
    assert!(matches!(read, Err(DecodeError::Cid(_))));
    let block = super::wire::Block { prefix: Bytes::from_static(&[9]), data: Bytes::new() };
    let message = super::wire::Message { payload: vec![block], ..Default::default() };
    let read = Message::decode(message.encode_to_vec().into());
    assert!(matches!(read, Err(DecodeError::Prefix(PrefixError::Malformed))));
}

#[test]
fn a_small_block_does_not_keep_a_large_frame() {
    let large = Bytes::from(vec![1; 100_000]);
    let large = Payload { prefix: Prefix::of(&hello()), data: large };
    let message = Message { blocks: vec![payload(b"dawn"), large], ..Message::default() };
    let frame = message.encode(Version::V1_2);
    let range = frame.as_ptr_range();
    let read = Message::decode(frame.clone()).unwrap();
    assert!(!range.contains(&read.blocks[0].data.as_ptr()));
    assert!(range.contains(&read.blocks[1].data.as_ptr()), "a large block is not copied");
}

fn any_cid() -> impl Strategy<Value = Cid> {
    (any::<u64>(), 0..3).prop_map(|(number, kind)| {
        let data = Bytes::copy_from_slice(&number.to_be_bytes());
        match kind {
            0 => *Block::version_0(data).cid(),
            1 => hash(codec::DAG_CBOR, HashKind::Blake3, &data),
            _ => hash(codec::RAW, HashKind::Sha2_256, &data),
        }
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let want = prop_oneof![Just(Want::Block), Just(Want::Have)];
    (any_cid(), any::<i32>(), any::<bool>(), want, any::<bool>()).prop_map(
        |(cid, priority, cancel, want, send_dont_have)| Entry {
            cid,
            priority,
            cancel,
            want,
            send_dont_have,
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let payload = (any_cid(), proptest::collection::vec(any::<u8>(), 0..64))
        .prop_map(|(cid, data)| Payload { prefix: Prefix::of(&cid), data: data.into() });
    let presence = (any_cid(), any::<bool>()).prop_map(|(cid, have)| Presence { cid, have });
    (
        proptest::collection::vec(any_entry(), 0..6),
        any::<bool>(),
        proptest::collection::vec(payload, 0..6),
        proptest::collection::vec(presence, 0..6),
        any::<i32>(),
    )
        .prop_map(|(entries, full, blocks, presences, pending_bytes)| Message {
            wantlist: Wantlist { entries, full },
            blocks,
            presences,
            pending_bytes,
        })
}

proptest! {
    #[test]
    fn a_message_comes_back_as_it_was(message in any_message()) {
        prop_assert_eq!(Message::decode(message.encode(Version::V1_2)).unwrap(), message);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Message::decode(bytes.into());
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(
        message in any_message(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = message.encode(Version::V1_2).to_vec();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Ok(message) = Message::decode(bytes.into()) {
            for payload in message.blocks {
                let _ = payload.into_block();
            }
        }
    }
}
