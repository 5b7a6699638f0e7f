//! The JSON form of a list of peers: an object from peer ids to places.

use std::fmt;

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::{Excess, List, StaticListError};
use crate::advice::Advice;
use crate::identity::{PeerIdError, parse_peer_id};
use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_STATIC_ENTRIES};
use crate::routing::address::{Place, PlaceError};
use crate::text::for_terminal;

/// The only scheme: other transports have more to say than a host and a port,
/// and a multiaddress says it.
const SCHEME: &str = "tcp://";

/// How much of a wrong entry an error repeats, in columns.
const SHOWN_COLUMNS: usize = 80;

/// How much of what the JSON reader has to say, in columns.
const REASON_COLUMNS: usize = 200;

/// Why an entry of the JSON form names no peer at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// What stands before the colon is no peer id.
    #[error(transparent)]
    Peer(#[from] PeerIdError),
    /// A place of another scheme, or of none.
    #[error("{0} does not begin with {SCHEME}")]
    Scheme(String),
    /// A host or a port that nobody can dial.
    #[error("{place}: {source}")]
    Place {
        /// The place, made safe to show.
        place: String,
        /// What is wrong with it.
        source: PlaceError,
    },
    /// More addresses than a list may have.
    #[error("it is beyond the limit of {MAX_STATIC_ENTRIES} addresses")]
    TooMany,
    /// More addresses than a peer may have.
    #[error("the peer has more than {MAX_ADDRESSES_PER_PEER} addresses")]
    TooManyOfOne,
}

impl Advice for EntryError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Peer(error) => error.hint(),
            Self::Scheme(_) => Some("write tcp://HOST:PORT, or list it as an address on a line"),
            Self::Place { .. } => Some("write it like tcp://192.168.1.2:4001"),
            Self::TooMany => Some("make the list shorter"),
            Self::TooManyOfOne => Some("leave some out"),
        }
    }
}

/// Whether a text is meant to be of this form: no line of the other one begins
/// like that.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// Reads the JSON form.
pub(super) fn read(text: &str) -> Result<Vec<super::Finding>, StaticListError> {
    let entries: Entries = serde_json::from_str(text).map_err(|error| {
        // It may quote as much of the text as it likes.
        StaticListError::Json(for_terminal(&error.to_string(), REASON_COLUMNS).into_owned())
    })?;
    let mut list = List::default();
    for (id, places) in entries.0 {
        add(&mut list, &id, &places.all()).map_err(|source| {
            let entry = for_terminal(&id, SHOWN_COLUMNS).into_owned();
            StaticListError::Entry { entry, source }
        })?;
    }
    Ok(list.peers)
}

fn add(list: &mut List, id: &str, places: &[String]) -> Result<(), EntryError> {
    let peer: PeerId = parse_peer_id(id)?;
    for place in places {
        list.add(peer, address(place)?).map_err(|excess| match excess {
            Excess::Addresses => EntryError::TooMany,
            Excess::OfOnePeer => EntryError::TooManyOfOne,
        })?;
    }
    Ok(())
}

/// The address that a place of the form `tcp://HOST:PORT` is.
fn address(place: &str) -> Result<Multiaddr, EntryError> {
    let shown = || for_terminal(place, SHOWN_COLUMNS).into_owned();
    let wrong = |source| EntryError::Place { place: shown(), source };
    let rest = place.strip_prefix(SCHEME).ok_or_else(|| EntryError::Scheme(shown()))?;
    let (host, port) = rest.rsplit_once(':').ok_or_else(|| wrong(PlaceError::NoPort))?;
    // A sign is no digit, though the parser of numbers takes one.
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits).ok_or_else(|| wrong(PlaceError::NoPort))?;
    let host = read_host(host).ok_or_else(|| wrong(PlaceError::BadName))?;
    let address = Multiaddr::empty().with(host).with(Protocol::Tcp(port));
    // It judges names and the port 0 as it does wherever an address comes from.
    Place::try_from(&address).map_err(wrong)?;
    Ok(address)
}

fn read_host(host: &str) -> Option<Protocol<'_>> {
    let six = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match (six, host.parse()) {
        (Some(six), _) => six.parse().ok().map(Protocol::Ip6),
        (None, Ok(four)) => Some(Protocol::Ip4(four)),
        (None, Err(_)) => Some(Protocol::Dns(host.into())),
    }
}

/// What stands under a peer's id.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a place, or a list of places, under each peer id")]
enum Places {
    One(String),
    Several(Vec<String>),
}

impl Places {
    fn all(self) -> Vec<String> {
        match self {
            Self::One(place) => vec![place],
            Self::Several(places) => places,
        }
    }
}

