//! The key store: named identities, one of them in use.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
};

use crate::files;
use crate::limits::{MAX_IDENTITIES, MAX_IDENTITY_NAME_CHARS, MAX_KEY_FILE_BYTES};
use peerage_core::Advice;
use peerage_core::identity::{
    Cost, IdentityName, KeyFile, KeyFileError, KeyKind, Keypair, NameError, Seal, generate,
};

const EXTENSION: &str = "key";
const IN_USE: &str = "in-use";

/// The identities of a home.
///
/// Every change is one step on the disk: a crash leaves the old or the new,
/// and processes that make changes at the same time take turns.
///
/// ```
/// use peerage::home::{Home, new_key};
/// use peerage::identity::{KeyFile, KeyKind};
///
/// # let folder = tempfile::tempdir()?;
/// let home = Home::open(folder.path().join("home"))?;
/// let identities = home.identities();
/// let file = KeyFile::clear(&new_key(KeyKind::Ed25519)?)?;
/// identities.add(&"work".parse()?, &file)?;
/// identities.select(&"work".parse()?)?;
/// assert_eq!(identities.load(&identities.in_use()?)?.peer_id(), file.peer_id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identities {
    folder: PathBuf,
}

/// An identity as it lies in the home.
#[derive(Clone)]
#[non_exhaustive]
pub struct Identity {
    /// What it is called here.
    pub name: IdentityName,
    /// Its key, perhaps sealed.
    pub file: KeyFile,
    /// Whether it is the one in use.
    pub in_use: bool,
}

/// What can go wrong with identities.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is none of that name.
    #[error("there is no identity called {0}")]
    Unknown(IdentityName),
    /// There is one of that name already.
    #[error("there is an identity called {0} already")]
    Taken(IdentityName),
    /// There are as many as are kept.
    #[error("there are {MAX_IDENTITIES} identities already")]
    TooMany,
    /// The one in use cannot be removed while there are others.
    #[error("{0} is in use")]
    InUse(IdentityName),
    /// Others can read the file.
    #[error("others can read the key file {}", .0.display())]
    Exposed(PathBuf),
    /// The file is not a key file, or cannot be opened.
    #[error("identity {name}: {source}")]
    File {
        /// The identity.
        name: IdentityName,
        /// What is wrong.
        source: KeyFileError,
    },
    /// A name in the home cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The system refused.
    #[error("the identities in {} cannot be read or written: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no randomness.
    #[error("the system has no randomness for a key: {0}")]
    Randomness(getrandom::Error),
}

impl Advice for IdentityError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unknown(_) => Some("run `peerage id` to see those there are"),
            Self::Taken(_) => Some("choose another name"),
            Self::TooMany => Some("remove one first"),
            Self::InUse(_) => Some("use another identity first"),
            Self::Exposed(_) => Some("run `chmod 600` on it, and think about who may have read it"),
            Self::File { source, .. } => source.hint(),
            Self::Name(error) => error.hint(),
            Self::Io { .. } => Some("check the folder"),
            Self::Randomness(_) => Some("try again"),
        }
    }
}

/// Makes a key from the system's randomness.
///
/// # Errors
///
/// When the system has none.
pub fn new_key(kind: KeyKind) -> Result<Keypair, IdentityError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(IdentityError::Randomness)?;
    Ok(generate(kind, seed.into()))
}

/// What seals a key: the usual cost, and a salt and nonce from the system's
/// randomness.
///
/// # Errors
///
/// When the system has none.
pub fn seal() -> Result<Seal, IdentityError> {
    let mut seal = Seal { cost: Cost::default(), salt: [0; 16], nonce: [0; 24] };
    getrandom::fill(&mut seal.salt).map_err(IdentityError::Randomness)?;
    getrandom::fill(&mut seal.nonce).map_err(IdentityError::Randomness)?;
    Ok(seal)
}

impl Identities {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// One identity, as it lies here.
    ///
    /// # Errors
    ///
    /// As [`Identities::load`] and [`Identities::in_use`].
    pub fn identity(&self, name: &IdentityName) -> Result<Identity, IdentityError> {
        let (file, in_use) = (self.load(name)?, self.in_use()? == *name);
        Ok(Identity { file, in_use, name: name.clone() })
    }

