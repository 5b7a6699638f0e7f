//! What a node says of itself on the local network, as a DNS-SD service
//! ([RFC 6763](https://www.rfc-editor.org/rfc/rfc6763)).

use libp2p_identity::PeerId;
use thiserror::Error;

use super::Ports;
use crate::limits::{
    MAX_DEVICE_DETAIL_BYTES, MAX_DEVICE_NAME_BYTES, MAX_TXT_BYTES, MAX_TXT_ENTRIES,
};

/// The DNS-SD service type of a Peerage node.
pub const SERVICE_TYPE: &str = "_peerage._udp.local.";

/// How much of the peer id ends an instance name and starts a host name: 12
/// base58 characters, 70 bits, so that two devices never meet in one name.
const KEY_CHARACTERS: usize = 12;

/// The device name of a device that has none.
const UNNAMED: &str = "peerage";

/// What a node says of itself on the local network.
///
/// Nothing of it is proven: anybody on the network can announce any peer id
/// under any name. The peer id is proven when a connection to it is secured;
/// the names are never, and must be sanitised where they are shown.
///
/// ```
/// use peerage_core::discovery::{Announcement, Ports};
/// # let peer_id: libp2p_identity::PeerId = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?;
///
/// let mut announcement = Announcement::new(peer_id, "Ann's laptop");
/// announcement.ports = Ports { quic: Some(4001), ..Ports::default() };
/// assert_eq!(announcement.instance_name(), "Ann's laptop (HWmweQAJU5SA)");
///
/// let text = announcement.to_txt();
/// let entries = text.iter().map(|(key, value)| (*key, value.as_bytes()));
/// assert_eq!(Announcement::from_txt(entries, 4001)?, announcement);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whom the node says it is.
    pub peer_id: PeerId,
    /// The name of the device, for people. At most
    /// [`MAX_DEVICE_NAME_BYTES`] of it are announced.
    pub name: String,
    /// The operating system, as Rust calls it: `linux`, `macos`, `windows`.
    pub os: String,
    /// The version of the software.
    pub version: String,
    /// Where the node listens, on every address of the host.
    pub ports: Ports,
}

/// Why a TXT record is not that of a Peerage node.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnnouncementError {
    /// The record is larger than [`MAX_TXT_ENTRIES`] or [`MAX_TXT_BYTES`].
    #[error("the announcement has more than {MAX_TXT_ENTRIES} entries or {MAX_TXT_BYTES} bytes")]
    TooLarge,
    /// The record has no entry `id`.
    #[error("the announcement names no peer id")]
    NoPeerId,
    /// The entry `id` is no peer id.
    #[error("the announcement's entry `id` is not a peer id")]
    InvalidPeerId,
    /// An entry for a port is no number from 1 to 65535.
    #[error("the announcement's entry `{0}` is not a port")]
    InvalidPort(&'static str),
}

impl Announcement {
    /// The announcement of this software on this operating system, without
    /// any port yet.
    #[must_use]
    pub fn new(peer_id: PeerId, name: &str) -> Self {
        Self {
            peer_id,
            name: shorten(name, MAX_DEVICE_NAME_BYTES).to_owned(),
            os: std::env::consts::OS.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ports: Ports::default(),
        }
    }

    /// The DNS-SD instance name: the device's name without control characters,
    /// and the end of the peer id in parentheses. At most 63 bytes, as a DNS
    /// label may have, and different for different keys, so that it needs no
    /// probing for conflicts.
    #[must_use]
    pub fn instance_name(&self) -> String {
        let printable: String = self.name.chars().filter(|c| !c.is_control()).collect();
        let key = self.key_tail();
        let room = MAX_DEVICE_NAME_BYTES - " ()".len() - key.len();
        match shorten(printable.trim(), room).trim_end() {
            "" => format!("{UNNAMED} ({key})"),
            name => format!("{name} ({key})"),
        }
    }

    /// The host name that the SRV record points to. It is the node's own, not
    /// the machine's, so that it never disputes the machine's name with the
    /// system's responder.
    #[must_use]
    pub fn host_name(&self) -> String {
        format!("peerage-{}.local.", self.key_tail().to_lowercase())
    }

