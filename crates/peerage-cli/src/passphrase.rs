//! Passphrases: from the terminal, or from a file for those who have none.

use std::{env, fs, io, os::unix::fs::PermissionsExt as _};

use crate::failure::{Code, Failure};

/// The variable that names a file with the passphrase in its first line. Not
/// the passphrase itself: an environment is seen by too many.
const FILE: &str = "PEERAGE_PASSPHRASE_FILE";

/// The passphrase of an identity.
///
/// # Errors
///
/// When there is neither a file nor a terminal.
pub(crate) fn ask(identity: &str) -> Result<String, Failure> {
    match from_file()? {
        Some(passphrase) => Ok(passphrase),
        None => prompt(&format!("Passphrase of {identity}: ")),
    }
}

/// A new passphrase, asked for twice.
///
/// # Errors
///
/// When there is neither a file nor a terminal, or the two differ.
pub(crate) fn choose() -> Result<String, Failure> {
    if let Some(passphrase) = from_file()? {
        return Ok(passphrase);
    }
    let first = prompt("New passphrase: ")?;
    if prompt("The same again: ")? == first {
        Ok(first)
    } else {
        Err(Failure::new(Code::Identity, "the two passphrases differ", "try again"))
    }
}

fn from_file() -> Result<Option<String>, Failure> {
    let Some(path) = env::var_os(FILE) else {
        return Ok(None);
    };
    let failed = |error| Failure::reading(&path.to_string_lossy(), &error);
    let about = fs::metadata(&path).map_err(failed)?;
    if about.permissions().mode() & 0o022 != 0 {
        let cause = format!("others can write to {}", path.to_string_lossy());
        return Err(Failure::new(Code::Identity, cause, "take that right from them (chmod go-w)"));
    }
    let text = fs::read_to_string(&path).map_err(failed)?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

fn prompt(text: &str) -> Result<String, Failure> {
    rpassword::prompt_password(text).map_err(|error| no_terminal(&error))
}

fn no_terminal(error: &io::Error) -> Failure {
    Failure::new(
        Code::Identity,
        format!("the passphrase cannot be asked for: {error}"),
        format!("run this in a terminal, or name a file that holds it in {FILE}"),
    )
}
