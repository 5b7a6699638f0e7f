//! Frames of yamux, cut into smaller ones, in pieces of any size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::routing::yamux::FrameSplitter;
use peerage_fuzz::Parts;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let most = u32::from(parts.byte()) + 1;
    let step = usize::from(parts.byte()) + 1;
    let stream = parts.rest();
    let output = split(most, stream, step);
    assert_eq!(output, split(most, stream, usize::from(u8::MAX)), "the cuts change what is read");
    assert_eq!(output, split(most, &output, step), "what is cut already stays as it is");
});

fn split(most: u32, mut input: &[u8], step: usize) -> Vec<u8> {
    let mut splitter = FrameSplitter::new(most);
    let mut output = Vec::new();
    let mut some = vec![0; step];
    let (mut announced, mut read) = (0, 0);
    loop {
        announced += splitter.announced().map_or(0, |frame| u64::from(frame.bytes));
        let given = splitter.give(&mut some);
        output.extend_from_slice(&some[..given]);
        if given > 0 {
            continue;
        }
        if input.is_empty() {
            return output;
        }
        let count = match splitter.header() {
            Some(room) => {
                let count = room.len().min(step).min(input.len());
                room[..count].copy_from_slice(&input[..count]);
                count
            }
            None => {
                let count = splitter.payload().min(step).min(input.len());
                assert!(count > 0, "reading goes on");
                output.extend_from_slice(&input[..count]);
                read += count as u64;
                assert!(read <= announced, "bytes of no frame");
                count
            }
        };
        splitter.took(count);
        input = &input[count..];
    }
}
