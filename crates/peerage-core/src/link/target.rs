//! What a person may give to say what they want.

use std::str::FromStr;

use super::{
    Link, LinkError, Provider,
    read::{check_text, parse_cid, strip_prefix_ignoring_case},
};
use crate::{data::Cid, identity::parse_peer_id, link::SCHEME, text::FileName};

/// Something to get: a link of ours, or the CID alone.
///
/// ```
/// use peerage_core::link::Target;
///
/// let cid = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
/// for text in [cid.to_owned(), format!("ipfs://{cid}"), format!("/ipfs/{cid}")] {
///     assert_eq!(Target::parse(&text)?.cid().to_string(), cid);
/// }
/// # Ok::<(), peerage_core::link::LinkError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A link, which says where to look.
    Link(Link),
    /// A CID, whose providers have to be found.
    Cid(Cid),
}

impl Target {
    /// Reads a link, a CID in any base, `ipfs://CID` or `/ipfs/CID`. White
    /// space around it is ignored.
    ///
    /// # Errors
    ///
    /// The reason why it is none of them.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        check_text(text)?;
        if strip_prefix_ignoring_case(text, SCHEME).is_some() {
            return text.parse().map(Self::Link);
        }
        let prefixes = ["ipfs://", "/ipfs/"];
        match prefixes.iter().find_map(|prefix| strip_prefix_ignoring_case(text, prefix)) {
            Some(cid) => parse_rooted(cid),
            None => parse_bare(text),
        }
        .map(Self::Cid)
    }

    /// What is wanted.
    #[must_use]
    pub const fn cid(&self) -> &Cid {
        match self {
            Self::Link(link) => link.cid(),
            Self::Cid(cid) => cid,
        }
    }

    /// The peers that are said to have it; none for a CID alone.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        match self {
            Self::Link(link) => link.providers(),
            Self::Cid(_) => &[],
        }
    }

    /// Its file name, if the link says so.
    #[must_use]
    pub const fn name(&self) -> Option<&FileName> {
        match self {
            Self::Link(link) => link.name(),
            Self::Cid(_) => None,
        }
    }

    /// Its size in bytes, if the link says so.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        match self {
            Self::Link(link) => link.size(),
            Self::Cid(_) => None,
        }
    }
}

impl FromStr for Target {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        Self::parse(text)
    }
}

/// A CID that may have a path after it, as browsers leave a slash.
fn parse_rooted(text: &str) -> Result<Cid, LinkError> {
    match text.split_once('/') {
        None | Some((_, "")) => parse_bare(text.trim_end_matches('/')),
        Some(_) => Err(LinkError::PathBelow),
    }
}

fn parse_bare(text: &str) -> Result<Cid, LinkError> {
    match parse_cid(text) {
        Ok(cid) => Ok(cid),
        Err(_) if parse_peer_id(text).is_ok() => Err(LinkError::NamesPeer),
        Err(LinkError::BadCid) if !looks_like_cid(text) => Err(LinkError::NotALink),
        Err(error) => Err(error),
    }
}

/// Whether somebody may have copied a CID badly.
fn looks_like_cid(text: &str) -> bool {
    const SHORTEST: usize = 20;
    let begins =
        ["Qm", "baf", "BAF", "zb2", "zdj", "zdp"].iter().any(|start| text.starts_with(start));
    begins && text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
