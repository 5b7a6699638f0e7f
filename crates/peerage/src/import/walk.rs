//! What is imported: the paths that were named, and what is in their folders.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

use super::{ImportError, ImportOptions};

/// Where an import starts.
#[derive(Debug)]
pub(super) struct Start {
    /// The folder that paths are recorded relative to, or the single file.
    pub(super) base: PathBuf,
    /// What the result is called.
    pub(super) name: OsString,
    /// The paths, with the names that they get; one unless they are wrapped.
    pub(super) items: Vec<(OsString, PathBuf)>,
    /// Whether a folder is put around them.
    pub(super) wrapped: bool,
}

/// Resolves the paths that the user named. Symbolic links among them are
/// followed, other than those met in folders: they were named, after all.
pub(super) fn start(paths: &[PathBuf]) -> Result<Start, ImportError> {
    let mut items = Vec::new();
    for path in paths {
        let real = fs::canonicalize(path)
            .map_err(|source| ImportError::Unreadable { path: path.clone(), source })?;
        let name = path.file_name().or_else(|| real.file_name()).unwrap_or(OsStr::new("root"));
        items.push((name.to_os_string(), real));
    }
    match items.as_slice() {
        [] => Err(ImportError::Nothing),
        [(name, path)] => {
            let (name, base) = (name.clone(), path.clone());
            Ok(Start { base, name, items, wrapped: false })
        }
        _ => {
            let base = common_folder(&items);
            Ok(Start { base, name: OsString::from("shared"), items, wrapped: true })
        }
    }
}

fn common_folder(items: &[(OsString, PathBuf)]) -> PathBuf {
    let mut folders = items.iter().filter_map(|(_, path)| path.parent());
    let mut common = folders.next().unwrap_or(Path::new("/")).to_path_buf();
    for folder in folders {
        while !folder.starts_with(&common) && common.pop() {}
    }
    common
}

/// The names in a folder, in their order.
pub(super) fn names(folder: &Path, options: &ImportOptions) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if options.hidden || !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
