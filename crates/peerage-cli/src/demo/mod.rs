//! `peerage demo`: plays both sides of a share on this machine, with two
//! homes, two processes and real sockets, and shows how.

mod album;
mod compare;
mod painting;
mod process;

use std::{fs, io, path::Path};

use serde_json::Value;

use self::process::{Player, Side};
use crate::{
    event::Event,
    failure::{Code, Failure},
    output::{Output, Qr, amount},
    settings::Settings,
};

/// Runs the demonstration. Everything happens in one temporary folder, which
/// is removed in the end.
///
/// # Errors
///
/// When a side fails, or what arrives differs from what was shared.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let stage = Stage::new().map_err(|error| Failure::writing(&"a temporary folder", &error))?;
    let mut output = Output::new(settings, Qr::Never);
    let mut tell = |text: String| output.show(&Event::Step { text });
    let outcome = play(stage.path(), &mut tell);
    stage.clear().map_err(|error| Failure::writing(&"the temporary folder", &error))?;
    outcome?;
    tell("Everything that the demonstration made is removed again.".into())
}

fn play(stage: &Path, tell: &mut dyn FnMut(String) -> Result<(), Failure>) -> Result<(), Failure> {
    let (pictures, received) = (stage.join("ann/summer"), stage.join("bob/pictures"));
    let album =
        album::make(&pictures).map_err(|error| Failure::writing(&"the pictures", &error))?;
    tell(format!("1. Ann has a folder with {} pictures, {}.", album.files, amount(album.bytes)))?;

    tell("\n2. Ann shares it. She types:\n   peerage share summer".into())?;
    let mut ann = Player::start(Side::new("ann", stage), &["share".as_ref(), pictures.as_ref()])?;
    let shared = ann.wait_for("shared")?;
    let link = text(&shared, "link")?;
    tell(format!("   and reads out or sends the link that it prints:\n   {link}"))?;

    tell("\n3. Bob, on another machine (here: another process), types:".into())?;
    tell("   peerage get 'THE LINK' -o pictures".into())?;
    let arguments = ["get".as_ref(), link.as_ref(), "-o".as_ref(), received.as_os_str()];
    let mut bob = Player::start(Side::new("bob", stage), &arguments)?;
    let got = bob.wait_for("got")?;
    bob.finish()?;
    tell(format!(
        "   and has {} in {} ms, over {}.",
        amount(number(&got, "bytes")?),
        number(&got, "milliseconds")?,
        bob.path().unwrap_or("a socket of this machine")
    ))?;

    tell("\n4. Is it the same? Every byte, name, time, permission and link is compared.".into())?;
    let same = compare::folders(&pictures, &received.join("summer"))?;
    tell(format!("   Yes: {same} files, folders and links are identical."))?;

    tell("\n5. Ann presses Ctrl-C.".into())?;
    ann.interrupt()
}

fn text(event: &Value, field: &str) -> Result<String, Failure> {
    event[field].as_str().map(str::to_owned).ok_or_else(|| incomplete(field))
}

fn number(event: &Value, field: &str) -> Result<u64, Failure> {
    event[field].as_u64().ok_or_else(|| incomplete(field))
}

fn incomplete(field: &str) -> Failure {
    Failure::new(Code::Unexpected, format!("a side did not say its {field}"), "report this")
}

/// The temporary folder, removed when dropped.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("peerage-demo-").tempdir()?;
        for side in ["ann", "bob"] {
            fs::create_dir(folder.path().join(side))?;
        }
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn clear(self) -> io::Result<()> {
        self.0.close()
    }
}
