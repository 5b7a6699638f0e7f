//! Why a link was refused.

use crate::{
    identity::PeerIdError,
    limits::{MAX_LINK_ADDRESSES, MAX_LINK_BYTES, MAX_LINK_PROVIDERS},
    text::FileNameError,
};

/// Why a text was not taken as a link, or a link could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// It is something else entirely.
    #[error("this is not a link; give a link like peerage:1/…, or a CID like bafy…")]
    NotALink,
    /// A version that this Peerage does not know.
    #[error("this link has version {version}, made by a newer Peerage; update Peerage to open it")]
    NewerVersion {
        /// The version that it names.
        version: u64,
    },
    /// The text is over [`MAX_LINK_BYTES`].
    #[error(
        "a link has at most {MAX_LINK_BYTES} bytes, and this has {bytes}; name fewer peers or addresses"
    )]
    TooLong {
        /// The text's length in bytes.
        bytes: usize,
    },
    /// White space or a control character is in it.
    #[error("the link has a space or a line break in it; copy it in one piece")]
    Broken,
    /// Two slashes in a row, or one at the end.
    #[error("a part of the link is empty; copy it whole")]
    EmptyPart,
    /// The CID can't be read.
    #[error("the link's CID can't be read; copy the link whole")]
    BadCid,
    /// The CID names data of a kind that is not read here.
    #[error("the CID names data in format {codec:#x}; only raw, dag-pb and dag-cbor are read")]
    UnsupportedCodec {
        /// The multicodec number.
        codec: u64,
    },
    /// The CID's hash function is not one that is computed here.
    #[error("the CID uses hash function {code:#x}; only SHA-256 and BLAKE3 of 32 bytes are read")]
    UnsupportedHash {
        /// The multihash code.
        code: u64,
    },
    /// It is a peer id, which names nobody's files.
    #[error("this names a peer, not something shared; ask that peer for a link")]
    NamesPeer,
    /// A path below a CID was given.
    #[error("a path below a CID can't be given; leave out what follows the CID to get all of it")]
    PathBelow,
    /// One of the peer ids is wrong.
    #[error("one of the link's peers can't be read: {0}")]
    BadPeerId(#[from] PeerIdError),
    /// One of the addresses is wrong, or of a kind that is not known here.
    #[error("one of the link's addresses can't be read; copy the link whole, or update Peerage")]
    BadAddress,
    /// An address leads to another peer than the one it stands with.
    #[error("one of the addresses is that of another peer; give each peer its own")]
    OtherPeersAddress,
    /// Over [`MAX_LINK_PROVIDERS`] peers.
    #[error(
        "a link names at most {MAX_LINK_PROVIDERS} peers, and this has {providers}; leave some out"
    )]
    TooManyProviders {
        /// How many there are.
        providers: usize,
    },
    /// Over [`MAX_LINK_ADDRESSES`] addresses of one peer.
    #[error(
        "a link gives at most {MAX_LINK_ADDRESSES} addresses a peer, and this has {addresses}; leave some out"
    )]
    TooManyAddresses {
        /// How many there are.
        addresses: usize,
    },
    /// The name is percent-encoded wrongly.
    #[error("the link's name is cut or changed; copy the link whole")]
    BadEncoding,
    /// The name is not one file's name.
    #[error("the link's name can't be used: {0}")]
    BadName(#[from] FileNameError),
    /// The size is not a number of bytes.
    #[error("the link's size is not a number; copy the link whole")]
    BadSize,
    /// A field is there twice.
    #[error("the link has two {field}; copy the link again")]
    Twice {
        /// Which field.
        field: &'static str,
    },
}