    fn key_tail(&self) -> String {
        let text = self.peer_id.to_base58();
        text[text.len().saturating_sub(KEY_CHARACTERS)..].to_owned()
    }

    /// The entries of the TXT record, in the order in which they are sent:
    /// `txtvers`, `id`, `name`, `os`, `version`, and a port each for `quic`,
    /// `tcp` and `ws` where the node listens on it.
    #[must_use]
    pub fn to_txt(&self) -> Vec<(&'static str, String)> {
        let mut entries = vec![
            ("txtvers", "1".to_owned()),
            ("id", self.peer_id.to_base58()),
            ("name", shorten(&self.name, MAX_DEVICE_NAME_BYTES).to_owned()),
            ("os", shorten(&self.os, MAX_DEVICE_DETAIL_BYTES).to_owned()),
            ("version", shorten(&self.version, MAX_DEVICE_DETAIL_BYTES).to_owned()),
        ];
        let ports =
            [("quic", self.ports.quic), ("tcp", self.ports.tcp), ("ws", self.ports.websocket)];
        let ports = ports.into_iter().filter_map(|(key, port)| Some((key, port?.to_string())));
        entries.extend(ports);
        entries
    }

    /// Reads the entries of a TXT record and the port of the SRV record beside
    /// it. Entries that are unknown are passed over, and of two with one key
    /// the first counts; keys ignore case (RFC 6763, section 6.4). A record
    /// without any port is taken to mean QUIC on the SRV record's.
    ///
    /// # Errors
    ///
    /// When the record is too large, or its peer id or a port is missing or
    /// wrong. Names that are too long are cut, and bytes that are not UTF-8
    /// replaced.
    pub fn from_txt<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        srv_port: u16,
    ) -> Result<Self, AnnouncementError> {
        let entries = Entries::collect(entries)?;
        let id = entries.get("id").ok_or(AnnouncementError::NoPeerId)?;
        let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        let mut ports = Ports {
            quic: entries.port("quic")?,
            tcp: entries.port("tcp")?,
            websocket: entries.port("ws")?,
        };
        if ports == Ports::default() && srv_port != 0 {
            ports.quic = Some(srv_port);
        }
        Ok(Self {
            peer_id: id.ok_or(AnnouncementError::InvalidPeerId)?,
            name: entries.text("name", MAX_DEVICE_NAME_BYTES),
            os: entries.text("os", MAX_DEVICE_DETAIL_BYTES),
            version: entries.text("version", MAX_DEVICE_DETAIL_BYTES),
            ports,
        })
    }
}

/// The entries of one TXT record, known to be few and small.
struct Entries<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Entries<'a> {
    fn collect(
        entries: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, AnnouncementError> {
        let mut kept = Vec::new();
        let mut bytes = 0;
        for (key, value) in entries {
            bytes += key.len() + value.len();
            if kept.len() == MAX_TXT_ENTRIES || bytes > MAX_TXT_BYTES {
                return Err(AnnouncementError::TooLarge);
            }
            kept.push((key, value));
        }
        Ok(Self(kept))
    }

    fn get(&self, key: &str) -> Option<&'a [u8]> {
        let entry = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(entry.1)
    }

    fn text(&self, key: &str, limit: usize) -> String {
        let text = String::from_utf8_lossy(self.get(key).unwrap_or_default());
        shorten(&text, limit).to_owned()
    }

    fn port(&self, key: &'static str) -> Result<Option<u16>, AnnouncementError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let port = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        match port {
            Some(0) | None => Err(AnnouncementError::InvalidPort(key)),
            port => Ok(port),
        }
    }
}

