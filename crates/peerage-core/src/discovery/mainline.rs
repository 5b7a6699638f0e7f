//! What a node says in `BitTorrent`'s Mainline DHT: [BEP 5] says that there is
//! somebody at an IP address and a port, and [BEP 44] keeps a record of 1000
//! bytes that only the owner of an Ed25519 key can write.
//!
//! [BEP 5]: https://www.bittorrent.org/beps/bep_0005.html
//! [BEP 44]: https://www.bittorrent.org/beps/bep_0044.html

use std::net::SocketAddrV4;

use libp2p_identity::{Keypair, PeerId, PublicKey};
use multiaddr::Multiaddr;
use sha2::{Digest as _, Sha256};

use super::{Key, Ports, RecordError, Scope, SignedPeerRecord};
use crate::limits::MAX_MAINLINE_VALUE_BYTES;
use crate::routing::address;

/// The salt of the mutable item that holds a peer's record: with it one key
/// can also be that of other software's items.
pub const SALT: &[u8] = b"peerage";

/// Sets these hashes apart from those of torrents.
const DOMAIN: &[u8] = b"peerage mainline 1\0";

/// The code of the identity function among multihashes.
const IDENTITY: u64 = 0;

/// The info hash that peers announce themselves under for a key: the first 20
/// bytes of the SHA-256 of `peerage mainline 1`, a zero byte, the kind of the
/// key (`peer`, `content` or `topic`), a zero byte, and the multihash of the
/// peer id, of the CID (so that its version and codec do not count), or of the
/// topic as [`Key::multihash`] has it.
///
/// ```
/// use peerage_core::discovery::{Key, mainline};
///
/// let key: Key = "topic:lisbon street art".parse()?;
/// assert_eq!(mainline::info_hash(&key).len(), 20);
/// # Ok::<(), peerage_core::discovery::KeyError>(())
/// ```
#[must_use]
pub fn info_hash(key: &Key) -> [u8; 20] {
    let kind: &[u8] = match key {
        Key::Peer(_) => b"peer\0",
        Key::Content(_) => b"content\0",
        Key::Topic(_) => b"topic\0",
    };
    let digest = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(kind)
        .chain_update(key.multihash().to_bytes())
        .finalize();
    let mut hash = [0; 20];
    hash.copy_from_slice(&digest[..20]);
    hash
}

/// The Ed25519 key that a peer id carries, under which its record is kept.
/// `None` for peers with keys of another kind.
#[must_use]
pub fn public_key(peer: &PeerId) -> Option<[u8; 32]> {
    let multihash = peer.as_ref();
    if multihash.code() != IDENTITY {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(multihash.digest()).ok()?;
    Some(key.try_into_ed25519().ok()?.to_bytes())
}

/// A record ready to be put: the value, its number, and the signature over
/// both and [`SALT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Under which key it is found.
    pub key: [u8; 32],
    /// The signed peer record.
    pub value: Vec<u8>,
    /// The record's sequence number, which must not shrink.
    pub sequence: i64,
    /// The key's signature.
    pub signature: [u8; 64],
}

impl Item {
    /// The item for a record, signed with the identity's own key. Addresses
    /// are left out, the least useful first, until the record fits
    /// [`MAX_MAINLINE_VALUE_BYTES`]. `None` for keys that are not Ed25519.
    ///
    /// # Errors
    ///
    /// When the key cannot sign.
    pub fn sign(keypair: &Keypair, record: &SignedPeerRecord) -> Result<Option<Self>, RecordError> {
        let Some(key) = public_key(&keypair.public().to_peer_id()) else { return Ok(None) };
        let value = fit(keypair, record)?.encode();
        let sequence = i64::try_from(record.sequence()).unwrap_or(i64::MAX);
        let signature = keypair
            .sign(&signed_bytes(sequence, &value))
            .map_err(|error| RecordError::Signing(error.to_string()))?;
        let signature = signature.try_into().expect("an Ed25519 signature has 64 bytes");
        Ok(Some(Self { key, value, sequence, signature }))
    }
}

