use proptest::prelude::*;

use super::*;
use crate::{
    data::{Block, HashKind, codec},
    limits::MAX_BLOCK_BYTES,
};

fn blocks(contents: &[Vec<u8>]) -> Vec<(Cid, Bytes)> {
    let block = |data: &Vec<u8>| Block::new(codec::RAW, HashKind::Sha2_256, data.clone().into());
    contents.iter().map(|data| block(data).into_parts()).collect()
}

fn version_1(blocks: &[(Cid, Bytes)]) -> Vec<u8> {
    let roots: Vec<Cid> = blocks.iter().take(1).map(|(cid, _)| *cid).collect();
    let mut car = header(&roots).to_vec();
    for (cid, data) in blocks {
        car.extend_from_slice(&frame(cid, data.len()));
        car.extend_from_slice(data);
    }
    car
}

/// Version 2 as its specification has it: pragma, header, padding, version 1,
/// index.
fn version_2(inner: &[u8], padding: usize, index: &[u8]) -> Vec<u8> {
    let mut car = vec![0x0a, 0xa1, 0x67];
    car.extend_from_slice(b"version\x02");
    car.extend_from_slice(&[0; 16]);
    let offset = VERSION_2_PREFIX_BYTES + padding as u64;
    for number in [offset, inner.len() as u64, offset + inner.len() as u64] {
        car.extend_from_slice(&number.to_le_bytes());
    }
    car.extend(std::iter::repeat_n(0, padding));
    car.extend_from_slice(inner);
    car.extend_from_slice(index);
    car
}

fn read(car: &[u8], step: usize) -> Result<Vec<(Cid, Bytes)>, CarError> {
    let mut decoder = Decoder::new();
    let mut found = Vec::new();
    for chunk in car.chunks(step.max(1)) {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(block) = decoder.next_block()? {
            found.push(block);
        }
    }
    decoder.finish()?;
    Ok(found)
}

#[test]
fn a_block_within_one_chunk_is_not_copied() {
    let blocks = blocks(&[vec![7; 1000]]);
    let car = Bytes::from(version_1(&blocks));
    let mut decoder = Decoder::new();
    decoder.push(car.clone());
    let (_, data) = decoder.next_block().unwrap().unwrap();
    assert_eq!(data.as_ptr(), car[car.len() - 1000..].as_ptr());
    assert_eq!(decoder.roots().unwrap(), Some(&[blocks[0].0][..]));
}

#[test]
fn reads_the_version_1_inside_version_2() {
    let blocks = blocks(&[b"dawn".to_vec(), b"dusk".to_vec()]);
    for (padding, index) in [(0, &b""[..]), (13, b"an index that is not read")] {
        let car = version_2(&version_1(&blocks), padding, index);
        for step in [1, 7, car.len()] {
            assert_eq!(read(&car, step).as_ref(), Ok(&blocks));
        }
    }
}

#[test]
fn a_version_2_whose_block_crosses_its_end_is_refused() {
    let blocks = blocks(&[b"dawn".to_vec()]);
    let inner = version_1(&blocks);
    let mut car = version_2(&inner, 0, b"");
    car[35..43].copy_from_slice(&(inner.len() as u64 - 1).to_le_bytes());
    assert_eq!(read(&car, 9), Err(CarError::MalformedSection));
}

#[test]
fn a_car_that_is_cut_short_is_noticed_wherever_it_is_cut() {
    let blocks = blocks(&[b"dawn".to_vec(), b"dusk".to_vec()]);
    let car = version_1(&blocks);
    let whole_after = [header(&[blocks[0].0]).len(), car.len() - 4 - frame(&blocks[1].0, 4).len()];
    for length in (0..car.len()).filter(|length| !whole_after.contains(length)) {
        assert_eq!(read(&car[..length], 5), Err(CarError::Truncated), "{length}");
    }
}

#[test]
fn refuses_what_is_over_a_limit() {
    let largest = blocks(&[vec![0; MAX_BLOCK_BYTES]]);
    assert_eq!(read(&version_1(&largest), 1 << 20), Ok(largest));
    let mut car = header(&[]).to_vec();
    car.extend_from_slice(encode::usize(MAX_CAR_SECTION_BYTES + 1, &mut encode::usize_buffer()));
    assert_eq!(read(&car, 100), Err(CarError::SectionTooLarge));
    let mut head = Vec::new();
    head.extend_from_slice(encode::usize(MAX_CAR_HEADER_BYTES + 1, &mut encode::usize_buffer()));
    assert_eq!(read(&head, 100), Err(CarError::HeaderTooLarge));
    assert_eq!(read(&[1, 0x80], 1), Err(CarError::MalformedHeader));
    let mut empty_section = header(&[]).to_vec();
    empty_section.push(0);
    assert_eq!(read(&empty_section, 100), Err(CarError::MalformedSection));
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_is_cut(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
        step in 1..400_usize,
    ) {
        let blocks = blocks(&contents);
        prop_assert_eq!(read(&version_1(&blocks), step), Ok(blocks));
    }

    #[test]
    fn never_panics(car in proptest::collection::vec(any::<u8>(), 0..300), step in 1..50_usize) {
        let _ = read(&car, step);
        let mut after_header = header(&[]).to_vec();
        after_header.extend_from_slice(&car);
        let _ = read(&after_header, step);
        let _ = read(&version_2(&after_header, 3, b""), step);
    }
}
