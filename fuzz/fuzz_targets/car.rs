//! CARs, in pieces of any size.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use peerage_core::data::{Cid, car};
use peerage_fuzz::Parts;

#[derive(Debug, PartialEq)]
struct Read {
    roots: Vec<Cid>,
    blocks: Vec<(Cid, Bytes)>,
    end: Result<(), car::CarError>,
}

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let steps: Vec<usize> = (0..4).map(|_| usize::from(parts.byte()) + 1).collect();
    let bytes = Bytes::copy_from_slice(parts.rest());

    let in_steps = read(cut(&bytes, &steps));
    assert_eq!(in_steps, read(vec![bytes]), "the cuts change what is read");
    if in_steps.end.is_ok() {
        let written = write(&in_steps);
        assert_eq!(read(vec![written]), in_steps);
    }
});

fn cut(bytes: &Bytes, steps: &[usize]) -> Vec<Bytes> {
    let mut rest = bytes.clone();
    let mut pieces = Vec::new();
    for step in steps.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        pieces.push(rest.split_to(rest.len().min(*step)));
    }
    pieces
}

/// Reads as a client does: all that is there, before the next bytes come.
fn read(pieces: Vec<Bytes>) -> Read {
    let mut decoder = car::Decoder::new();
    let mut read = Read { roots: Vec::new(), blocks: Vec::new(), end: Ok(()) };
    for piece in pieces {
        decoder.push(piece);
        read.end = take_all(&mut decoder, &mut read);
        if read.end.is_err() {
            return read;
        }
    }
    read.end = decoder.finish();
    read
}

fn take_all(decoder: &mut car::Decoder, read: &mut Read) -> Result<(), car::CarError> {
    if let Some(roots) = decoder.roots()? {
        read.roots = roots.to_vec();
    }
    while let Some(block) = decoder.next_block()? {
        read.blocks.push(block);
    }
    Ok(())
}

fn write(read: &Read) -> Bytes {
    let mut bytes = car::header(&read.roots).to_vec();
    for (cid, block) in &read.blocks {
        bytes.extend_from_slice(&car::frame(cid, block.len()));
        bytes.extend_from_slice(block);
    }
    bytes.into()
}
