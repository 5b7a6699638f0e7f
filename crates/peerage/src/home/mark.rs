//! By what a home is known, whatever its name and place.

use std::{
    collections::HashSet,
    fs::{self, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

/// The file that marks a folder as a home.
const MARK: &str = ".peerage-home";

/// The folder of keys, and how the name of a key ends.
const IDENTITIES: &str = "identities";
const KEY: &str = "key";

/// Marks a folder as a home.
///
/// # Errors
///
/// When the file is not there and cannot be made.
pub(super) fn set(folder: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(MARK));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Whether a folder is a home: it is marked, or, as one that no newer program
/// has opened yet, holds keys.
pub(crate) fn is_home(folder: &Path) -> bool {
    let marked = fs::symlink_metadata(folder.join(MARK)).is_ok_and(|about| about.is_file());
    marked || holds_keys(&folder.join(IDENTITIES))
}

fn holds_keys(identities: &Path) -> bool {
    let is_key = |entry: fs::DirEntry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        is_file && entry.path().extension().is_some_and(|extension| extension == KEY)
    };
    fs::read_dir(identities).is_ok_and(|entries| entries.flatten().any(is_key))
}

/// The files and folders of homes, by device and inode: a bind mount and a hard
/// link have other paths, and the same of these.
#[derive(Debug, Default)]
pub(crate) struct Private {
    numbers: HashSet<(u64, u64)>,
}

impl Private {
    /// Adds a home and everything in it; what cannot be read is passed over,
    /// since then nobody else reads it through us either.
    pub(crate) fn add(&mut self, home: &Path) {
        let mut next = vec![home.to_path_buf()];
        while let Some(path) = next.pop() {
            let Ok(about) = fs::symlink_metadata(&path) else { continue };
            let is_new = self.numbers.insert((about.dev(), about.ino()));
            // A folder mounted in itself would come again and again.
            if is_new && about.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                next.extend(entries.map(|entry| entry.path()));
            }
        }
    }

    /// Whether this is a home, or a file or folder of one.
    pub(crate) fn holds(&self, about: &Metadata) -> bool {
        self.numbers.contains(&(about.dev(), about.ino()))
    }
}
