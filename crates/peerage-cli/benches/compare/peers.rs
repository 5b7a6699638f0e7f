//! Other programs that do the job, as far as they are installed.

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    data::{DataSet, Stage, same},
    process::Measured,
    report::Row,
};

/// How long a peer may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a program is, if it is on the PATH.
fn find(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| io::Error::other("not on the PATH"))
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stderr(Stdio::null());
    command
}

fn verify(source: &Path, output: &Path) -> io::Result<()> {
    if same(source, output)? {
        Ok(())
    } else {
        Err(io::Error::other("what arrived is not what was sent"))
    }
}

/// A daemon of rsync and a client: plain TCP, no check of the content.
pub(crate) fn rsync(stage: &Stage, _set: &DataSet, source: &Path) -> io::Result<Row> {
    let program = find("rsync")?;
    let folder = stage.folder("rsync")?;
    let port = free_port()?;
    let settings = folder.join("rsyncd.conf");
    let text = format!("use chroot = no\n[data]\npath = {}\nread only = yes\n", source.display());
    fs::write(&settings, text)?;
    let mut daemon = command(&program, &folder);
    daemon.args(["--daemon", "--no-detach", "--address=127.0.0.1", &format!("--port={port}")]);
    let daemon = Measured::start(daemon.arg("--config").arg(&settings))?;
    wait_for_port(port)?;
    let output = stage.folder("output")?;
    let mut client = command(&program, &folder);
    client.args(["-a", &format!("rsync://127.0.0.1:{port}/data/")]).arg(&output);
    let receiver = Measured::start(&mut client)?.finish()?;
    let sender = daemon.stop(Signal::TERM)?;
    verify(source, &output)?;
    stage.remove(&output)?;
    Ok(Row { import: 0.0, receive: receiver.wall, sender: Some(sender), receiver, beyond: None })
}

/// sendme, without its relays.
pub(crate) fn sendme(stage: &Stage, _set: &DataSet, source: &Path) -> io::Result<Row> {
    let program = find("sendme")?;
    let (here, there) = (stage.folder("sendme")?, stage.folder("output")?);
    let mut send = command(&program, &here);
    send.args(["send", "--relay", "disabled"]).arg(source);
    let mut send = Measured::start(&mut send)?;
    let (line, import) = send.wait_for("sendme receive")?;
    let ticket = line.split_whitespace().last().unwrap_or_default().to_owned();
    let mut receive = command(&program, &there);
    receive.args(["receive", "--relay", "disabled", &ticket]);
    let receiver = Measured::start(&mut receive)?.finish()?;
    let sender = send.stop(Signal::INT)?;
    verify(source, &there.join("data"))?;
    stage.remove(&there)?;
    stage.remove(&here)?;
    Ok(Row { import, receive: receiver.wall, sender: Some(sender), receiver, beyond: None })
}

/// magic-wormhole, which needs a mailbox server on this machine.
pub(crate) fn wormhole(_stage: &Stage, _set: &DataSet, _source: &Path) -> io::Result<Row> {
    find("wormhole")?;
    Err(io::Error::other("it needs a mailbox server of its own, which is not run here"))
}

/// Syncthing, which keeps folders in step for ever and has no end to measure.
pub(crate) fn syncthing(_stage: &Stage, _set: &DataSet, _source: &Path) -> io::Result<Row> {
    find("syncthing")?;
    Err(io::Error::other("it has no end of its own to measure, so it is not run here"))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn wait_for_port(port: u16) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
