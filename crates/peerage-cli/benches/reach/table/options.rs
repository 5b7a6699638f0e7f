//! What was asked for.

use std::{io, str::FromStr, time::Duration};

use super::pair::Pair;

/// More labs at once would only wait for each other.
const MAX_JOBS: usize = 2;

/// What was asked for.
pub(crate) struct Options {
    pub(crate) pairs: Vec<Pair>,
    /// How often each pair is tried, or each row measured.
    pub(crate) tries: u32,
    /// How long a dialler waits for a direct path.
    pub(crate) wait: Duration,
    /// What each of the uplinks loses, each way, in %.
    pub(crate) loss: f64,
    /// How many labs there are at once.
    pub(crate) jobs: usize,
    /// One JSON object for each pair, instead of a table.
    pub(crate) json: bool,
    /// Of the rows with names, only those with this in theirs.
    pub(crate) only: String,
}

impl Options {
    pub(crate) fn read(arguments: &[String]) -> io::Result<Self> {
        let after = |name: &str| {
            let place = arguments.iter().position(|argument| argument == name)?;
            arguments.get(place + 1).map(String::as_str)
        };
        Ok(Self {
            pairs: after("--pairs").map_or(Ok(Vec::new()), Pair::read_all)?,
            tries: number("--tries", after("--tries"), usual_tries(arguments))?,
            wait: Duration::from_secs(number("--wait", after("--wait"), 10)?),
            loss: number("--loss", after("--loss"), 0.0)?,
            jobs: number("--jobs", after("--jobs"), MAX_JOBS)?.clamp(1, MAX_JOBS),
            only: after("--only").unwrap_or_default().to_owned(),
            json: arguments.iter().any(|argument| argument == "--json"),
        })
    }
}

/// Transfers take far longer than a pair's dial.
fn usual_tries(arguments: &[String]) -> u32 {
    if arguments.iter().any(|argument| argument == "--pairs") { 20 } else { 3 }
}

fn number<T: FromStr>(name: &str, text: Option<&str>, usual: T) -> io::Result<T> {
    let Some(text) = text else { return Ok(usual) };
    let wrong = |_| {
        let message = format!("{name} takes a number, not `{text}`");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    };
    text.parse().map_err(wrong)
}
