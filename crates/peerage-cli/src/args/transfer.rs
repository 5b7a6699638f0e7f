//! The arguments of the verbs that move content.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use serde::{Deserialize, Serialize};

/// What `share` takes.
#[derive(Debug, Args)]
pub(crate) struct ShareArgs {
    /// What to share; several are put in one folder
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// The name the receiver sees, instead of the file's or folder's own
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Leave out modification times and permissions
    #[arg(long)]
    pub(crate) no_metadata: bool,
    /// How content becomes blocks.
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    /// Also serve the trustless gateway over plain HTTP on this local address
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
    /// Print the link as a QR code even where standard output is not a terminal
    #[arg(long, conflicts_with = "no_qr")]
    pub(crate) qr: bool,
    /// Print no QR code
    #[arg(long)]
    pub(crate) no_qr: bool,
}

/// What `get` takes.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// A link of `peerage share`, or a CID
    #[arg(value_hint = ValueHint::Url)]
    pub(crate) target: String,
    /// The folder to put it in
    #[arg(long, short, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,
    /// Ask this peer too: an address that ends in /p2p/PEER (can be given several times)
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) peer: Vec<String>,
}

/// What `add` takes.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// What to add
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Keep modification times and permissions (this changes the CID)
    #[arg(long)]
    pub(crate) metadata: bool,
    /// How content becomes blocks.
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

/// What `export` takes.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The root of what to export
    pub(crate) cid: String,
    /// The file to write
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

/// What `import` takes.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The CAR file to read
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// How content is cut into blocks and named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args, Serialize, Deserialize)]
pub(crate) struct LayoutArgs {
    /// The import profile: which CIDs the content gets
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    pub(crate) profile: ProfileChoice,
    /// The hash function
    #[arg(long, value_enum, default_value_t, value_name = "HASH")]
    pub(crate) hash: HashChoice,
}

/// The import profiles that can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum ProfileChoice {
    /// CIDv1, 1 MiB chunks, 1024 links a node: what Kubo and Helia agreed on in 2025
    #[default]
    #[value(name = "unixfs-v1-2025")]
    #[serde(rename = "unixfs-v1-2025")]
    UnixfsV1_2025,
    /// CIDv1, 256 KiB chunks, 174 links a node: `ipfs add --cid-version=1`
    #[serde(rename = "legacy")]
    Legacy,
}

/// The hash functions that can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum HashChoice {
    /// SHA-256: every IPFS implementation reads it
    #[default]
    #[value(name = "sha2-256")]
    #[serde(rename = "sha2-256")]
    Sha2_256,
    /// BLAKE3: faster, and not read by all
    #[serde(rename = "blake3")]
    Blake3,
}
