//! Reading a link's text.

use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use percent_encoding::percent_decode;

use super::{Link, LinkError, Multiaddr, Provider, SCHEME, VERSION, check_supported};
use crate::{
    data::Cid,
    identity::parse_peer_id,
    limits::{MAX_LINK_ADDRESSES, MAX_LINK_BYTES, MAX_LINK_PROVIDERS},
    text::{FileName, Platform},
};

/// Reads a link's text. Takes time linear in its length, which is bounded.
impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        check_text(text)?;
        let rest = strip_prefix_ignoring_case(text, SCHEME).ok_or(LinkError::NotALink)?;
        let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
        check_version(version)?;
        let mut parts = rest.split('/');
        let mut link = Self::new(parse_cid(parts.next().unwrap_or_default())?)?;
        for part in parts {
            link.read_part(part)?;
        }
        Ok(link)
    }
}

impl Link {
    fn read_part(&mut self, part: &str) -> Result<(), LinkError> {
        match part.split_once('=') {
            None if part.is_empty() => Err(LinkError::EmptyPart),
            None => self.read_provider(part),
            Some(("n", name)) => put(&mut self.name, parse_name(name)?, "names"),
            Some(("s", size)) => put(&mut self.size, parse_size(size)?, "sizes"),
            Some(_) => Ok(()),
        }
    }

    fn read_provider(&mut self, part: &str) -> Result<(), LinkError> {
        let providers = self.providers.len() + 1;
        if providers > MAX_LINK_PROVIDERS {
            return Err(LinkError::TooManyProviders { providers });
        }
        self.providers.push(parse_provider(part)?);
        Ok(())
    }
}

fn put<T>(slot: &mut Option<T>, value: T, field: &'static str) -> Result<(), LinkError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(LinkError::Twice { field }),
    }
}

/// Refuses what no link may have, before anything else is looked at.
pub(super) fn check_text(text: &str) -> Result<(), LinkError> {
    if text.len() > MAX_LINK_BYTES {
        return Err(LinkError::TooLong { bytes: text.len() });
    }
    let breaks = |character: char| character.is_whitespace() || character.is_control();
    if text.contains(breaks) { Err(LinkError::Broken) } else { Ok(()) }
}

pub(super) fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn check_version(text: &str) -> Result<(), LinkError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(VERSION) if digits => Ok(()),
        Ok(version) if digits && version > VERSION => Err(LinkError::NewerVersion { version }),
        _ => Err(LinkError::NotALink),
    }
}

pub(super) fn parse_cid(text: &str) -> Result<Cid, LinkError> {
    // The CID parser skips anything before "/ipfs/".
    if text.contains('/') {
        return Err(LinkError::BadCid);
    }
    let cid = Cid::try_from(text).map_err(|_| LinkError::BadCid)?;
    check_supported(&cid)?;
    Ok(cid)
}

fn parse_provider(text: &str) -> Result<Provider, LinkError> {
    let mut parts = text.split('-');
    let peer = parse_peer_id(parts.next().unwrap_or_default())?;
    let addresses = parts.clone().count();
    if addresses > MAX_LINK_ADDRESSES {
        return Err(LinkError::TooManyAddresses { addresses });
    }
    Provider::new(peer, parts.map(parse_address).collect::<Result<_, _>>()?)
}

fn parse_address(text: &str) -> Result<Multiaddr, LinkError> {
    BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .ok()
        .and_then(|bytes| Multiaddr::try_from(bytes).ok())
        .ok_or(LinkError::BadAddress)
}

fn parse_name(text: &str) -> Result<FileName, LinkError> {
    let escapes_are_whole = text.split('%').skip(1).all(|escape| {
        escape
            .as_bytes()
            .first_chunk::<2>()
            .is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    });
    if !escapes_are_whole {
        return Err(LinkError::BadEncoding);
    }
    let bytes: Vec<u8> = percent_decode(text.as_bytes()).collect();
    Ok(FileName::parse(&bytes, Platform::Unix)?)
}

fn parse_size(text: &str) -> Result<u64, LinkError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(LinkError::BadSize)
}
