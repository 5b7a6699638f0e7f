//! `peerage id`: identities, straight in the home. A running node keeps the
//! one it started with.

use std::{
    fs::{self, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use peerage::{
    home::{Home, Identities, Identity, new_key, seal},
    identity::{IdentityName, Imported, KeyFile, KeyFileError, KeyKind, NameError, import},
};

use crate::{
    args::{IdentityVerb, KeyChoice},
    event::Event,
    failure::{Code, Failure},
    limits::MAX_KEY_IMPORT_BYTES,
    output::{Output, Qr},
    passphrase,
    settings::Settings,
};

/// Runs a verb of `id`.
///
/// # Errors
///
/// What keeps it from being done.
pub(super) fn run(verb: Option<IdentityVerb>, settings: &Settings) -> Result<(), Failure> {
    let home =
        Home::open(settings.home()).map_err(|error| Failure::of(Code::CannotWrite, &error))?;
    let identities = home.identities();
    let mut output = Output::new(settings, Qr::Never);
    let mut show = |name: &IdentityName| show_one(&identities, name, &mut output);
    match verb.unwrap_or(IdentityVerb::List) {
        IdentityVerb::List => list(&identities, &mut output),
        IdentityVerb::New { name, kind, passphrase } => {
            let name = parse(&name)?;
            add(&identities, &name, &new(kind, passphrase)?)?;
            show(&name)
        }
        IdentityVerb::Use { name } => {
            let name = parse(&name)?;
            identities.select(&name).map_err(Failure::identity)?;
            show(&name)
        }
        IdentityVerb::Export { name, output } => export(&identities, &parse(&name)?, &output),
        IdentityVerb::Import { file, name } => {
            let name = parse(&name)?;
            add(&identities, &name, &read(&file)?)?;
            show(&name)
        }
        IdentityVerb::Rename { from, to } => {
            let to = parse(&to)?;
            identities.rename(&parse(&from)?, &to).map_err(Failure::identity)?;
            show(&to)
        }
        IdentityVerb::Remove { name, yes } => remove(&identities, &parse(&name)?, yes),
    }
}

fn key_failure(error: &KeyFileError) -> Failure {
    Failure::of(Code::Identity, error)
}

fn parse(name: &str) -> Result<IdentityName, Failure> {
    name.parse().map_err(|error: NameError| Failure::of(Code::Identity, &error))
}

/// Shows all that can be read; a damaged one is the failure at the end.
fn list(identities: &Identities, output: &mut Output) -> Result<(), Failure> {
    let mut damaged = Ok(());
    for name in identities.names().map_err(Failure::identity)? {
        match identities.identity(&name) {
            Ok(identity) => output.show(&event(&identity))?,
            Err(error) => damaged = damaged.and(Err(Failure::identity(error))),
        }
    }
    damaged
}

fn show_one(
    identities: &Identities,
    name: &IdentityName,
    output: &mut Output,
) -> Result<(), Failure> {
    output.show(&event(&identities.identity(name).map_err(Failure::identity)?))
}

fn event(identity: &Identity) -> Event {
    Event::Identity {
        name: identity.name.to_string(),
        peer: identity.file.peer_id().to_string(),
        kind: identity.file.kind().as_str().to_owned(),
        passphrase: identity.file.is_sealed(),
        in_use: identity.in_use,
    }
}

/// Adds an identity; the first one of a home is in use from then on.
fn add(identities: &Identities, name: &IdentityName, file: &KeyFile) -> Result<(), Failure> {
    let first = identities.names().map_err(Failure::identity)?.is_empty();
    identities.add(name, file).map_err(Failure::identity)?;
    if first { identities.select(name).map_err(Failure::identity) } else { Ok(()) }
}

fn new(kind: KeyChoice, sealed: bool) -> Result<KeyFile, Failure> {
    let kind = match kind {
        KeyChoice::Ed25519 => KeyKind::Ed25519,
        KeyChoice::Secp256k1 => KeyKind::Secp256k1,
    };
    let key = new_key(kind).map_err(Failure::identity)?;
    let file = if sealed {
        KeyFile::sealed(&key, &passphrase::choose()?, seal().map_err(Failure::identity)?)
    } else {
        KeyFile::clear(&key)
    };
    file.map_err(|error| key_failure(&error))
}

fn export(identities: &Identities, name: &IdentityName, path: &Path) -> Result<(), Failure> {
    let text = identities.load(name).map_err(Failure::identity)?.to_text();
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::writing(&path.display(), &error))
}

fn read(path: &Path) -> Result<KeyFile, Failure> {
    let reading = |error| Failure::reading(&path.display(), &error);
    if fs::metadata(path).map_err(reading)?.len() > MAX_KEY_IMPORT_BYTES {
        return Err(key_failure(&KeyFileError::TooLarge));
    }
    let bytes = fs::read(path).map_err(reading)?;
    match import(&bytes) {
        Ok(Imported::KeyFile(file)) => Ok(file),
        Ok(Imported::Key(key)) => KeyFile::clear(&key).map_err(|error| key_failure(&error)),
        Err(error) => Err(Failure::of(Code::Identity, &error)),
    }
}

fn remove(identities: &Identities, name: &IdentityName, yes: bool) -> Result<(), Failure> {
    if !yes && !confirmed(name)? {
        return Err(Failure::new(
            Code::Identity,
            format!("{name} was not removed"),
            "answer yes, or give --yes",
        ));
    }
    identities.remove(name).map_err(Failure::identity)
}

fn confirmed(name: &IdentityName) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let reading = |error| Failure::reading(&"the answer", &error);
    write!(io::stderr(), "Delete the key of {name} for ever? [yes/no] ").map_err(reading)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(reading)?;
    Ok(answer.trim() == "yes")
}