/// All entries in their order. A peer may be there twice, as on lines; a map
/// would forget one of the two. Bounded by the text, which is.
struct Entries(Vec<(String, Places)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object { } of peer ids and places")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_static_list;
    use super::*;

    const ANN: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const BOB: &str = "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN";

    /// Why a list with this one entry is refused; the error must name it.
    fn refusal(id: &str, place: &str) -> EntryError {
        let text = format!("{{ \"{ANN}\": \"tcp://192.0.2.1:1\", \"{id}\": \"{place}\" }}");
        match read_static_list(&text) {
            Err(StaticListError::Entry { entry, source }) => {
                assert_eq!(entry, id);
                source
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ids_and_places_are_read_in_their_order() {
        let text = format!(
            "\n {{ \"{BOB}\": \"tcp://12.62.93.214:9090\",\n\"{ANN}\": [\"tcp://[2001:db8::7]:1\", \
             \"tcp://hub.example.org:443\"], \"{BOB}\": \"tcp://192.0.2.1:2\" }}"
        );
        let list = read_static_list(&text).unwrap();
        let read: Vec<_> = list
            .iter()
            .map(|one| (one.peer.to_string(), one.addresses.iter().map(ToString::to_string)))
            .map(|(peer, addresses)| (peer, addresses.collect::<Vec<_>>().join(" ")))
            .collect();
        let addresses = "/ip6/2001:db8::7/tcp/1 /dns/hub.example.org/tcp/443";
        assert_eq!(
            read,
            [
                (BOB.to_owned(), "/ip4/12.62.93.214/tcp/9090 /ip4/192.0.2.1/tcp/2".to_owned()),
                (ANN.to_owned(), addresses.to_owned()),
            ]
        );
        assert_eq!(read_static_list("{}"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_entry() {
        for id in ["", "nobody", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"] {
            assert!(matches!(refusal(id, "tcp://192.0.2.1:1"), EntryError::Peer(_)), "{id}");
        }
        for place in ["udp://192.0.2.1:1", "utp://192.0.2.1:1", "TCP://a:1", "192.0.2.1:1", ""] {
            assert_eq!(refusal(BOB, place), EntryError::Scheme(place.to_owned()));
        }
        let wrong = |place: &str| match refusal(BOB, place) {
            EntryError::Place { source, .. } => source,
            other => panic!("{place}: {other:?}"),
        };
        for place in ["tcp://192.0.2.1", "tcp://a:", "tcp://a:0", "tcp://a:+1", "tcp://a:65536"] {
            assert_eq!(wrong(place), PlaceError::NoPort, "{place}");
        }
        assert_eq!(wrong("tcp://a:1/"), PlaceError::NoPort, "no path");
        for host in ["", "a b", "me@a", "1.2.3", "300.1.1.1", "2001:db8::7", "[a]", "[::1"] {
            assert_eq!(wrong(&format!("tcp://{host}:1")), PlaceError::BadName, "{host}");
        }
    }

    #[test]
    fn what_is_no_such_json_is_told_with_its_line() {
        let array = format!("[\n\"{ANN}\": \"tcp://192.0.2.1:1\"\n]");
        let deep = "[".repeat(10_000);
        let number = format!("{{\n\"{ANN}\": 1 }}");
        for text in ["{", "{ \"a\" }", &array, &deep, &number] {
            let Err(StaticListError::Json(reason)) = read_static_list(text) else {
                panic!("{text}")
            };
            assert!(reason.contains("line ") && reason.chars().count() <= REASON_COLUMNS);
        }
        let error = read_static_list(&array).unwrap_err();
        assert!(error.to_string().contains("an object { }"), "{error}");
    }

    #[test]
    fn long_lists_are_refused() {
        let place = |n: usize| format!("\"tcp://192.0.2.1:{n}\"");
        let places = |count| (1..=count).map(place).collect::<Vec<_>>().join(",");
        let of_one = |count| format!("{{\"{ANN}\": [{}]}}", places(count));
        let most = read_static_list(&of_one(MAX_ADDRESSES_PER_PEER)).unwrap();
        assert_eq!(most[0].addresses.len(), MAX_ADDRESSES_PER_PEER);
        let refused = read_static_list(&of_one(MAX_ADDRESSES_PER_PEER + 1)).unwrap_err();
        assert!(matches!(refused, StaticListError::Entry { source: EntryError::TooManyOfOne, .. }));

        let same = |count| format!("{{\"{ANN}\": [{}]}}", vec![place(1); count].join(","));
        assert_eq!(read_static_list(&same(MAX_STATIC_ENTRIES)).unwrap().len(), 1);
        let refused = read_static_list(&same(MAX_STATIC_ENTRIES + 1)).unwrap_err();
        assert!(matches!(refused, StaticListError::Entry { source: EntryError::TooMany, .. }));
    }
}
