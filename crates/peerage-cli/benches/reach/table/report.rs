//! The table.

use std::{collections::BTreeMap, io};

use serde_json::json;

use super::{pair::Pair, trial::Try};

/// How a pair did.
pub(crate) struct Row {
    pub(crate) pair: Pair,
    pub(crate) tries: io::Result<Vec<Try>>,
}

/// Times, in ms.
struct Times {
    median: f64,
    worst: f64,
}

impl Times {
    /// Nothing when there are none.
    fn of(times: impl Iterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        let worst = *times.last()?;
        let middle = times.len() / 2;
        let median = if times.len() % 2 == 1 {
            times[middle]
        } else {
            f64::midpoint(times[middle - 1], times[middle])
        };
        Some(Self { median, worst })
    }
}

/// What the tries of a pair come to.
struct Figures {
    tries: usize,
    connected: usize,
    direct: usize,
    until_connected: Option<Times>,
    until_direct: Option<Times>,
    /// How often each path was the direct one.
    paths: BTreeMap<String, usize>,
    /// How often each thing went wrong.
    failures: BTreeMap<String, usize>,
}

impl Figures {
    fn of(tries: &[Try]) -> Self {
        let connected = || tries.iter().filter_map(|one| one.connected.as_ref());
        let direct = || tries.iter().filter_map(|one| one.direct.as_ref());
        let failures = tries.iter().map(|one| &one.why).filter(|why| !why.is_empty());
        Self {
            tries: tries.len(),
            connected: connected().count(),
            direct: direct().count(),
            until_connected: Times::of(connected().map(|(after, _)| *after)),
            until_direct: Times::of(direct().map(|(after, _)| *after)),
            paths: count(direct().map(|(_, path)| path)),
            failures: count(failures),
        }
    }
}

fn count<'a>(what: impl Iterator<Item = &'a String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in what {
        *counts.entry(one.clone()).or_default() += 1;
    }
    counts
}

impl Row {
    /// How it went, for one who waits for the table.
    pub(crate) fn sentence(&self) -> String {
        match &self.tries {
            Ok(tries) => {
                let Figures { tries, connected, direct, failures, .. } = Figures::of(tries);
                let failures = list(&failures);
                let pair = &self.pair;
                format!("{pair}: {connected} of {tries} connected, {direct} directly {failures}")
            }
            Err(error) => format!("{}: not measured: {error}", self.pair),
        }
    }
}

/// The table, with a line for each pair.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let head = "| dialler:listener | connected | direct | usable, ms: median (worst) | \
                direct, ms: median (worst) | direct paths |\n\
                | --- | --- | --- | --- | --- | --- |\n";
    head.to_owned() + &rows.iter().map(line).collect::<String>()
}

fn line(row: &Row) -> String {
    let tries = match &row.tries {
        Ok(tries) => Figures::of(tries),
        Err(error) => return format!("| {} | not measured: {error} | | | | |\n", row.pair),
    };
    format!(
        "| {} | {} of {} | {} of {} | {} | {} | {} |\n",
        row.pair,
        tries.connected,
        tries.tries,
        tries.direct,
        tries.tries,
        times(tries.until_connected.as_ref()),
        times(tries.until_direct.as_ref()),
        list(&tries.paths),
    )
}

fn times(times: Option<&Times>) -> String {
    times
        .map_or_else(|| "-".to_owned(), |times| format!("{:.0} ({:.0})", times.median, times.worst))
}

fn list(counts: &BTreeMap<String, usize>) -> String {
    let each: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    each.join(", ")
}

/// An object a line for each pair.
pub(crate) fn json(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", object(row))).collect()
}

fn object(row: &Row) -> serde_json::Value {
    let pair = row.pair.to_string();
    let tries = match &row.tries {
        Ok(tries) => Figures::of(tries),
        Err(error) => return json!({ "pair": pair, "error": error.to_string() }),
    };
    let times = |times: Option<Times>| {
        times.map(|times| json!({ "median_ms": times.median, "worst_ms": times.worst }))
    };
    json!({
        "pair": pair,
        "tries": tries.tries,
        "connected": tries.connected,
        "direct": tries.direct,
        "usable": times(tries.until_connected),
        "direct_after": times(tries.until_direct),
        "direct_paths": tries.paths,
        "failures": tries.failures,
    })
}
