//! How many frames of a connection nobody has read yet.
//!
//! Windows bound the bytes of a stream and not the frames. Crate `yamux` keeps
//! each frame by itself, so that one of a single byte takes some 64: a stranger
//! who fills all windows with such frames would have gigabytes wait here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::limits::MAX_YAMUX_UNREAD_FRAMES;
use crate::sync::lock;

/// What waits on all streams of a connection; a cheap handle.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    streams: HashMap<u32, Waiting>,
    frames: usize,
    /// Who reads the socket, while there are too many.
    paused: Option<Waker>,
}

/// What waits on one stream; never more frames than bytes.
#[derive(Debug, Default)]
struct Waiting {
    frames: usize,
    bytes: usize,
}

impl Unread {
    /// Notes that there is a stream; what comes on others is thrown away anyway.
    pub(super) fn open(&self, stream: u32) {
        lock(&self.0).streams.entry(stream).or_default();
    }

    /// Notes that a frame begins to come.
    pub(super) fn came(&self, stream: u32, bytes: u32) {
        let mut table = lock(&self.0);
        let Some(waiting) = table.streams.get_mut(&stream).filter(|_| bytes > 0) else { return };
        waiting.bytes = waiting.bytes.saturating_add(bytes as usize);
        waiting.frames += 1;
        table.frames += 1;
    }

    /// Notes that so many bytes were read.
    pub(super) fn took(&self, stream: u32, bytes: usize) {
        let mut table = lock(&self.0);
        let Some(waiting) = table.streams.get_mut(&stream) else { return };
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        let read = waiting.frames.saturating_sub(waiting.bytes);
        waiting.frames -= read;
        table.less(read);
    }

    /// Notes that a stream is gone, with all that waited on it.
    pub(super) fn close(&self, stream: u32) {
        let mut table = lock(&self.0);
        let gone = table.streams.remove(&stream);
        table.less(gone.map_or(0, |waiting| waiting.frames));
    }

    /// Waits until there is room for one more frame.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut table = lock(&self.0);
        if table.frames < MAX_YAMUX_UNREAD_FRAMES {
            return Poll::Ready(());
        }
        table.paused = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Table {
    fn less(&mut self, frames: usize) {
        self.frames = self.frames.saturating_sub(frames);
        if self.frames < MAX_YAMUX_UNREAD_FRAMES
            && let Some(paused) = self.paused.take()
        {
            paused.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;

    use super::*;

    fn has_room(unread: &Unread) -> bool {
        unread.poll_room(&Context::from_waker(noop_waker_ref())).is_ready()
    }

    #[test]
    fn many_small_frames_fill_a_connection_until_they_are_read_or_thrown_away() {
        let unread = Unread::default();
        for end in ["read", "gone"] {
            (1..=4).for_each(|stream| unread.open(stream));
            for frame in 0..u32::try_from(MAX_YAMUX_UNREAD_FRAMES).unwrap() {
                assert!(has_room(&unread), "{frame}");
                unread.came(frame % 4 + 1, 1);
            }
            assert!(!has_room(&unread));
            match end {
                "read" => unread.took(2, 100),
                _ => unread.close(2),
            }
            assert!(has_room(&unread), "{end}");
            (1..=4).for_each(|stream| unread.close(stream));
        }
    }

    #[test]
    fn a_stream_that_is_read_is_never_full_and_others_do_not_count() {
        let unread = Unread::default();
        unread.open(1);
        for _ in 0..2 * MAX_YAMUX_UNREAD_FRAMES {
            unread.came(1, 3);
            unread.took(1, 3);
            unread.came(7, 1);
        }
        assert!(has_room(&unread));
    }
}
