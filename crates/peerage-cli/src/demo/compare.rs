//! Are two folders the same, in all that a share keeps?

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, Metadata},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use crate::failure::{Code, Failure};

/// Compares two folders, with all that is below, and says how many entries
/// are identical.
///
/// # Errors
///
/// When something cannot be read, or differs; the failure names the first.
pub(super) fn folders(one: &Path, other: &Path) -> Result<u64, Failure> {
    let names = names(one)?;
    if names != self::names(other)? {
        return Err(differs(one, "holds other names"));
    }
    let mut same = 0;
    for name in names {
        same += entries(&one.join(&name), &other.join(&name))?;
    }
    Ok(same)
}

fn entries(one: &Path, other: &Path) -> Result<u64, Failure> {
    let (first, second) = (about(one)?, about(other)?);
    if first.file_type() != second.file_type() {
        return Err(differs(one, "is of another kind"));
    }
    if first.is_symlink() {
        let same =
            read(one, |path| fs::read_link(path))? == read(other, |path| fs::read_link(path))?;
        return if same { Ok(1) } else { Err(differs(one, "leads elsewhere")) };
    }
    if first.permissions().mode() != second.permissions().mode() {
        return Err(differs(one, "has other permissions"));
    }
    if read(one, |_| first.modified())? != read(other, |_| second.modified())? {
        return Err(differs(one, "has another time"));
    }
    if first.is_dir() {
        return Ok(folders(one, other)? + 1);
    }
    let same = read(one, |path| fs::read(path))? == read(other, |path| fs::read(path))?;
    if same { Ok(1) } else { Err(differs(one, "has other bytes")) }
}

fn names(folder: &Path) -> Result<BTreeSet<OsString>, Failure> {
    read(folder, |folder| fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect())
}

fn about(path: &Path) -> Result<Metadata, Failure> {
    read(path, |path| fs::symlink_metadata(path))
}

fn read<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, Failure> {
    act(path).map_err(|error| Failure::reading(&path.display(), &error))
}

fn differs(path: &Path, how: &str) -> Failure {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Failure::new(Code::Corrupt, format!("{name} {how} where it arrived"), "report this")
}