/// Reads the value of an item that was found where a peer's record is kept.
/// `None` unless it is the record of that peer, signed by it.
#[must_use]
pub fn read_value(peer: &PeerId, value: &[u8]) -> Option<SignedPeerRecord> {
    if value.len() > MAX_MAINLINE_VALUE_BYTES {
        return None;
    }
    SignedPeerRecord::decode(value).ok().filter(|record| record.peer() == *peer)
}

/// What the signature of an item is over: BEP 44's bencoded salt, sequence
/// number and value.
#[must_use]
pub fn signed_bytes(sequence: i64, value: &[u8]) -> Vec<u8> {
    let mut bytes = format!("4:salt{}:", SALT.len()).into_bytes();
    bytes.extend_from_slice(SALT);
    bytes.extend_from_slice(format!("3:seqi{sequence}e1:v{}:", value.len()).as_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// The same record with as many addresses as fit.
fn fit(keypair: &Keypair, record: &SignedPeerRecord) -> Result<SignedPeerRecord, RecordError> {
    let mut fitting = record.clone();
    let mut addresses = record.addresses().to_vec();
    while fitting.encode().len() > MAX_MAINLINE_VALUE_BYTES && !addresses.is_empty() {
        let worst =
            (0..addresses.len()).max_by_key(|place| (Scope::of(&addresses[*place]), *place));
        addresses.remove(worst.expect("there is an address"));
        fitting = SignedPeerRecord::sign(keypair, record.sequence(), addresses.clone())?;
    }
    Ok(fitting)
}

/// The port to announce: that of the best IPv4 address that is not relayed,
/// since the DHT keeps one port and the IPv4 address that it sees itself.
#[must_use]
pub fn announced_port(addresses: &[Multiaddr]) -> Option<u16> {
    let mut direct: Vec<&Multiaddr> = addresses
        .iter()
        .filter(|address| address::ip(address).is_some_and(|ip| ip.is_ipv4()))
        .filter(|address| Scope::of(address) != Scope::Relayed)
        .collect();
    direct.sort_by_key(|address| Scope::of(address));
    direct.into_iter().find_map(|address| {
        let ports = Ports::of([address]);
        ports.quic.or(ports.tcp)
    })
}

/// Where somebody who announced this may be: QUIC and TCP share a port.
/// Nothing for port 0.
#[must_use]
pub fn addresses_at(place: SocketAddrV4) -> Vec<Multiaddr> {
    let port = Some(place.port()).filter(|port| *port != 0);
    let ports = Ports { quic: port, tcp: port, websocket: None };
    ports.at((*place.ip()).into()).collect()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::identity::{KeyKind, generate};

    fn keypair() -> Keypair {
        Keypair::ed25519_from_bytes([1; 32]).unwrap()
    }

    fn record(addresses: &[String]) -> SignedPeerRecord {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        SignedPeerRecord::sign(&keypair(), 7, addresses).unwrap()
    }

    #[test]
    fn info_hashes_are_those_of_the_vectors() {
        for line in include_str!("../../tests/vectors/mainline-1.txt").lines() {
            let (key, hash) = line.split_once(" = ").unwrap();
            assert_eq!(HEXLOWER.encode(&info_hash(&key.parse().unwrap())), hash, "{key}");
        }
    }

    #[test]
    fn a_cids_version_does_not_count() {
        let old = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".parse::<cid::Cid>().unwrap();
        let new = cid::Cid::new_v1(0x55, *old.hash());
        assert_eq!(info_hash(&Key::Content(old)), info_hash(&Key::Content(new)));
    }

    #[test]
    fn only_ed25519_peers_have_items() {
        let keypair = keypair();
        let key = keypair.public().try_into_ed25519().unwrap().to_bytes();
        assert_eq!(public_key(&keypair.public().to_peer_id()), Some(key));

        let other = generate(KeyKind::Secp256k1, [1; 32].into());
        let record = SignedPeerRecord::sign(&other, 1, Vec::new()).unwrap();
        assert_eq!(public_key(&record.peer()), None);
        assert_eq!(Item::sign(&other, &record).unwrap(), None);
    }

    #[test]
    fn an_item_holds_the_record_and_is_signed() {
        let record = record(&["/ip4/8.8.8.8/tcp/1".to_owned()]);
        let item = Item::sign(&keypair(), &record).unwrap().unwrap();
        assert_eq!(read_value(&record.peer(), &item.value), Some(record));
        assert_eq!(item.sequence, 7);
        let signed = signed_bytes(item.sequence, &item.value);
        assert!(signed.starts_with(b"4:salt7:peerage3:seqi7e1:v"));
        assert!(keypair().public().verify(&signed, &item.signature));
    }

    #[test]
    fn the_least_useful_addresses_are_left_out() {
        let peer = keypair().public().to_peer_id();
        let mut addresses = vec!["/ip4/127.0.0.1/tcp/1".to_owned(), "/ip4/10.0.0.1/tcp/1".into()];
        addresses.extend(
            (0..12).map(|n| {
                format!("/ip4/8.8.{n}.8/udp/4001/quic-v1/p2p/{peer}/p2p-circuit/p2p/{peer}")
            }),
        );
        addresses.push("/ip4/8.8.8.8/tcp/1".to_owned());
        let record = record(&addresses);
        assert!(record.encode().len() > MAX_MAINLINE_VALUE_BYTES);

        let item = Item::sign(&keypair(), &record).unwrap().unwrap();
        assert!(item.value.len() <= MAX_MAINLINE_VALUE_BYTES);
        let kept = read_value(&peer, &item.value).unwrap();
        assert_eq!(kept.sequence(), 7);
        let kept: Vec<String> = kept.addresses().iter().map(ToString::to_string).collect();
        assert!(kept.len() > 4, "{kept:?}");
        assert_eq!(kept.last(), addresses.last(), "the public one stays, in its place");
        assert_eq!(kept[0], addresses[2], "the nearest ones went first");
    }

    #[test]
    fn values_are_refused_that_are_anothers_forged_or_too_large() {
        let record = record(&[]);
        let other = Keypair::ed25519_from_bytes([2; 32]).unwrap().public().to_peer_id();
        let mut value = record.encode();
        assert!(read_value(&record.peer(), &value).is_some());
        assert_eq!(read_value(&other, &value), None);
        *value.last_mut().unwrap() ^= 1;
        assert_eq!(read_value(&record.peer(), &value), None);
        assert_eq!(read_value(&record.peer(), &[0; MAX_MAINLINE_VALUE_BYTES + 1]), None);
    }

    #[test]
    fn the_port_is_that_of_the_widest_ipv4_address() {
        let port = |texts: &[&str]| {
            let addresses: Vec<Multiaddr> =
                texts.iter().map(|text| text.parse().unwrap()).collect();
            announced_port(&addresses)
        };
        assert_eq!(port(&["/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/udp/2/quic-v1"]), Some(2));
        assert_eq!(port(&["/ip6/2600::1/tcp/1", "/ip4/127.0.0.1/tcp/3/ws"]), None);
        assert_eq!(port(&["/ip4/127.0.0.1/tcp/3"]), Some(3));
    }

    #[test]
    fn a_place_is_tried_over_quic_and_tcp() {
        let texts: Vec<String> =
            addresses_at("8.8.8.8:9".parse().unwrap()).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["/ip4/8.8.8.8/udp/9/quic-v1", "/ip4/8.8.8.8/tcp/9"]);
        assert_eq!(addresses_at("8.8.8.8:0".parse().unwrap()), Vec::<Multiaddr>::new());
    }
}
