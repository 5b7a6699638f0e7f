//! What can be wrong with a key file.

use crate::advice::Advice;
use crate::limits::{
    MAX_KEY_FILE_BYTES, MAX_KEY_LANES, MAX_KEY_MEMORY_KIB, MAX_KEY_PASSES, MAX_PASSPHRASE_BYTES,
};

/// Why a key file was not written, read or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The bytes are something else.
    #[error("this is not a Peerage key file: its first line is not `peerage identity 1`")]
    NotAKeyFile,
    /// A later Peerage wrote it.
    #[error("this key file has version {version}, made by a newer Peerage")]
    NewerVersion {
        /// The version that it names.
        version: u64,
    },
    /// The file was changed or cut.
    #[error("the key file is damaged ({part})")]
    Damaged {
        /// The part that is wrong.
        part: &'static str,
    },
    /// The file is over [`MAX_KEY_FILE_BYTES`].
    #[error("this is no key file: those have at most {MAX_KEY_FILE_BYTES} bytes")]
    TooLarge,
    /// Opening the file would take too much memory or time.
    #[error(
        "the key file asks for {memory_kib} KiB of memory, {passes} passes and {lanes} lanes to open it, and from 8 KiB a lane up to {MAX_KEY_MEMORY_KIB} KiB, {MAX_KEY_PASSES} passes and {MAX_KEY_LANES} lanes are allowed"
    )]
    Cost {
        /// The memory asked for, in KiB.
        memory_kib: u32,
        /// The passes asked for.
        passes: u32,
        /// The lanes asked for.
        lanes: u32,
    },
    /// The machine has too little memory free.
    #[error("opening the key takes {memory_kib} KiB of memory, which are not free")]
    OutOfMemory {
        /// The memory needed, in KiB.
        memory_kib: u32,
    },
    /// The key is sealed, and no passphrase was given.
    #[error("the key is sealed")]
    PassphraseNeeded,
    /// The passphrase does not open the key.
    #[error(
        "the passphrase does not open this key (nor does any open one that was forged on purpose)"
    )]
    WrongPassphrase,
    /// A passphrase of no characters.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// A passphrase over [`MAX_PASSPHRASE_BYTES`].
    #[error("a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes")]
    LongPassphrase,
    /// A key of a kind that is not kept here, such as RSA.
    #[error("only ed25519 and secp256k1 keys can be kept")]
    UnsupportedKind,
}

impl Advice for KeyFileError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAKeyFile => Some("give a file that `peerage id export` has written"),
            Self::NewerVersion { .. } => Some("update Peerage to read it"),
            Self::Damaged { .. } => Some("restore it from a backup or an export"),
            Self::TooLarge => Some("give a key file"),
            Self::Cost { .. } => Some("seal the key again where it comes from, at less cost"),
            Self::OutOfMemory { .. } => Some("close something and try again"),
            Self::PassphraseNeeded => Some("give its passphrase"),
            Self::WrongPassphrase => Some("try again"),
            Self::EmptyPassphrase => Some("choose one, or keep the key without"),
            Self::LongPassphrase => Some("choose a shorter one"),
            Self::UnsupportedKind => Some("make a new identity instead"),
        }
    }
}
