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
    /// Answer under this name too, besides that address and localhost (can be given several times)
    #[arg(long, value_name = "NAME", requires = "http")]
    pub(crate) http_host: Vec<String>,
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
    /// How many files and folders it may become, if more than a link's maker can be trusted with
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_files: Option<u64>,
    /// How many bytes its files may have together, such as 20GiB, whatever the link promised
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,
}

/// A size in bytes: a number, with KiB, MiB, GiB or TiB behind it or not.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let shift = match text.get(digits.len()..).unwrap_or_default() {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err("write a number of bytes, or one with KiB, MiB, GiB or TiB".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "that is no number of bytes".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is more than can be counted".into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        assert_eq!((size("0"), size("17"), size("2KiB")), (Ok(0), Ok(17), Ok(2048)));
        assert_eq!(size("3TiB"), Ok(3 << 40));
        for wrong in ["", "GiB", "-1", "1.5GiB", "2 GiB", "2GB", "99999999TiB", "1\u{20ac}"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