    /// The name of the identity in use; there need not be such an identity in
    /// a new home.
    ///
    /// # Errors
    ///
    /// When the home cannot be read, or holds what is no name.
    pub fn in_use(&self) -> Result<IdentityName, IdentityError> {
        // The longest name and a line end, of Windows too.
        const LIMIT: usize = MAX_IDENTITY_NAME_CHARS + 2;
        match files::read(&self.folder.join(IN_USE), LIMIT) {
            Ok((name, _)) => Ok(String::from_utf8_lossy(&name).trim_ascii().parse()?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(IdentityName::default()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The key file of an identity.
    ///
    /// # Errors
    ///
    /// When there is none, others can read it, or it is damaged.
    pub fn load(&self, name: &IdentityName) -> Result<KeyFile, IdentityError> {
        let path = self.path(name);
        let (bytes, about) =
            files::read(&path, MAX_KEY_FILE_BYTES).map_err(|error| self.missing(name, error))?;
        if files::others_may(&about, 0o077) {
            return Err(IdentityError::Exposed(path));
        }
        KeyFile::parse(&bytes).map_err(|source| IdentityError::File { name: name.clone(), source })
    }

    /// The key file of the identity `wanted`, or else of the one in use. In a
    /// home without any, an Ed25519 identity without passphrase is made.
    ///
    /// # Errors
    ///
    /// When there is no such identity, or it cannot be read or made.
    pub fn load_or_make(
        &self,
        wanted: Option<&IdentityName>,
    ) -> Result<(IdentityName, KeyFile), IdentityError> {
        let name = match wanted {
            Some(name) => name.clone(),
            None => self.in_use()?,
        };
        if wanted.is_none() && self.names()?.is_empty() {
            let file = KeyFile::clear(&new_key(KeyKind::Ed25519)?)
                .map_err(|source| IdentityError::File { name: name.clone(), source })?;
            match self.add(&name, &file) {
                // Another process has just made it: take that one.
                Ok(()) | Err(IdentityError::Taken(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let file = self.load(&name)?;
        Ok((name, file))
    }

    /// Keeps a new identity.
    ///
    /// # Errors
    ///
    /// When the name is taken, there are too many, or the home cannot be
    /// written.
    pub fn add(&self, name: &IdentityName, file: &KeyFile) -> Result<(), IdentityError> {
        self.prepare()?;
        let _lock = self.lock()?;
        if self.names()?.len() >= MAX_IDENTITIES {
            return Err(IdentityError::TooMany);
        }
        let text = file.to_text();
        files::create(&self.path(name), text.as_bytes()).map_err(|error| self.taken(name, error))
    }

    /// Uses this identity from now on.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or the home cannot be written.
    pub fn select(&self, name: &IdentityName) -> Result<(), IdentityError> {
        self.load(name)?;
        let _lock = self.lock()?;
        self.select_locked(name)
    }

    fn select_locked(&self, name: &IdentityName) -> Result<(), IdentityError> {
        let line = format!("{name}\n");
        files::replace(&self.folder.join(IN_USE), line.as_bytes())
            .map_err(|error| self.failed(error))
    }

    /// Calls an identity something else.
    ///
    /// # Errors
    ///
    /// When there is none of that name, the new one is taken, or the home
    /// cannot be written.
    pub fn rename(&self, from: &IdentityName, to: &IdentityName) -> Result<(), IdentityError> {
        let (old, new) = (self.path(from), self.path(to));
        fs::metadata(&old).map_err(|error| self.missing(from, error))?;
        let _lock = self.lock()?;
        let in_use = self.in_use()? == *from;
        // The key is there under one name at least, at every moment.
        fs::hard_link(&old, &new).map_err(|error| self.taken(to, error))?;
        if in_use {
            self.select_locked(to)?;
        }
        files::remove(&old).map_err(|error| self.failed(error))
    }

    /// Deletes an identity. The one in use can only be the last.
    ///
    /// # Errors
    ///
    /// When there is none of that name, it is in use, or the home cannot be
    /// written.
    pub fn remove(&self, name: &IdentityName) -> Result<(), IdentityError> {
        let path = self.path(name);
        fs::symlink_metadata(&path).map_err(|error| self.missing(name, error))?;
        let _lock = self.lock()?;
        if self.in_use()? == *name && self.names()?.len() > 1 {
            return Err(IdentityError::InUse(name.clone()));
        }
        files::remove(&path).map_err(|error| self.failed(error))
    }

    /// The names of all identities, sorted; one of them may be damaged. What has
    /// no name of an identity is passed over.
    ///
    /// # Errors
    ///
    /// When the home cannot be read.
    pub fn names(&self) -> Result<Vec<IdentityName>, IdentityError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| self.failed(error))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                names.extend(stem.parse::<IdentityName>());
            }
            if names.len() == MAX_IDENTITIES {
                break;
            }
        }
        names.sort();
        Ok(names)
    }

    fn prepare(&self) -> Result<(), IdentityError> {
        files::private_folder(&self.folder)
            .and_then(|()| fs::set_permissions(&self.folder, Permissions::from_mode(0o700)))
            .map_err(|error| self.failed(error))
    }

    fn lock(&self) -> Result<File, IdentityError> {
        files::lock(&self.folder).map_err(|error| self.failed(error))
    }

    fn path(&self, name: &IdentityName) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }

    fn failed(&self, source: io::Error) -> IdentityError {
        IdentityError::Io { folder: self.folder.clone(), source }
    }

    fn missing(&self, name: &IdentityName, error: io::Error) -> IdentityError {
        match error.kind() {
            io::ErrorKind::NotFound => IdentityError::Unknown(name.clone()),
            _ => self.failed(error),
        }
    }

    fn taken(&self, name: &IdentityName, error: io::Error) -> IdentityError {
        match error.kind() {
            io::ErrorKind::AlreadyExists => IdentityError::Taken(name.clone()),
            _ => self.failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    fn home() -> (tempfile::TempDir, Identities) {
        let folder = tempfile::tempdir().unwrap();
        let identities = Home::open(folder.path().join("home")).unwrap().identities();
        (folder, identities)
    }

    fn name(text: &str) -> IdentityName {
        text.parse().unwrap()
    }

    fn key() -> KeyFile {
        KeyFile::clear(&new_key(KeyKind::Ed25519).unwrap()).unwrap()
    }

    #[test]
    fn a_new_home_makes_its_identity_once() {
        let (_folder, identities) = home();
        assert!(identities.names().unwrap().is_empty());
        let (made, first) = identities.load_or_make(None).unwrap();
        let (_, again) = identities.load_or_make(None).unwrap();
        assert_eq!((made, first.peer_id()), (IdentityName::default(), again.peer_id()));
        let wanted = identities.load_or_make(Some(&name("work")));
        assert!(matches!(wanted, Err(IdentityError::Unknown(_))));
    }

    #[test]
    fn only_the_owner_can_read_keys() {
        let (folder, identities) = home();
        identities.add(&name("a"), &key()).unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().join("home")), 0o700);
        assert_eq!(mode(identities.folder.clone()), 0o700);
        assert_eq!(mode(identities.path(&name("a"))), 0o600);
        fs::set_permissions(identities.path(&name("a")), Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(identities.load(&name("a")), Err(IdentityError::Exposed(_))));
    }

    #[test]
    fn a_home_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        set(0o755);
        assert!(Home::open(folder.path()).is_ok());
        set(0o770);
        let error = Home::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("chmod go-w"), "{error}");
    }

    #[test]
    fn what_others_put_in_a_keys_place_is_refused_without_waiting() {
        let (_folder, identities) = home();
        identities.add(&name("a"), &key()).unwrap();
        fs::create_dir(identities.path(&name("folder"))).unwrap();
        let pipe = identities.path(&name("pipe"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let large = identities.path(&name("large"));
        files::create(&large, &[b'x'; MAX_KEY_FILE_BYTES + 1]).unwrap();
        for id in ["folder", "pipe", "large"] {
            assert!(matches!(identities.load(&name(id)), Err(IdentityError::Io { .. })), "{id}");
        }
    }

    #[test]
    fn what_a_crash_left_is_cleared_and_what_is_no_key_passed_over() {
        let (_folder, identities) = home();
        identities.add(&name("a"), &key()).unwrap();
        let draft = identities.folder.join("b.draft-1-0");
        fs::write(&draft, "half a ke").unwrap();
        fs::write(identities.folder.join("No Name.key"), "").unwrap();
        identities.add(&name("b"), &key()).unwrap();
        assert!(!draft.exists());
        assert_eq!(identities.names().unwrap().len(), 2);
    }

    #[test]
    fn processes_that_start_together_agree_on_one_identity() {
        let (_folder, identities) = home();
        let start = |_| {
            let identities = identities.clone();
            std::thread::spawn(move || identities.load_or_make(None).unwrap().1.peer_id())
        };
        let threads: Vec<_> = (0..8).map(start).collect();
        let mut peers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        peers.dedup();
        assert_eq!(peers.len(), 1);
    }

    #[test]
    fn identities_are_renamed_and_removed_with_care() {
        let (_folder, identities) = home();
        identities.add(&name("a"), &key()).unwrap();
        identities.add(&name("b"), &key()).unwrap();
        identities.select(&name("a")).unwrap();
        let taken = identities.rename(&name("a"), &name("b"));
        assert!(matches!(taken, Err(IdentityError::Taken(_))));
        identities.rename(&name("a"), &name("c")).unwrap();
        assert_eq!(identities.in_use().unwrap(), name("c"));
        assert!(matches!(identities.remove(&name("c")), Err(IdentityError::InUse(_))));
        assert!(matches!(identities.remove(&name("a")), Err(IdentityError::Unknown(_))));
        identities.remove(&name("b")).unwrap();
        identities.remove(&name("c")).unwrap();
        assert!(identities.names().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_key_is_named() {
        let (_folder, identities) = home();
        identities.add(&name("a"), &key()).unwrap();
        fs::write(identities.path(&name("a")), "peerage identity 1\nnonsense").unwrap();
        let error = identities.load(&name("a")).unwrap_err();
        assert!(error.to_string().contains("identity a"), "{error}");
    }
}
