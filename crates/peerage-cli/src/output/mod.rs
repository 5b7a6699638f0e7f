//! What the user sees. Results go to standard output, everything else to
//! standard error; with `--json` both are objects on standard output.

mod human;
mod json;
mod progress;
mod qr;
mod size;

use std::{
    borrow::Cow,
    io::{self, Write as _},
    process::ExitCode,
};

use peerage::text::for_terminal;

use self::human::Human;
pub(crate) use self::{qr::Qr, size::amount};
use crate::{
    event::Event,
    failure::{Code, Failure},
    limits::MAX_SHOWN_COLUMNS,
    settings::{Settings, Voice},
};

/// Text of others, fit for a terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    for_terminal(text, MAX_SHOWN_COLUMNS)
}

/// The lines of a failure for a terminal: at most two, without control
/// characters, since causes can quote what a peer said.
fn lines(failure: &Failure) -> String {
    let mut text = format!("error: {}\n", clean(&failure.cause));
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("  hint: {}\n", clean(hint)));
    }
    text
}

/// Shows events as they come.
#[derive(Debug)]
pub(crate) enum Output {
    /// As JSON lines.
    Json(json::Place),
    /// As text for people.
    Human(Box<Human>),
}

impl Output {
    /// The output that the settings ask for.
    pub(crate) fn new(settings: &Settings, qr: Qr) -> Self {
        match settings.voice {
            Voice::Json => Self::Json(json::Place::of(settings)),
            Voice::Quiet | Voice::Talkative => Self::Human(Box::new(Human::new(settings, qr))),
        }
    }

    /// Shows one event.
    ///
    /// # Errors
    ///
    /// When standard output is closed or full.
    pub(crate) fn show(&mut self, event: &Event) -> Result<(), Failure> {
        match self {
            Self::Json(place) => json::line(event, *place),
            Self::Human(human) => human.show(event),
        }
        .map_err(|error| unwritable(&error))
    }

    /// Takes progress bars off the terminal.
    pub(crate) fn clear(&mut self) {
        if let Self::Human(human) = self {
            human.clear();
        }
    }
}

/// The last step: says what went wrong, if anything, and with which code to exit.
pub(crate) fn finish(settings: &Settings, outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    match (failure.code, settings.voice) {
        (Code::Interrupted | Code::OutputClosed, _) => {}
        (_, Voice::Json) => {
            drop(json::line(&Event::Error(failure.clone()), json::Place::of(settings)))
        }
        (_, Voice::Quiet | Voice::Talkative) => complain(&lines(&failure), settings),
    }
    failure.code.into()
}

fn complain(lines: &str, settings: &Settings) {
    let text = match (settings.colours, lines.strip_prefix("error:")) {
        (true, Some(rest)) => format!("\x1b[1;31merror:\x1b[0m{rest}"),
        _ => lines.to_owned(),
    };
    // When standard error is closed there is nobody left to tell.
    let _closed = io::stderr().write_all(text.as_bytes());
}

/// Writes a result to standard output and flushes it, so that whoever reads a
/// pipe has it at once.
///
/// # Errors
///
/// When standard output is closed or full.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write_out(text.as_bytes()).map_err(|error| unwritable(&error))
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn unwritable(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure {
            code: Code::OutputClosed,
            cause: "standard output was closed".into(),
            hint: None,
        },
        _ => Failure::writing(&"standard output", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_never_prints_control_characters() {
        let text = lines(&Failure::new(Code::PeerLost, "it said \x1b[31m\nboo", "x\r"));
        assert_eq!(text.matches(char::is_control).count(), 2, "{text:?}");
    }
}
