//! Lists of peers that somebody wrote: an address with a peer at its end on
//! each line, or an object of JSON from peer ids to places.

mod json;

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::Finding;
use crate::advice::Advice;
use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_STATIC_ENTRIES, MAX_STATIC_LIST_BYTES};
use crate::routing::address::{peer_suffix, without_peer};

pub use self::json::EntryError;

/// Why a text is no list of peers. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticListError {
    /// More than [`MAX_STATIC_LIST_BYTES`].
    #[error("a list of {0} bytes is over the limit of {MAX_STATIC_LIST_BYTES}")]
    TooLarge(u64),
    /// More than [`MAX_STATIC_ENTRIES`].
    #[error("line {0} is beyond the limit of {MAX_STATIC_ENTRIES} addresses")]
    TooMany(usize),
    /// Not an address.
    #[error("line {line} is no address: {reason}")]
    Malformed {
        /// Which line.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// An address that does not say which peer is there.
    #[error("line {0} names no peer at an address")]
    NoPeer(usize),
    /// A peer with more than [`MAX_ADDRESSES_PER_PEER`].
    #[error("line {0} is the peer's address beyond {MAX_ADDRESSES_PER_PEER}")]
    TooManyOfOne(usize),
    /// It begins like JSON, and is not of the form.
    #[error("the list is no object of peers in JSON: {0}")]
    Json(String),
    /// An entry of the JSON form that names no peer at a place.
    #[error("entry {entry}: {source}")]
    Entry {
        /// Which: what stands in the place of the peer id, made safe to show.
        entry: String,
        /// What is wrong.
        source: EntryError,
    },
}

impl Advice for StaticListError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge(_) | Self::TooMany(_) => Some("make it shorter"),
            Self::Malformed { .. } => Some("write it like /ip4/192.168.1.2/tcp/4001/p2p/PEER"),
            Self::NoPeer(_) => Some("add /p2p/ and the peer's id at its end"),
            Self::TooManyOfOne(_) => Some("leave some out"),
            Self::Json(_) => Some("write it like { \"PEER\": \"tcp://192.168.1.2:4001\" }"),
            Self::Entry { source, .. } => source.hint(),
        }
    }
}

/// Reads a list: a multiaddress that ends in `/p2p/PEER` on each line; empty
/// lines, and what follows a `#`, do not count. A peer can be on several lines.
///
/// Or an object of JSON from peer ids to places of the form `tcp://HOST:PORT`,
/// or to lists of them; an IPv6 address stands in brackets. Other schemes are
/// refused: a multiaddress can say those.
///
/// ```
/// use peerage_core::discovery::read_static_list;
///
/// let text = "# home\n/dns4/hub.example.org/tcp/443/wss/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\n";
/// let list = read_static_list(text)?;
/// assert_eq!(list[0].addresses[0].to_string(), "/dns4/hub.example.org/tcp/443/wss");
/// assert!(read_static_list("/ip4/192.0.2.1/tcp/1").is_err());
///
/// let json = r#"{ "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA": "tcp://192.0.2.1:1" }"#;
/// assert_eq!(read_static_list(json)?[0].addresses[0].to_string(), "/ip4/192.0.2.1/tcp/1");
/// # Ok::<(), peerage_core::discovery::StaticListError>(())
/// ```
///
/// # Errors
///
/// When a line or an entry is none of that, or the list is over a limit; the
/// error says which line, or which entry.
pub fn read_static_list(text: &str) -> Result<Vec<Finding>, StaticListError> {
    if text.len() > MAX_STATIC_LIST_BYTES {
        return Err(StaticListError::TooLarge(text.len() as u64));
    }
    if json::is_json(text) {
        return json::read(text);
    }
    let mut list = List::default();
    for (line, text) in (1..).zip(text.lines()) {
        let entry = text.split_once('#').map_or(text, |(entry, _)| entry).trim();
        if !entry.is_empty() {
            let (peer, address) = split(line, entry)?;
            list.add(peer, address).map_err(|excess| match excess {
                Excess::Addresses => StaticListError::TooMany(line),
                Excess::OfOnePeer => StaticListError::TooManyOfOne(line),
            })?;
        }
    }
    Ok(list.peers)
}

