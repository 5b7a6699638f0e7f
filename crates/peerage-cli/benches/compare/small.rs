//! Single figures: how soon things start, and how soon a loss is noticed.

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    data::{DataSet, Stage},
    peerage::{command, field},
    process::Measured,
    report::Report,
};

/// How often to measure what is over at once.
const TIMES: usize = 41;

/// Measures all of them.
pub(crate) fn measure(stage: &Stage, report: &mut Report) -> io::Result<()> {
    eprintln!("single figures");
    let help = median(TIMES, || {
        let mut help = Command::new(env!("CARGO_BIN_EXE_peerage"));
        let started = Instant::now();
        help.arg("--help").stdout(Stdio::null()).status()?;
        Ok(started.elapsed())
    })?;
    report.add_single("`peerage --help`, median", milliseconds(help));
    let home = stage.folder("homes")?.join("ann");
    report.add_single("start to listening, new home", milliseconds(start(&home)?));
    let again = median(TIMES, || start(&home))?;
    report.add_single("start to listening, median", milliseconds(again));
    match lost_sender(stage) {
        Ok(took) => report.add_single("sender frozen until noticed", milliseconds(took)),
        Err(error) => report.add_single("sender frozen", format!("not measured: {error}")),
    }
    Ok(())
}

fn start(home: &Path) -> io::Result<Duration> {
    let mut up = Measured::start(command(home).arg("up"))?;
    let (_, seconds) = up.wait_for("\"listening\"")?;
    up.stop(Signal::INT)?;
    Ok(Duration::from_secs_f64(seconds))
}

/// How long a receiver takes to notice that the sender's machine is gone: the
/// sender is frozen, which leaves its sockets open and mute.
fn lost_sender(stage: &Stage) -> io::Result<Duration> {
    let source = stage.make(&DataSet::File(1 << 30))?;
    let (homes, output) = (stage.folder("homes")?, stage.folder("output")?);
    let mut share = Measured::start(command(&homes.join("ann")).arg("share").arg(&source))?;
    let link = field(&share.wait_for("\"shared\"")?.0, "link")?;
    let mut get = command(&homes.join("bob"));
    let mut get = Measured::start(get.arg("get").arg(link).arg("-o").arg(&output))?;
    get.wait_for("\"connected\"")?;
    share.signal(Signal::STOP)?;
    let frozen = Instant::now();
    let noticed = get.wait_for("\"provider_lost\"").map(|_| frozen.elapsed());
    share.signal(Signal::CONT)?;
    drop((share, get));
    for folder in [source, homes, output] {
        stage.remove(&folder)?;
    }
    noticed
}

fn median(times: usize, mut measure: impl FnMut() -> io::Result<Duration>) -> io::Result<Duration> {
    let mut all = (0..times).map(|_| measure()).collect::<io::Result<Vec<_>>>()?;
    all.sort_unstable();
    Ok(all[times / 2])
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
