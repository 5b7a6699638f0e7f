//! Frames of [yamux], cut into smaller ones as they come in.
//!
//! A sender may put as many bytes into one frame as the receiver's window has
//! room for, and js-yamux does. A reader that takes frames of a limited size
//! only, whatever its window, needs them cut; to the streams that is the same.
//!
//! [yamux]: https://github.com/hashicorp/yamux/blob/master/spec.md

/// How long the header before every frame is.
const HEADER_BYTES: usize = 12;

/// The type of a frame that carries bytes of a stream; the length of others
/// counts something else, and nothing follows their header.
const DATA: u8 = 0;

/// The type of a frame that grants a larger window, and may begin a stream.
const WINDOW: u8 = 1;

/// The flags that end a stream, FIN and RST: they belong to the last piece of
/// a frame. SYN and ACK, which begin one, belong to the first.
const ENDING: u8 = 4 | 8;

/// The flag that begins a stream.
const BEGINNING: u8 = 1;

/// Where the flags are within a header; those of the higher byte are unused.
const FLAGS: usize = 3;

/// Where the number of the stream is.
const STREAM: std::ops::Range<usize> = 4..8;

/// Where the length of a frame is within its header, the highest byte first.
const LENGTH: std::ops::Range<usize> = 8..HEADER_BYTES;

/// A frame of which the header is there, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The stream that it belongs to.
    pub stream: u32,
    /// How many bytes of that stream it carries.
    pub bytes: u32,
    /// Whether it begins the stream.
    pub begins: bool,
}

/// Reads frames, and answers with frames that carry no more than a limit.
///
/// Its driver goes round three questions. Are there bytes to give on
/// ([`give`](Self::give))? Is a header to be read, and where to
/// ([`header`](Self::header))? How many bytes of a frame may be read and given
/// on as they are ([`payload`](Self::payload))? After reading it says how many
/// bytes came ([`took`](Self::took)).
///
/// ```
/// use peerage_core::routing::yamux::FrameSplitter;
///
/// let mut splitter = FrameSplitter::new(4);
/// // Six bytes on stream 1, which end it.
/// let header = [0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 6];
/// splitter.header().unwrap().copy_from_slice(&header);
/// splitter.took(header.len());
/// let mut first = [0; 12];
/// assert_eq!(splitter.give(&mut first), 12);
/// assert_eq!(first, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4]);
/// assert_eq!(splitter.payload(), 4);
/// splitter.took(4);
/// let mut second = [0; 12];
/// assert_eq!(splitter.give(&mut second), 12);
/// assert_eq!(second, [0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2]);
/// assert_eq!(splitter.payload(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct FrameSplitter {
    most: u32,
    header: [u8; HEADER_BYTES],
    /// How much of the header was read.
    read: usize,
    /// How much of the header was given on.
    given: usize,
    /// How many bytes of the piece are still to come.
    piece: u32,
    /// How many bytes of the frame are to come after this piece.
    rest: u32,
    /// The flags of the frame that its last piece gets.
    ending: u8,
}

impl FrameSplitter {
    /// Cuts frames into pieces of at most `most` bytes, without the header.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        let header = [0; HEADER_BYTES];
        Self { most, header, read: 0, given: HEADER_BYTES, piece: 0, rest: 0, ending: 0 }
    }

    /// Puts what is there of a piece's header into `out`; how many bytes.
    pub fn give(&mut self, out: &mut [u8]) -> usize {
        let left = &self.header[self.given..];
        let count = left.len().min(out.len());
        out[..count].copy_from_slice(&left[..count]);
        self.given += count;
        count
    }

    /// Where the next bytes of a header are to be read to, if they come next.
    pub fn header(&mut self) -> Option<&mut [u8]> {
        let due = self.given == HEADER_BYTES && self.piece == 0;
        due.then(|| &mut self.header[self.read..])
    }

    /// How many bytes may be read and given on as they are.
    #[must_use]
    pub fn payload(&self) -> usize {
        if self.given == HEADER_BYTES { self.piece as usize } else { 0 }
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn within_a_frame(&self) -> bool {
        self.read > 0 || self.given < HEADER_BYTES || self.piece > 0
    }

    /// So many bytes came of what was asked for last.
    pub fn took(&mut self, count: usize) {
        if self.piece > 0 {
            self.piece = self.piece.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            if self.piece == 0 && self.rest > 0 {
                self.begin_piece(self.rest);
            }
            return;
        }
        self.read += count;
        if self.read >= HEADER_BYTES {
            self.begin_frame();
        }
    }

    /// What the header says that was read last, or made of it: asked for once a
    /// header, before it is given on.
    #[must_use]
    pub fn announced(&self) -> Option<Announced> {
        if self.given > 0 {
            return None;
        }
        let bytes = if self.header[1] == DATA { self.piece } else { 0 };
        let begins = self.header[1] <= WINDOW && self.header[FLAGS] & BEGINNING != 0;
        Some(Announced { stream: number(&self.header[STREAM]), bytes, begins })
    }

    fn begin_frame(&mut self) {
        self.read = 0;
        if self.header[1] != DATA {
            self.given = 0;
            return;
        }
        self.ending = self.header[FLAGS] & ENDING;
        self.header[FLAGS] &= !ENDING;
        self.begin_piece(self.length());
    }

    /// Begins a piece of a frame of which so many bytes are to come.
    fn begin_piece(&mut self, left: u32) {
        if self.rest > 0 {
            // What begins a stream was said with the first piece.
            self.header[FLAGS - 1..=FLAGS].fill(0);
        }
        self.piece = left.min(self.most);
        self.rest = left - self.piece;
        if self.rest == 0 {
            self.header[FLAGS] |= self.ending;
        }
        self.header[LENGTH].copy_from_slice(&self.piece.to_be_bytes());
        self.given = 0;
    }

    fn length(&self) -> u32 {
        number(&self.header[LENGTH])
    }
}

