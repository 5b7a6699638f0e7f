//! The registry in a file, so that a tracker that restarts goes on with it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::limits::MAX_REGISTRY_SNAPSHOT_BYTES;

use crate::files;

/// Reads what was saved; `None` when nothing was.
///
/// # Errors
///
/// `InvalidData` when the file is larger than any snapshot, and whatever the
/// system says.
pub(super) fn load(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_REGISTRY_SNAPSHOT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_REGISTRY_SNAPSHOT_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is far too large"));
    }
    Ok(Some(bytes))
}

/// Puts a snapshot in the place of the one before: at any moment, one of them
/// is there, whole.
///
/// # Errors
///
/// Whatever the system says; then what was there is untouched.
pub(super) fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    files::replace(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry");
        assert!(load(&path).unwrap().is_none());
        for bytes in [&b"first"[..], b"second"] {
            save(&path, bytes).unwrap();
            assert_eq!(load(&path).unwrap().as_deref(), Some(bytes));
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_file_larger_than_any_snapshot_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry");
        File::create(&path).unwrap().set_len(MAX_REGISTRY_SNAPSHOT_BYTES as u64 + 1).unwrap();
        assert_eq!(load(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
