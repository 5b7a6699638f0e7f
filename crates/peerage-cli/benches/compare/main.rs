//! The benchmark: real processes move real data over loopback, beside the
//! peers and the limits of the same machine.
//!
//! ```text
//! cargo bench -p peerage-cli [-- [--quick] [--only NAME] [--in FOLDER]]
//! ```
//!
//! Wall seconds are those of both sides: from the start of `share` until its
//! link is printed, plus from the start of `get` until its end. CPU seconds
//! and peak memory are each side's own. Output is compared with the source
//! outside of the timing.

mod data;
mod limits;
mod peerage;
mod peers;
mod process;
mod report;
mod small;

use std::path::PathBuf;

use self::{
    data::{DataSet, Stage},
    report::{Report, Row},
};

/// What was asked for.
struct Options {
    quick: bool,
    only: Option<String>,
    folder: PathBuf,
}

impl Options {
    /// Reads the arguments; nothing when this is not meant as a benchmark:
    /// `cargo test --all-targets` runs it too.
    fn read() -> Option<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let after = |name: &str| {
            let place = arguments.iter().position(|argument| argument == name)?;
            arguments.get(place + 1).cloned()
        };
        arguments.iter().any(|argument| argument == "--bench").then(|| Self {
            quick: arguments.iter().any(|argument| argument == "--quick"),
            only: after("--only"),
            folder: after("--in").map_or_else(default_folder, PathBuf::from),
        })
    }
}

/// Memory where the system has a folder for it: disks differ too much.
fn default_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn main() -> std::io::Result<()> {
    let Some(options) = Options::read() else {
        return Ok(());
    };
    let stage = Stage::new(&options.folder)?;
    let mut report = Report::default();
    for set in DataSet::all(options.quick) {
        if options.only.as_deref().is_some_and(|only| only != set.name()) {
            continue;
        }
        eprintln!("making {}", set.title());
        let source = stage.make(&set)?;
        let runs: [(&str, &dyn Fn() -> std::io::Result<Row>); 8] = [
            ("peerage", &|| peerage::run(&stage, &set, &source)),
            ("sendme", &|| peers::sendme(&stage, &set, &source)),
            ("rsync", &|| peers::rsync(&stage, &set, &source)),
            ("syncthing", &|| peers::syncthing(&stage, &set, &source)),
            ("wormhole", &|| peers::wormhole(&stage, &set, &source)),
            ("cp", &|| limits::copy(&stage, &set, &source)),
            ("SHA-256 of it, all cores", &|| limits::hash(&set, &source)),
            ("plain TCP", &|| limits::tcp(&set, &source)),
        ];
        for (name, run) in runs {
            eprintln!("  {name}");
            // A virtual machine gives freed memory back to its host and pays
            // for the next use of it; nobody's run shall pay for that.
            limits::copy(&stage, &set, &source)?;
            report.add(set.title(), name, run());
        }
        stage.remove(&source)?;
    }
    if options.only.is_none() {
        small::measure(&stage, &mut report)?;
    }
    print!("{}", report.markdown());
    Ok(())
}