/// A number of a header, the highest byte first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, length: u32) -> Vec<u8> {
        let mut frame = vec![0, kind, 0, flags, 0, 0, 0, stream];
        frame.extend(length.to_be_bytes());
        if kind == DATA {
            frame.extend((0..length).map(|number| number.to_le_bytes()[0]));
        }
        frame
    }

    /// What comes out when at most `step` bytes are there at once.
    fn split(most: u32, bytes: &[u8], step: usize) -> Vec<u8> {
        let (mut splitter, mut input, mut output) = (FrameSplitter::new(most), bytes, Vec::new());
        loop {
            let mut some = vec![0; step];
            let given = splitter.give(&mut some);
            output.extend_from_slice(&some[..given]);
            if given > 0 {
                continue;
            }
            if input.is_empty() {
                return output;
            }
            if let Some(room) = splitter.header() {
                let count = room.len().min(step).min(input.len());
                room[..count].copy_from_slice(&input[..count]);
                splitter.took(count);
                input = &input[count..];
                continue;
            }
            let count = splitter.payload().min(step).min(input.len());
            assert!(count > 0, "reading goes on");
            output.extend_from_slice(&input[..count]);
            splitter.took(count);
            input = &input[count..];
        }
    }

    /// The bytes and the flags of each stream, in order; and the other frames.
    type Told = (Vec<(u8, u8, Vec<u8>)>, Vec<Vec<u8>>);

    fn told(most: u32, mut bytes: &[u8]) -> Told {
        let (mut streams, mut others): Told = Default::default();
        while !bytes.is_empty() {
            let length = u32::from_be_bytes(bytes[LENGTH].try_into().unwrap());
            let end = if bytes[1] == DATA { HEADER_BYTES + length as usize } else { HEADER_BYTES };
            if bytes[1] == DATA {
                assert!(length <= most);
                let (stream, flags, data) = (bytes[7], bytes[FLAGS], &bytes[HEADER_BYTES..end]);
                match streams.last_mut() {
                    // Only what follows at once can be of one frame.
                    Some((last, all, before)) if *last == stream && *all & ENDING == 0 => {
                        *all |= flags;
                        before.extend_from_slice(data);
                    }
                    _ => streams.push((stream, flags, data.to_vec())),
                }
            } else {
                others.push(bytes[..end].to_vec());
            }
            bytes = &bytes[end..];
        }
        (streams, others)
    }

    /// Reads a whole header.
    fn begun(frame: &[u8]) -> FrameSplitter {
        let mut splitter = FrameSplitter::new(4);
        splitter.header().unwrap().copy_from_slice(&frame[..HEADER_BYTES]);
        splitter.took(HEADER_BYTES);
        splitter
    }

    #[test]
    fn each_piece_is_announced_before_it_is_given_on_and_not_after() {
        let mut splitter = begun(&frame(DATA, 1, 7, 6));
        let first = Announced { stream: 7, bytes: 4, begins: true };
        assert_eq!(splitter.announced(), Some(first));
        assert_eq!(splitter.give(&mut [0; HEADER_BYTES]), HEADER_BYTES);
        assert_eq!(splitter.announced(), None);
        splitter.took(4);
        let second = Announced { stream: 7, bytes: 2, begins: false };
        assert_eq!(splitter.announced(), Some(second));
    }

    #[test]
    fn a_stream_may_begin_without_bytes_and_a_ping_begins_none() {
        let window = Announced { stream: 9, bytes: 0, begins: true };
        assert_eq!(begun(&frame(WINDOW, 1, 9, 1000)).announced(), Some(window));
        assert!(!begun(&frame(2, 1, 0, 1000)).announced().unwrap().begins);
    }

    #[test]
    fn what_begins_a_stream_comes_first_and_what_ends_it_last() {
        let output = split(4, &frame(DATA, 1 | 4, 7, 10), 64);
        let flags: Vec<_> = [0, 16, 32].map(|at| (output[at + FLAGS], output[at + 11])).to_vec();
        assert_eq!(flags, [(1, 4), (0, 4), (4, 2)]);
        assert_eq!(output.len(), 10 + 3 * HEADER_BYTES);
    }

    #[test]
    fn the_length_of_other_frames_counts_no_bytes() {
        let window = frame(1, 0, 3, u32::MAX);
        let empty = frame(DATA, 4, 3, 0);
        assert_eq!(
            split(8, &[window.clone(), empty.clone()].concat(), 5),
            [window, empty].concat()
        );
    }

    #[test]
    fn a_frame_that_fits_stays_as_it_is() {
        let bytes = frame(DATA, 2 | 8, 9, 8);
        assert_eq!(split(8, &bytes, 3), bytes);
    }

    proptest! {
        #[test]
        fn no_byte_and_no_flag_is_lost(
            frames in prop::collection::vec((0..3_u8, 0..16_u8, 1..4_u8, 0..50_u32), 0..20),
            most in 1..20_u32,
            step in 1..40_usize,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|f| frame(f.0, f.1, f.2, f.3)).collect();
            let output = split(most, &bytes, step);
            prop_assert_eq!(told(most, &output), told(u32::MAX, &bytes));
            prop_assert_eq!(split(most, &bytes, 1000), output);
        }
    }
}
