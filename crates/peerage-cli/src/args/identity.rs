//! The arguments of `peerage id`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum, ValueHint};

/// What can be done with identities.
#[derive(Debug, Subcommand)]
pub(crate) enum IdentityVerb {
    /// List the identities of this home; the one in use has a star
    List,
    /// Make a new identity
    New {
        /// What to call it
        name: String,
        /// The kind of key
        #[arg(long, value_enum, default_value_t)]
        kind: KeyChoice,
        /// Protect the key with a passphrase, which is asked for
        #[arg(long)]
        passphrase: bool,
    },
    /// Use this identity from now on
    Use {
        /// Its name
        name: String,
    },
    /// Write an identity, with its secret key, to a file that only you can read
    Export {
        /// Its name
        name: String,
        /// The file to write; it must not exist yet
        #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: PathBuf,
    },
    /// Read an identity from a file that `export` wrote
    Import {
        /// The file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// What to call it
        #[arg(long)]
        name: String,
    },
    /// Call an identity something else
    Rename {
        /// Its name
        from: String,
        /// Its new name
        to: String,
    },
    /// Delete an identity and its secret key, for ever
    Remove {
        /// Its name
        name: String,
        /// Do not ask first
        #[arg(long, short)]
        yes: bool,
    },
}

/// The kinds of key that can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyChoice {
    /// Ed25519: short, fast, understood everywhere
    #[default]
    Ed25519,
    /// secp256k1: the curve of Bitcoin and Ethereum
    Secp256k1,
}
