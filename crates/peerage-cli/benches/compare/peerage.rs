//! Our own two sides.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    data::{DataSet, Stage, on_disk, same},
    process::Measured,
    report::Row,
};

/// The command that is measured, on a home, on loopback alone.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerage"));
    command
        .args(["--json", "--no-discovery", "--listen", "/ip4/127.0.0.1/tcp/0", "--home"])
        .arg(home)
        .stderr(Stdio::null());
    command
}

/// The value of a field of a JSON line.
pub(crate) fn field(line: &str, name: &str) -> io::Result<String> {
    let event: Value = serde_json::from_str(line)?;
    let value = event[name].as_str().map(str::to_owned);
    value.ok_or_else(|| io::Error::other(format!("no {name} in {line}")))
}

/// Shares and gets a set.
pub(crate) fn run(stage: &Stage, _set: &DataSet, source: &Path) -> io::Result<Row> {
    let homes = stage.folder("homes")?;
    let output = stage.folder("output")?;
    let mut share = Measured::start(command(&homes.join("ann")).arg("share").arg(source))?;
    let (line, import) = share.wait_for("\"shared\"")?;
    let link = field(&line, "link")?;
    let mut get = command(&homes.join("bob"));
    let receiver = Measured::start(get.arg("get").arg(link).arg("-o").arg(&output))?.finish()?;
    let sender = share.stop(Signal::INT)?;
    if !same(source, &output.join("data"))? {
        return Err(io::Error::other("what arrived is not what was sent"));
    }
    let data = on_disk(source)?;
    let beyond = on_disk(&homes)? + on_disk(&output)?.saturating_sub(data);
    clear(stage, &[homes, output])?;
    Ok(Row {
        import,
        receive: receiver.wall,
        sender: Some(sender),
        receiver,
        beyond: Some(portion(beyond, data)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a figure in a table")]
fn portion(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn clear(stage: &Stage, folders: &[PathBuf]) -> io::Result<()> {
    folders.iter().try_for_each(|folder| stage.remove(folder))
}