/// What a list has too much of.
enum Excess {
    Addresses,
    OfOnePeer,
}

/// The peers in the order in which they are first named.
#[derive(Default)]
struct List {
    peers: Vec<Finding>,
    places: BTreeMap<PeerId, usize>,
    entries: usize,
}

impl List {
    fn add(&mut self, peer: PeerId, address: Multiaddr) -> Result<(), Excess> {
        self.entries += 1;
        if self.entries > MAX_STATIC_ENTRIES {
            return Err(Excess::Addresses);
        }
        let place = *self.places.entry(peer).or_insert(self.peers.len());
        if place == self.peers.len() {
            self.peers.push(Finding { peer, addresses: Vec::new(), record: None });
        }
        let addresses = &mut self.peers[place].addresses;
        if addresses.contains(&address) {
            return Ok(());
        }
        if addresses.len() >= MAX_ADDRESSES_PER_PEER {
            return Err(Excess::OfOnePeer);
        }
        addresses.push(address);
        Ok(())
    }
}

/// A peer, and its address without it.
fn split(line: usize, entry: &str) -> Result<(PeerId, Multiaddr), StaticListError> {
    let malformed = |reason: String| StaticListError::Malformed { line, reason };
    let address: Multiaddr = entry.parse().map_err(|error| malformed(format!("{error}")))?;
    match (peer_suffix(&address), without_peer(&address)) {
        (Some(peer), address) if !address.is_empty() => Ok((peer, address)),
        _ => Err(StaticListError::NoPeer(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const BOB: &str = "12D3KooWNu4NTsSxfRv5yRq2Y8Ch2rDSvS3DYtWMAqjWSYd1CpLx";

    #[test]
    fn peers_are_read_with_comments_and_several_lines_each() {
        let text = format!(
            "# ours\r\n\n  /ip4/192.0.2.1/tcp/1/p2p/{ANN}  # Ann\n/ip4/192.0.2.2/tcp/1/p2p/{BOB}\n\
             /ip4/192.0.2.1/udp/1/quic-v1/p2p/{ANN}\n/ip4/192.0.2.1/tcp/1/p2p/{ANN}\n\
             /ip4/192.0.2.3/tcp/1/p2p/{BOB}/p2p-circuit/p2p/{ANN}"
        );
        let list = read_static_list(&text).unwrap();
        let read: Vec<_> =
            list.iter().map(|entry| (entry.peer.to_string(), entry.addresses.len())).collect();
        assert_eq!(read, [(ANN.to_owned(), 3), (BOB.to_owned(), 1)]);
        assert!(list[0].addresses[2].to_string().ends_with("/p2p-circuit"));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        let wrong = |text: &str| read_static_list(text).unwrap_err();
        assert_eq!(wrong("\n\n/ip4/192.0.2.1/tcp/1"), StaticListError::NoPeer(3));
        assert_eq!(wrong(&format!("#\n/p2p/{ANN}")), StaticListError::NoPeer(2));
        assert!(matches!(wrong("#\nhello"), StaticListError::Malformed { line: 2, .. }));
    }

    #[test]
    fn long_lists_are_refused() {
        let line = |n: usize| format!("/ip4/192.0.2.1/tcp/{n}/p2p/{ANN}\n");
        let crowd: String = (1..=MAX_ADDRESSES_PER_PEER + 1).map(line).collect();
        let refused = read_static_list(&crowd).unwrap_err();
        assert_eq!(refused, StaticListError::TooManyOfOne(MAX_ADDRESSES_PER_PEER + 1));

        let many = line(1).repeat(MAX_STATIC_ENTRIES);
        assert_eq!(read_static_list(&many).unwrap().len(), 1);
        let refused = read_static_list(&(many + &line(1))).unwrap_err();
        assert_eq!(refused, StaticListError::TooMany(MAX_STATIC_ENTRIES + 1));

        let large = "#".repeat(MAX_STATIC_LIST_BYTES + 1);
        assert!(matches!(read_static_list(&large), Err(StaticListError::TooLarge(_))));
    }
}
