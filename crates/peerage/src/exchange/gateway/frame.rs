//! A piece of a body: blocks in one piece each, without copying large ones.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};

/// Blocks under this size, in bytes, are copied next to each other: that costs
/// less than a piece, and then a write, for each.
const COPIED: usize = 32 * 1024;

/// Bytes in several pieces, read one after the other.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl Frame {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.length += piece.len();
            self.pieces.push_back(piece);
        }
    }
}

impl From<Bytes> for Frame {
    fn from(piece: Bytes) -> Self {
        let mut frame = Self::default();
        frame.push(piece);
        frame
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.length, "cannot advance past the end of a frame");
        self.length -= count;
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

/// Makes frames.
#[derive(Debug)]
pub(super) struct FrameBuilder {
    frame: Frame,
    small: BytesMut,
    /// How much is copied together at once.
    room: usize,
}

impl FrameBuilder {
    /// For frames of about `bytes` bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { frame: Frame::default(), small: BytesMut::new(), room: bytes + COPIED }
    }

    pub(super) fn len(&self) -> usize {
        self.frame.length + self.small.len()
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() < COPIED {
            if self.small.is_empty() {
                self.small.reserve(if piece.len() < 128 { 128 } else { self.room });
            }
            self.small.extend_from_slice(&piece);
        } else {
            self.close_small();
            self.frame.push(piece);
        }
    }

    fn close_small(&mut self) {
        self.frame.push(self.small.split().freeze());
    }

    pub(super) fn finish(mut self) -> Frame {
        self.close_small();
        self.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sizes: &[usize]) -> (Frame, Vec<u8>) {
        let (mut builder, mut flat) = (FrameBuilder::new(1000), Vec::new());
        for (index, &size) in sizes.iter().enumerate() {
            let piece = vec![u8::try_from(index).unwrap(); size];
            flat.extend_from_slice(&piece);
            builder.push(piece.into());
        }
        assert_eq!(builder.len(), flat.len());
        (builder.finish(), flat)
    }

    #[test]
    fn keeps_the_bytes_and_their_order() {
        let (mut frame, flat) = frame(&[10, 0, 20, COPIED, 5, COPIED * 2, COPIED - 1, 1]);
        assert_eq!(frame.remaining(), flat.len());
        assert_eq!(frame.pieces.len(), 5);
        let mut read = Vec::new();
        while frame.has_remaining() {
            let step = frame.chunk().len().min(7_000);
            read.extend_from_slice(&frame.chunk()[..step]);
            frame.advance(step);
        }
        assert_eq!(read, flat);
    }

    #[test]
    fn gives_all_pieces_at_once_and_advances_across_them() {
        let (mut frame, flat) = frame(&[10, COPIED, 10]);
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(frame.chunks_vectored(&mut slices), 3);
        frame.advance(COPIED + 15);
        assert_eq!(frame.chunk(), &flat[COPIED + 15..]);
    }
}