/// As much of the start of `text` as fits `limit` bytes, in whole characters.
fn shorten(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use libp2p_identity::Keypair;
    use proptest::prelude::*;

    use super::*;

    fn announcement(name: &str) -> Announcement {
        let peer_id = Keypair::ed25519_from_bytes([7; 32]).unwrap().public().to_peer_id();
        let mut announcement = Announcement::new(peer_id, name);
        announcement.ports = Ports { quic: Some(4001), tcp: Some(4002), websocket: None };
        announcement
    }

    fn read(entries: &[(&str, &str)], port: u16) -> Result<Announcement, AnnouncementError> {
        Announcement::from_txt(entries.iter().map(|(key, value)| (*key, value.as_bytes())), port)
    }

    #[test]
    fn the_instance_name_fits_a_label_and_tells_keys_apart() {
        let ours = announcement("Ann's laptop");
        let tail = &ours.peer_id.to_base58()[40..];
        assert_eq!(ours.instance_name(), format!("Ann's laptop ({tail})"));

        let long = announcement(&"ä".repeat(100)).instance_name();
        assert!(long.len() <= 63 && long.ends_with(&format!("({tail})")), "{long}");

        assert_eq!(announcement("\n\t \u{7}").instance_name(), format!("peerage ({tail})"));
    }

    #[test]
    fn another_entry_order_case_and_unknown_entries_are_read() {
        let ours = announcement("x");
        let id = ours.peer_id.to_base58();
        let entries = [("zeroconf", "yes"), ("TCP", "4002"), ("ID", &id), ("id", "second")];

        let read = read(&entries, 9).unwrap();
        assert_eq!(read.peer_id, ours.peer_id);
        assert_eq!(read.ports, Ports { tcp: Some(4002), ..Ports::default() });
        assert_eq!((read.name.as_str(), read.os.as_str()), ("", ""));
    }

    #[test]
    fn without_a_port_entry_the_srv_records_port_is_quics() {
        let id = announcement("x").peer_id.to_base58();
        assert_eq!(read(&[("id", &id)], 9).unwrap().ports.quic, Some(9));
        assert_eq!(read(&[("id", &id)], 0).unwrap().ports, Ports::default());
    }

    #[test]
    fn wrong_records_are_refused_with_the_reason() {
        let id = announcement("x").peer_id.to_base58();
        assert_eq!(read(&[("name", "x")], 1), Err(AnnouncementError::NoPeerId));
        assert_eq!(read(&[("id", "me")], 1), Err(AnnouncementError::InvalidPeerId));
        for wrong in ["0", "65536", "-1", "", "4001 "] {
            let entries = [("id", id.as_str()), ("tcp", wrong)];
            assert_eq!(read(&entries, 1), Err(AnnouncementError::InvalidPort("tcp")));
        }
    }

    #[test]
    fn the_size_is_limited_from_both_sides() {
        let id = announcement("x").peer_id.to_base58();
        let with = |count: usize| [vec![("id", id.as_str())], vec![("k", "v"); count]].concat();
        assert!(read(&with(MAX_TXT_ENTRIES - 1), 1).is_ok());
        assert_eq!(read(&with(MAX_TXT_ENTRIES), 1), Err(AnnouncementError::TooLarge));

        let room = MAX_TXT_BYTES - "id".len() - id.len() - "k".len();
        let fits = "v".repeat(room);
        assert!(read(&[("id", &id), ("k", &fits)], 1).is_ok());
        let spills = "v".repeat(room + 1);
        assert_eq!(read(&[("id", &id), ("k", &spills)], 1), Err(AnnouncementError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_announced_is_read_back(name: String, quic: Option<u16>, tcp in 1..=u16::MAX) {
            let mut ours = announcement(&name);
            ours.ports = Ports { quic: quic.filter(|port| *port > 0), tcp: Some(tcp), websocket: None };
            let entries = ours.to_txt();
            prop_assert!(entries.iter().all(|(key, value)| key.len() + value.len() < 255));
            let entries = entries.iter().map(|(key, value)| (*key, value.as_bytes()));
            prop_assert_eq!(Announcement::from_txt(entries, 1), Ok(ours));
        }

        #[test]
        fn any_record_is_read_or_refused_within_the_limits(
            entries: Vec<(String, Vec<u8>)>, port: u16, id: bool,
        ) {
            let own = announcement("x").peer_id.to_base58();
            let first = id.then_some(("id", own.as_bytes()));
            let entries = entries.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
            if let Ok(read) = Announcement::from_txt(first.into_iter().chain(entries), port) {
                prop_assert!(read.name.len() <= MAX_DEVICE_NAME_BYTES);
                prop_assert!(read.os.len() <= MAX_DEVICE_DETAIL_BYTES);
                prop_assert!(read.instance_name().len() <= 63);
            }
        }
    }
}
