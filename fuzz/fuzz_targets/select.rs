//! Walks over graphs whose blocks are anything.
#![no_main]

use std::collections::HashSet;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use peerage_core::data::{
    Cid, HashKind, codec, hash,
    select::{DagScope, EntityBytes, Selection, Walk},
};
use peerage_fuzz::{Parts, Pool};

/// How far a walk is followed: repetition can make it very long.
const STEPS: usize = 2_000;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let Some(selection) = selection(&mut parts) else { return };
    let blocks: Vec<&[u8]> = parts.take(32).collect();
    let given = follow(&selection, &Pool::of(&blocks));
    let unique: HashSet<_> = given.iter().collect();
    assert!(selection.duplicates || unique.len() == given.len(), "a block came twice");
});

/// What is to be walked: a byte of flags, a range, and the path.
fn selection(parts: &mut Parts<'_>) -> Option<Selection> {
    let (flags, from, to, names) = (parts.byte(), parts.byte(), parts.byte(), parts.byte());
    let scope = [DagScope::Block, DagScope::Entity, DagScope::All][usize::from(flags % 3)];
    let signed = |byte: u8| i64::from(byte.cast_signed());
    let range = EntityBytes { from: signed(from), to: (to != 0).then(|| signed(to)) };
    let path = parts.take(usize::from(names % 4)).map(Bytes::copy_from_slice).collect();
    let (ranged, duplicates, record) = (flags & 8 != 0, flags & 16 != 0, flags & 32 != 0);
    let first = parts.clone().next()?;
    let codec = if record { codec::DAG_CBOR } else { codec::DAG_PB };
    let root = hash(codec, HashKind::Sha2_256, first);
    Some(Selection { root, path, scope, range: ranged.then_some(range), duplicates })
}

/// The blocks that the walk asks for, until its end, an error or enough.
fn follow(selection: &Selection, pool: &Pool) -> Vec<Cid> {
    let mut walk = Walk::new(selection.clone());
    let mut given = Vec::new();
    for turn in 0..STEPS {
        let Ok(Some(step)) = walk.advance() else { break };
        if !step.repeat {
            given.push(step.cid);
        }
        if step.feed && walk.feed(&step.cid, pool.get(&step.cid, turn).data()).is_err() {
            break;
        }
    }
    given
}
