//! Why a link was refused.

use crate::{
    advice::Advice,
    identity::PeerIdError,
    limits::{MAX_LINK_ADDRESSES, MAX_LINK_BYTES, MAX_LINK_PROVIDERS},
    text::FileNameError,
};

/// Why a text was not taken as a link, or a link could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// It is something else entirely.
    #[error("this is not a link")]
    NotALink,
    /// A version that this Peerage does not know.
    #[error("this link has version {version}, made by a newer Peerage")]
    NewerVersion {
        /// The version that it names.
        version: u64,
    },
    /// The text is over [`MAX_LINK_BYTES`].
    #[error("a link has at most {MAX_LINK_BYTES} bytes, and this has {bytes}")]
    TooLong {
        /// The text's length in bytes.
        bytes: usize,
    },
    /// White space or a control character is in it.
    #[error("the link has a space or a line break in it")]
    Broken,
    /// Two slashes in a row, or one at the end.
    #[error("a part of the link is empty")]
    EmptyPart,
    /// The CID can't be read.
    #[error("the link's CID can't be read")]
    BadCid,
    /// The CID names data of a kind that is not read here.
    #[error("the CID names data in format {codec:#x}, and only raw, dag-pb and dag-cbor are read")]
    UnsupportedCodec {
        /// The multicodec number.
        codec: u64,
    },
    /// The CID's hash function is not one that is computed here.
    #[error(
        "the CID uses hash function {code:#x}, and only SHA-256 and BLAKE3 of 32 bytes are read"
    )]
    UnsupportedHash {
        /// The multihash code.
        code: u64,
    },
    /// It is a peer id, which names nobody's files.
    #[error("this names a peer, not something shared")]
    NamesPeer,
    /// A path below a CID was given.
    #[error("a path below a CID can't be given")]
    PathBelow,
    /// One of the peer ids is wrong.
    #[error("one of the link's peers can't be read: {0}")]
    BadPeerId(#[from] PeerIdError),
    /// One of the addresses is wrong, or of a kind that is not known here.
    #[error("one of the link's addresses can't be read")]
    BadAddress,
    /// An address leads to another peer than the one it stands with.
    #[error("one of the addresses is that of another peer")]
    OtherPeersAddress,
    /// Over [`MAX_LINK_PROVIDERS`] peers.
    #[error("a link names at most {MAX_LINK_PROVIDERS} peers, and this has {providers}")]
    TooManyProviders {
        /// How many there are.
        providers: usize,
    },
    /// Over [`MAX_LINK_ADDRESSES`] addresses of one peer.
    #[error("a link gives at most {MAX_LINK_ADDRESSES} addresses a peer, and this has {addresses}")]
    TooManyAddresses {
        /// How many there are.
        addresses: usize,
    },
    /// The name is percent-encoded wrongly.
    #[error("the link's name is cut or changed")]
    BadEncoding,
    /// The name is not one file's name.
    #[error("the link's name can't be used: {0}")]
    BadName(#[from] FileNameError),
    /// The size is not a number of bytes.
    #[error("the link's size is not a number")]
    BadSize,
    /// A field is there twice.
    #[error("the link has two {field}")]
    Twice {
        /// Which field.
        field: &'static str,
    },
}

impl Advice for LinkError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotALink => Some("give a link like peerage:1/…, or a CID like bafy…"),
            Self::NewerVersion { .. } => Some("update Peerage to open it"),
            Self::TooLong { .. } => Some("name fewer peers or addresses"),
            Self::Broken => Some("copy it in one piece"),
            Self::EmptyPart => Some("copy it whole"),
            Self::BadCid | Self::BadEncoding | Self::BadSize => Some("copy the link whole"),
            Self::UnsupportedCodec { .. } => Some("ask whoever shared it for a link to files"),
            Self::UnsupportedHash { .. } => {
                Some("ask whoever shared it to hash it with SHA-256 or BLAKE3")
            }
            Self::NamesPeer => Some("ask that peer for a link"),
            Self::PathBelow => Some("leave out what follows the CID to get all of it"),
            Self::BadPeerId(error) => error.hint(),
            Self::BadAddress => Some("copy the link whole, or update Peerage"),
            Self::OtherPeersAddress => Some("give each peer its own"),
            Self::TooManyProviders { .. } | Self::TooManyAddresses { .. } => Some("leave some out"),
            Self::BadName(error) => error.hint(),
            Self::Twice { .. } => Some("copy the link again"),
        }
    }
}
