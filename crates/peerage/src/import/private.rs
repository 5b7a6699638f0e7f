//! Which files and folders are of a home, and so never imported.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{ImportError, ImportOptions, walk::Start};
use crate::{
    home::{Private, is_home},
    limits::MAX_IMPORT_DEPTH,
};

/// Finds the homes in and around what is to be imported, before a file is read:
/// a hard link to a key may come before its home.
///
/// # Errors
///
/// When a home, or something of one, is what was named.
pub(super) fn find(start: &Start, options: &ImportOptions) -> Result<Private, ImportError> {
    let mut private = Private::default();
    for home in &options.homes {
        private.add(home);
    }
    for (_, path) in &start.items {
        if path.ancestors().any(is_home) {
            return Err(ImportError::Home { path: path.clone() });
        }
        look_below(path, &mut private);
    }
    let is_private = |path: &Path| fs::symlink_metadata(path).is_ok_and(|at| private.holds(&at));
    match start.items.iter().find(|(_, path)| is_private(path)) {
        Some((_, path)) => Err(ImportError::Home { path: path.clone() }),
        None => Ok(private),
    }
}

fn look_below(path: &Path, private: &mut Private) {
    let mut next: Vec<(PathBuf, usize)> = vec![(path.to_path_buf(), 1)];
    while let Some((folder, depth)) = next.pop() {
        if is_home(&folder) {
            private.add(&folder);
        } else if depth <= MAX_IMPORT_DEPTH {
            // What cannot be read is told when it is to be imported.
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            next.extend(folders.map(|entry| (entry.path(), depth + 1)));
        }
    }
}
