//! `--json`: one object a line.

use std::io;

use crate::event::Event;

/// Writes one event.
///
/// # Errors
///
/// When standard output is closed or full.
pub(super) fn line(event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event).map_err(io::Error::other)?;
    line.push(b'\n');
    super::write_out(&line)
}
