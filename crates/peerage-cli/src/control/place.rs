//! Where the socket is, and how to reach it when its path is too long.

use std::{
    fs, io,
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

const NAME: &str = "control.sock";

/// What fits in a socket address, in bytes: 108 with the closing zero on
/// Linux, 104 on the BSDs and macOS.
const SOCKET_PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Binds the socket of `home`, in place of one that a killed process left.
/// Only the holder of the home's lock may call this.
///
/// # Errors
///
/// When the home cannot be written, or its path is too long and the system
/// has no way around.
pub(super) fn bind(home: &Path) -> io::Result<UnixListener> {
    let path = home.join(NAME);
    remove(home)?;
    let listener = through(home, |short| UnixListener::bind(short))?;
    // Until this line the check of the caller's user id keeps others out.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes the socket of `home`, if there is one.
///
/// # Errors
///
/// When the home cannot be written.
pub(super) fn remove(home: &Path) -> io::Result<()> {
    match fs::remove_file(home.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Connects to the socket of `home`; `None` when nobody listens there.
///
/// # Errors
///
/// When it cannot be opened for another reason.
pub(super) async fn connect(home: &Path) -> io::Result<Option<UnixStream>> {
    let path = home.join(NAME);
    if !path.exists() {
        return Ok(None);
    }
    let connected = through(home, |short| {
        std::os::unix::net::UnixStream::connect(short).and_then(|stream| {
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)
        })
    });
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Calls `act` with a path of the socket that fits in a socket address.
fn through<T>(home: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = home.join(NAME);
    if path.as_os_str().len() <= SOCKET_PATH_BYTES {
        return act(&path);
    }
    if !cfg!(target_os = "linux") {
        return Err(io::Error::new(
            io::ErrorKind::InvalidFilename,
            "the path of the home is too long for a socket",
        ));
    }
    let folder = fs::File::open(home)?;
    act(&PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_home_with_a_long_path_has_a_socket_too() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("n".repeat(200));
        fs::create_dir(&home).unwrap();
        assert!(connect(&home).await.unwrap().is_none());
        let listener = bind(&home).unwrap();
        let mode = fs::metadata(home.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(connect(&home).await.unwrap().is_some());
        drop(listener);
        assert!(connect(&home).await.unwrap().is_none(), "nobody listens");
        assert!(home.join(NAME).exists(), "and yet it is there");
        bind(&home).unwrap();
    }
}
