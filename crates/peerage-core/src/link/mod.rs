//! Links: what one person hands another so that they can get what is shared.
//!
//! ```text
//! peerage:1/CID[/PEER[-ADDRESS]*]*[/n=NAME][/s=SIZE]
//! ```
//!
//! - `CID`: what is shared, in any base.
//! - `PEER`: a peer that has it, as a peer id in either form; each `ADDRESS`
//!   is one of its multiaddresses, in binary, without the peer's own
//!   `/p2p/…`, in base 32 (RFC 4648) without padding.
//! - `NAME`: the shared thing's file name, percent-encoded bytes.
//! - `SIZE`: its size in bytes, decimal.
//!
//! Nothing in a link has a meaning to a shell, so it survives being pasted
//! without quotes, and nothing is markup in a chat. The scheme, addresses and
//! the other forms of CIDs and peer ids do not depend on case, which lets
//! [`Link::to_qr_text`] use the compact alphabet of QR codes. Fields that a
//! reader does not know (`x=…`) are skipped, so that later versions can add
//! hints; what can't be skipped gets a new version number.

mod error;
mod read;
mod target;

use std::fmt;

use cid::{Version, multibase::Base};
use data_encoding::BASE32_NOPAD;
pub use multiaddr::Multiaddr;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

pub use self::{error::LinkError, target::Target};
use crate::{
    data::{Cid, HashKind, codec},
    identity::{PeerId, peer_id_to_cid},
    limits::{MAX_LINK_ADDRESSES, MAX_LINK_BYTES, MAX_LINK_PROVIDERS},
    routing::address::{of_peer, peer_suffix},
    text::FileName,
};

const SCHEME: &str = "peerage:";
const VERSION: u64 = 1;
/// What a name of 255 bytes and a size take at most.
const NAME_AND_SIZE_BYTES: usize = 3 * 255 + "/n=".len() + 20 + "/s=".len();
/// All but what is unreserved in URLs and plain in chats: `_` and `~` are
/// markup there.
const ESCAPED_IN_NAMES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.');
const IDENTITY_HASH: u64 = 0;

/// A link to something shared, version 1.
///
/// Its text has at most [`MAX_LINK_BYTES`]; reading the text gives an equal
/// link.
///
/// ```
/// use peerage_core::{
///     identity::parse_peer_id,
///     link::{Link, Provider},
///     text::{FileName, Platform},
/// };
///
/// let cid = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".parse()?;
/// let peer = parse_peer_id("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA")?;
/// let provider = Provider::new(peer, vec!["/ip4/192.168.1.5/tcp/4001".parse()?])?;
/// let link = Link::new(cid)?
///     .with_provider(provider)?
///     .with_name(FileName::parse(b"summer", Platform::Unix)?)
///     .with_size(1_000_000);
/// assert_eq!(
///     link.to_string(),
///     "peerage:1/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\
///      /12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA-atakqaifayh2c\
///      /n=summer/s=1000000"
/// );
/// assert_eq!(link.to_string().parse(), Ok(link));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    cid: Cid,
    providers: Vec<Provider>,
    name: Option<FileName>,
    size: Option<u64>,
}

/// A peer that has what a link names, and where it may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    peer: PeerId,
    addresses: Vec<Multiaddr>,
}

impl Provider {
    /// A peer with its addresses, best first. The peer's own id at the end of
    /// an address is dropped, since the link has it once.
    ///
    /// # Errors
    ///
    /// When there are over [`MAX_LINK_ADDRESSES`], or one is empty or that of
    /// another peer.
    pub fn new(peer: PeerId, addresses: Vec<Multiaddr>) -> Result<Self, LinkError> {
        if addresses.len() > MAX_LINK_ADDRESSES {
            return Err(LinkError::TooManyAddresses { addresses: addresses.len() });
        }
        let addresses = addresses
            .iter()
            .map(|address| without_peer(address, peer))
            .collect::<Result<_, _>>()?;
        Ok(Self { peer, addresses })
    }

    /// The peer.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Its addresses, without the peer's own `/p2p/…` at the end.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    fn write(&self, text: &mut String, style: Style) {
        match style {
            Style::Readable => text.push_str(&self.peer.to_base58()),
            Style::Qr => text.push_str(&in_base(&peer_id_to_cid(&self.peer), Base::Base36Upper)),
        }
        for address in &self.addresses {
            let address = BASE32_NOPAD.encode(address.as_ref());
            text.push('-');
            text.push_str(&match style {
                Style::Readable => address.to_ascii_lowercase(),
                Style::Qr => address,
            });
        }
    }
}

