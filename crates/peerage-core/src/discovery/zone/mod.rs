//! The zone of a hub in the DNS: which names there are, and what they say.
//!
//! - `_dnsaddr.ZONE`, TXT: addresses of some live peers, others each time;
//! - `_dnsaddr.LABEL.ZONE`, TXT: the addresses of one peer, whose label is
//!   [`label`];
//! - `ZONE`, A and AAAA: IP addresses of some live peers; SOA and NS.
//!
//! The texts are libp2p's [`dnsaddr`].
//!
//! [`dnsaddr`]: https://github.com/multiformats/multiaddr/blob/master/protocols/DNSADDR.md

use std::net::IpAddr;

use cid::multibase::Base;
use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::{Scope, SignedPeerRecord};
use crate::identity::{parse_peer_id, peer_id_to_cid};
use crate::limits::{MAX_DNS_LABEL_BYTES, MAX_DNS_STRING_BYTES};
use crate::routing::address::{direct_ip, peer_suffix, with_peer};

mod walk;

pub use walk::{Question, Walk};

/// The label below which addresses stand.
pub const PREFIX: &str = "_dnsaddr";

/// What every text begins with.
const TEXT_PREFIX: &str = "dnsaddr=";

/// The label of a peer: its id as a CID in base 36, which does not tell upper
/// from lower case. `None` where it does not fit a label's 63 bytes; the ids of
/// Ed25519, secp256k1 and RSA keys all do.
///
/// ```
/// use peerage_core::discovery::zone;
/// # let peer: libp2p_identity::PeerId = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq".parse()?;
///
/// let label = zone::label(&peer).expect("an Ed25519 peer");
/// assert_eq!(label, "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn label(peer: &PeerId) -> Option<String> {
    let text = peer_id_to_cid(peer).to_string_of_base(Base::Base36Lower).ok()?;
    (text.len() <= MAX_DNS_LABEL_BYTES).then_some(text)
}

/// The name of the list of live peers of a zone.
#[must_use]
pub fn list_name(zone: &str) -> String {
    format!("{PREFIX}.{}", zone.trim_end_matches('.'))
}

/// The name of one peer in a zone, where it has one.
#[must_use]
pub fn peer_name(peer: &PeerId, zone: &str) -> Option<String> {
    Some(list_name(&format!("{}.{zone}", label(peer)?)))
}

/// What a name in the zone stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The zone itself.
    Apex,
    /// `_dnsaddr`: the list of live peers.
    List,
    /// `_dnsaddr.LABEL`: one peer.
    Peer(PeerId),
    /// `LABEL`, which has nothing but the name below it.
    Above(PeerId),
    /// No name of the zone.
    Nowhere,
}

impl Place {
    /// What the labels left of the zone's own stand for; the leftmost first,
    /// in any case of letters.
    #[must_use]
    pub fn of(labels: &[&[u8]]) -> Self {
        let is_prefix = |label: &[u8]| label.eq_ignore_ascii_case(PREFIX.as_bytes());
        match labels {
            [] => Self::Apex,
            [only] if is_prefix(only) => Self::List,
            [only] => peer_of(only).map_or(Self::Nowhere, Self::Above),
            [first, second] if is_prefix(first) => {
                peer_of(second).map_or(Self::Nowhere, Self::Peer)
            }
            _ => Self::Nowhere,
        }
    }
}

/// The peer of a label, written as [`label`] writes it but for the case.
fn peer_of(bytes: &[u8]) -> Option<PeerId> {
    let text = std::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
    let peer = parse_peer_id(&text).ok()?;
    (label(&peer)? == text).then_some(peer)
}

/// The texts for a peer: its addresses that can be reached from `scope`, the
/// widest first. Those that do not fit a string of 255 bytes are left out.
#[must_use]
pub fn texts(record: &SignedPeerRecord, scope: Scope) -> Vec<String> {
    let mut addresses: Vec<&Multiaddr> =
        record.addresses().iter().filter(|address| Scope::of(address) <= scope).collect();
    addresses.sort_by_key(|address| Scope::of(address));
    let texts = addresses.into_iter().map(|address| text(address, record.peer()));
    texts.filter(|text| text.len() <= MAX_DNS_STRING_BYTES).collect()
}

fn text(address: &Multiaddr, peer: PeerId) -> String {
    match peer_suffix(address) {
        Some(_) => format!("{TEXT_PREFIX}{address}"),
        None => format!("{TEXT_PREFIX}{}", with_peer(address, peer)),
    }
}

/// The public IP addresses of a peer, without those of its relays.
#[must_use]
pub fn ip_addresses(record: &SignedPeerRecord) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for address in record.addresses().iter().filter(|a| Scope::of(a) == Scope::Public) {
        let Some(ip) = direct_ip(address) else { continue };
        if !found.contains(&ip) {
            found.push(ip);
        }
    }
    found
}

