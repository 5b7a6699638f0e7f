//! `--json`: one object a line.

use std::io::{self, Write as _};

use crate::{event::Event, settings::Settings};

/// Where the lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To standard output.
    Output,
    /// To standard error, because standard output has other bytes.
    Errors,
}

impl Place {
    /// Where the settings leave room.
    pub(crate) const fn of(settings: &Settings) -> Self {
        if settings.writes_bytes { Self::Errors } else { Self::Output }
    }
}

/// Writes one event.
///
/// # Errors
///
/// When the place is closed or full.
pub(super) fn line(event: &Event, place: Place) -> io::Result<()> {
    let mut line = serde_json::to_vec(event).map_err(io::Error::other)?;
    line.push(b'\n');
    match place {
        Place::Output => super::write_out(&line),
        Place::Errors => io::stderr().write_all(&line),
    }
}