fn without_peer(address: &Multiaddr, peer: PeerId) -> Result<Multiaddr, LinkError> {
    match peer_suffix(address) {
        Some(other) if other != peer => Err(LinkError::OtherPeersAddress),
        _ => of_peer(address, &peer).ok_or(LinkError::BadAddress),
    }
}

#[derive(Clone, Copy)]
enum Style {
    Readable,
    Qr,
}

impl Link {
    /// A link to `cid` that names no provider yet.
    ///
    /// # Errors
    ///
    /// When the CID's codec or hash function is not one that is read here.
    pub fn new(cid: Cid) -> Result<Self, LinkError> {
        check_supported(&cid)?;
        Ok(Self { cid, providers: Vec::new(), name: None, size: None })
    }

    /// Adds a peer that has it, best first.
    ///
    /// # Errors
    ///
    /// When there are over [`MAX_LINK_PROVIDERS`], or the link becomes too
    /// long.
    pub fn with_provider(mut self, provider: Provider) -> Result<Self, LinkError> {
        self.providers.push(provider);
        if self.providers.len() > MAX_LINK_PROVIDERS {
            return Err(LinkError::TooManyProviders { providers: self.providers.len() });
        }
        let bytes = self.places(Style::Readable).len() + NAME_AND_SIZE_BYTES;
        if bytes > MAX_LINK_BYTES { Err(LinkError::TooLong { bytes }) } else { Ok(self) }
    }

    /// Gives the file name that the receiver sees and keeps it under.
    #[must_use]
    pub fn with_name(self, name: FileName) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Gives the size, in bytes: a hint for the receiver's display.
    #[must_use]
    pub fn with_size(self, size: u64) -> Self {
        Self { size: Some(size), ..self }
    }

    /// What is shared.
    #[must_use]
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The peers that have it, best first.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Its file name, under the rules of Unix: ask for
    /// [`FileName::as_os_str`] before making a path of it.
    #[must_use]
    pub const fn name(&self) -> Option<&FileName> {
        self.name.as_ref()
    }

    /// Its size in bytes, as whoever made the link says.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// The link in the form that gives the smallest QR code: all but the name
    /// in upper case, which such codes store in 5½ bits a character. It reads
    /// as the same link.
    #[must_use]
    pub fn to_qr_text(&self) -> String {
        self.text(Style::Qr)
    }

    fn text(&self, style: Style) -> String {
        let mut text = self.places(style);
        if let Some(name) = &self.name {
            text.push_str("/n=");
            push_name(&mut text, name.as_bytes());
        }
        if let Some(size) = self.size {
            text.push_str("/s=");
            text.push_str(&size.to_string());
        }
        text
    }

    /// Everything up to the name: what is shared, and where.
    fn places(&self, style: Style) -> String {
        let (scheme, cid) = match (style, self.cid.version()) {
            (Style::Qr, Version::V1) => {
                (SCHEME.to_ascii_uppercase(), in_base(&self.cid, Base::Base32Upper))
            }
            (Style::Qr, Version::V0) => (SCHEME.to_ascii_uppercase(), self.cid.to_string()),
            (Style::Readable, _) => (SCHEME.to_owned(), self.cid.to_string()),
        };
        let mut text = format!("{scheme}{VERSION}/{cid}");
        for provider in &self.providers {
            text.push('/');
            provider.write(&mut text, style);
        }
        text
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Style::Readable))
    }
}

fn in_base(cid: &Cid, base: Base) -> String {
    cid.to_string_of_base(base).expect("a version 1 CID has a text in every base")
}

/// A dot at the end is escaped too: chats leave it out of a link.
fn push_name(text: &mut String, name: &[u8]) {
    let (name, last) = name.strip_suffix(b".").map_or((name, ""), |name| (name, "%2E"));
    text.extend(percent_encode(name, ESCAPED_IN_NAMES));
    text.push_str(last);
}

/// Whether blocks under this CID can be read and verified here.
fn check_supported(cid: &Cid) -> Result<(), LinkError> {
    let (codec, hash) = (cid.codec(), cid.hash());
    if !matches!(codec, codec::RAW | codec::DAG_PB | codec::DAG_CBOR) {
        return Err(LinkError::UnsupportedCodec { codec });
    }
    let supported = match HashKind::from_code(hash.code()) {
        Some(_) => hash.digest().len() == 32,
        None => hash.code() == IDENTITY_HASH,
    };
    if supported { Ok(()) } else { Err(LinkError::UnsupportedHash { code: hash.code() }) }
}

#[cfg(test)]
mod tests;