/// Some of `items`, at most `count`: others each turn, so that all have theirs.
pub fn on_turn<T>(items: &[T], turn: u64, count: usize) -> impl Iterator<Item = &T> {
    let length = items.len() as u64;
    let step = if count < items.len() { count as u64 } else { 1 };
    let start = (turn % length.max(1)) * step % length.max(1);
    let start = usize::try_from(start).expect("below a length");
    items.iter().cycle().skip(start).take(count.min(items.len()))
}

#[cfg(test)]
mod tests {
    use libp2p_identity::Keypair;
    use multiaddr::multihash::Multihash;
    use proptest::prelude::*;

    use super::*;
    use crate::identity::{KeyKind, generate};

    fn keypair() -> Keypair {
        generate(KeyKind::Ed25519, [1; 32].into())
    }

    fn record(addresses: &[&str]) -> SignedPeerRecord {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        SignedPeerRecord::sign(&keypair(), 1, addresses).unwrap()
    }

    #[test]
    fn names_stand_for_places_in_any_case() {
        let peer = keypair().public().to_peer_id();
        let label = label(&peer).unwrap();
        let upper = label.to_ascii_uppercase();
        for (labels, place) in [
            (vec![], Place::Apex),
            (vec!["_DNSaddr"], Place::List),
            (vec!["_dnsaddr", &label], Place::Peer(peer)),
            (vec!["_dnsaddr", &upper], Place::Peer(peer)),
            (vec![label.as_str()], Place::Above(peer)),
            (vec!["www"], Place::Nowhere),
            (vec!["_dnsaddr", "www"], Place::Nowhere),
            (vec!["_dnsaddr", "_dnsaddr"], Place::Nowhere),
            (vec!["x", "_dnsaddr", &label], Place::Nowhere),
            (vec!["_dnsaddr", &label[..61]], Place::Nowhere),
        ] {
            let bytes: Vec<&[u8]> = labels.iter().map(|label| label.as_bytes()).collect();
            assert_eq!(Place::of(&bytes), place, "{labels:?}");
        }
    }

    #[test]
    fn a_peer_has_one_label_and_it_fits() {
        let peer = keypair().public().to_peer_id();
        let other_base = peer_id_to_cid(&peer).to_string_of_base(Base::Base32Lower).unwrap();
        assert_eq!(Place::of(&[other_base.as_bytes()]), Place::Nowhere);
        let secp256k1 = generate(KeyKind::Secp256k1, [1; 32].into()).public().to_peer_id();
        assert_eq!(label(&secp256k1).unwrap().len(), MAX_DNS_LABEL_BYTES);
        let long = Multihash::wrap(0, &[1; 60]).unwrap();
        let long = PeerId::from_multihash(long);
        assert!(long.is_err() || label(&long.unwrap()).is_none());
    }

    #[test]
    fn texts_have_the_widest_addresses_first_and_the_peer_at_their_end() {
        let record = record(&[
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/8.8.8.8/udp/1/quic-v1",
            &format!("/dns4/{}/tcp/1", "a".repeat(250)),
        ]);
        let peer = record.peer();
        assert_eq!(
            texts(&record, Scope::Private),
            [
                format!("dnsaddr=/ip4/8.8.8.8/udp/1/quic-v1/p2p/{peer}"),
                format!("dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/{peer}"),
            ]
        );
        assert_eq!(texts(&record, Scope::Public).len(), 1);
    }

    #[test]
    fn only_public_ip_addresses_are_given_and_not_a_relays() {
        let relay = keypair().public().to_peer_id();
        let record = record(&[
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/8.8.8.8/udp/1/quic-v1",
            "/ip4/8.8.8.8/tcp/1",
            "/ip6/2600::1/tcp/1",
            &format!("/ip4/9.9.9.9/tcp/1/p2p/{relay}/p2p-circuit"),
        ]);
        let expected: Vec<IpAddr> = vec!["8.8.8.8".parse().unwrap(), "2600::1".parse().unwrap()];
        assert_eq!(ip_addresses(&record), expected);
    }

    proptest! {
        #[test]
        fn everybody_has_a_turn(length in 0_usize..40, count in 1_usize..20, turn in 0..u64::MAX / 2) {
            let items: Vec<usize> = (0..length).collect();
            let mut seen = std::collections::BTreeSet::new();
            for turn in turn..turn + length as u64 {
                let now: Vec<usize> = on_turn(&items, turn, count).copied().collect();
                prop_assert_eq!(now.len(), count.min(length));
                seen.extend(now);
            }
            prop_assert_eq!(seen.len(), length);
        }
    }
}
