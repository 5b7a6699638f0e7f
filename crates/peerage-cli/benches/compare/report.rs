//! The table.

use std::{fmt::Write as _, io};

use crate::process::Usage;

/// One run of one program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Until everything is ready to be fetched, in seconds.
    pub(crate) import: f64,
    /// From then until everything is there, in seconds.
    pub(crate) receive: f64,
    /// What the sending side used; nothing where there is one side.
    pub(crate) sender: Option<Usage>,
    /// What the receiving side used.
    pub(crate) receiver: Usage,
    /// Bytes on the disk beyond source and output, as a part of the data.
    pub(crate) beyond: Option<f64>,
}

impl Row {
    fn wall(&self) -> f64 {
        self.import + self.receive
    }

    fn cpu(&self) -> f64 {
        self.sender.map_or(0.0, |usage| usage.cpu) + self.receiver.cpu
    }
}

/// The runs on one set of data, with the programs' names.
type Runs = Vec<(String, io::Result<Row>)>;

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    sets: Vec<(String, Runs)>,
    single: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn add(&mut self, set: String, name: &str, row: io::Result<Row>) {
        if self.sets.last().is_none_or(|(last, _)| *last != set) {
            self.sets.push((set, Vec::new()));
        }
        if let Some((_, rows)) = self.sets.last_mut() {
            rows.push((name.to_owned(), row));
        }
    }

    pub(crate) fn add_single(&mut self, what: &str, figure: String) {
        self.single.push((what.to_owned(), figure));
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n", machine());
        for (title, rows) in &self.sets {
            let ours = rows.iter().find(|(name, _)| name == "peerage");
            let ours = ours.and_then(|(_, row)| row.as_ref().ok());
            let _infallible = write!(
                text,
                "\n### {title}\n\n\
                 | program | wall s (import + receive) | CPU s (sender + receiver) | \
                 peak memory MB | beyond data | our wall, CPU to it |\n\
                 | --- | --- | --- | --- | --- | --- |\n"
            );
            for (name, row) in rows {
                text.push_str(&match row {
                    Ok(row) => line(name, row, ours),
                    Err(error) => format!("| {name} | not measured: {error} | | | | |\n"),
                });
            }
        }
        if !self.single.is_empty() {
            text.push_str("\n### Single figures\n\n| measure | figure |\n| --- | --- |\n");
        }
        for (what, figure) in &self.single {
            let _infallible = writeln!(text, "| {what} | {figure} |");
        }
        text
    }
}

fn line(name: &str, row: &Row, ours: Option<&Row>) -> String {
    let (sender_cpu, sender_memory) = row.sender.map_or_else(Default::default, |usage| {
        (format!("{:.2} + ", usage.cpu), format!("{} / ", megabytes(usage.memory)))
    });
    let beyond = row.beyond.map_or_else(String::new, |part| format!("{:.2} %", part * 100.0));
    let ratio = ours.map_or_else(String::new, |ours| {
        format!("{:.2}, {:.2}", ours.wall() / row.wall(), ours.cpu() / row.cpu().max(0.01))
    });
    format!(
        "| {name} | {:.2} ({:.2} + {:.2}) | {:.2} ({sender_cpu}{:.2}) | {sender_memory}{} | {beyond} | {ratio} |\n",
        row.wall(),
        row.import,
        row.receive,
        row.cpu(),
        row.receiver.cpu,
        megabytes(row.receiver.memory),
    )
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

/// What the figures were measured on.
fn machine() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let name =
        model.map_or("unknown processor", |model| model.trim_start_matches([' ', '\t', ':']));
    format!("{name}, {cores} cores, {} {}", std::env::consts::OS, kernel())
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}
