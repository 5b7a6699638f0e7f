//! A registry as bytes, so that a tracker that restarts goes on with it.
//!
//! A header, then one message for each peer, each after its length. Records
//! are verified and judged again when they are read, and what has run out
//! meanwhile, or breaks a rule of today, is left out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};
use prost::Message as _;

use super::place::{bytes_of, check_places, place};
use super::{Caller, Refusal, Registry, Statement};
use crate::discovery::{Key, LegacyPeerRecord, SignedPeerRecord};
use crate::limits::{
    MAX_REGISTRY_KEYS_PER_PEER, MAX_REGISTRY_SNAPSHOT_BYTES, REGISTRY_MAX_TTL_SECONDS,
    REGISTRY_TTL_SECONDS,
};

const MAGIC: &[u8] = b"peerage registry 1\n";

/// Why bytes are no snapshot of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Larger than [`MAX_REGISTRY_SNAPSHOT_BYTES`].
    #[error("a snapshot of {0} bytes is over the limit of {MAX_REGISTRY_SNAPSHOT_BYTES}")]
    TooLarge(usize),
    /// Not a snapshot, or of another version.
    #[error("this is no snapshot of a registry, or one of another version")]
    NotASnapshot,
    /// The end is missing, or something within is not what it should be.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(uint64, tag = "1")]
    last: u64,
    #[prost(uint64, tag = "2")]
    peers: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Peer {
    #[prost(bytes = "vec", tag = "1")]
    peer: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    record: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    legacy: Option<Vec<u8>>,
    /// Only of those who signed nothing.
    #[prost(bytes = "vec", repeated, tag = "4")]
    addresses: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    seen: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "6")]
    places: Vec<Place>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Place {
    /// As [`Key`]'s text; empty for the peer's own id.
    #[prost(string, tag = "1")]
    key: String,
    #[prost(uint64, tag = "2")]
    number: u64,
    /// Milliseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    expires: u64,
}

impl Registry {
    /// Everything that is kept, as bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let header = Header { last: self.last, peers: self.entries.len() as u64 };
        bytes.extend(header.encode_length_delimited_to_vec());
        for peer in self.entries.keys() {
            bytes.extend(self.peer_to_wire(peer).encode_length_delimited_to_vec());
        }
        bytes
    }

    fn peer_to_wire(&self, peer: &PeerId) -> Peer {
        let mut wire = Peer { peer: peer.to_bytes(), ..Peer::default() };
        let Some(entry) = self.entries.get(peer) else { return wire };
        let statement = entry.statement();
        wire.record = statement.record.as_ref().map(SignedPeerRecord::encode);
        wire.legacy = statement.legacy.as_ref().map(LegacyPeerRecord::encode);
        if !statement.is_signed() {
            wire.addresses = statement.addresses.iter().map(Multiaddr::to_vec).collect();
        }
        wire.seen = entry.seen().iter().map(|ip| ip_to_wire(*ip)).collect();
        for number in entry.numbers() {
            let Some(one) = self.registrations.get(&number) else { continue };
            let key = one.key.as_ref().map_or_else(String::new, ToString::to_string);
            let expires = u64::try_from(one.expires.as_millis()).unwrap_or(u64::MAX);
            wire.places.push(Place { key, number, expires });
        }
        wire
    }

    /// Takes in a snapshot, into a registry that is empty. Answers how many
    /// peers were taken in; peers that ran out by `now`, whose records do not
    /// verify, or that break a rule are left out.
    ///
    /// # Errors
    ///
    /// When it is no whole snapshot; then nothing has changed.
    pub fn restore(&mut self, bytes: &[u8], now: Duration) -> Result<usize, SnapshotError> {
        if bytes.len() > MAX_REGISTRY_SNAPSHOT_BYTES {
            return Err(SnapshotError::TooLarge(bytes.len()));
        }
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::NotASnapshot)?;
        let header = Header::decode_length_delimited(&mut rest).map_err(damaged)?;
        let mut restored = Vec::new();
        for _ in 0..header.peers {
            let peer = Peer::decode_length_delimited(&mut rest).map_err(damaged)?;
            restored.extend(peer.read(header.last, now));
        }
        if !rest.is_empty() {
            return Err(SnapshotError::Damaged("something follows its end".to_owned()));
        }
        // Who is reached through others comes after them.
        restored.sort_by_key(Restored::is_relayed);
        let taken = restored.into_iter().filter_map(|peer| self.take_in(peer).ok());
        let count = taken.count();
        self.last = self.last.max(header.last);
        Ok(count)
    }

    fn take_in(&mut self, peer: Restored) -> Result<(), Refusal> {
        let Restored { caller, statement, places } = peer;
        check_places(places.iter().map(|(_, key, _)| key))?;
        let claim = self.claim(&caller, statement, Duration::from_secs(REGISTRY_TTL_SECONDS))?;
        let added = places.iter().map(|(_, key, _)| bytes_of(key)).sum();
        self.check_room(&claim, added, 0)?;
        self.settle(claim);
        for (number, key, expires) in places {
            self.put_at(number, caller.peer, key, expires);
        }
        self.remove_if_empty(&caller.peer);
        Ok(())
    }
}

/// A peer of a snapshot, verified but not yet judged.
struct Restored {
    caller: Caller,
    statement: Statement,
    places: Vec<PlaceRead>,
}

impl Restored {
    fn is_relayed(&self) -> bool {
        let mut parts = self.statement.addresses.iter().flatten();
        parts.any(|part| part == Protocol::P2pCircuit)
    }
}

impl Peer {
    /// The peer, if its records verify and it has places beyond `now`.
    fn read(self, last: u64, now: Duration) -> Option<Restored> {
        let peer = PeerId::from_bytes(&self.peer).ok()?;
        let seen = self.seen.iter().filter_map(|ip| ip_from_wire(ip)).collect();
        let places = self.places.iter().take(MAX_REGISTRY_KEYS_PER_PEER);
        let places: Vec<_> = places.filter_map(|one| one.read(&peer, last, now)).collect();
        let statement = self.statement(peer)?;
        let caller = Caller { peer, seen };
        (!places.is_empty()).then_some(Restored { caller, statement, places })
    }

    fn statement(&self, peer: PeerId) -> Option<Statement> {
        let record = self.record.as_deref().map(SignedPeerRecord::decode).transpose().ok()?;
        let legacy = self.legacy.as_deref().map(LegacyPeerRecord::decode).transpose().ok()?;
        match (record, legacy) {
            (Some(record), Some(legacy)) => Statement::both(record, legacy).ok(),
            (Some(record), None) => Some(Statement::signed(record)),
            (None, Some(legacy)) => Some(Statement::legacy(legacy)),
            (None, None) => {
                let addresses = self.addresses.iter().cloned();
                let addresses = addresses.filter_map(|bytes| Multiaddr::try_from(bytes).ok());
                Some(Statement::unsigned(peer, addresses))
            }
        }
    }
}

impl Place {
    fn read(&self, peer: &PeerId, last: u64, now: Duration) -> Option<PlaceRead> {
        let key = match self.key.as_str() {
            "" => None,
            text => place(peer, &text.parse().ok()?).ok()?,
        };
        let latest = now + Duration::from_secs(REGISTRY_MAX_TTL_SECONDS);
        let expires = Duration::from_millis(self.expires).min(latest);
        let good = (1..=last).contains(&self.number) && expires > now;
        good.then_some((self.number, key, expires))
    }
}

type PlaceRead = (u64, Option<Arc<Key>>, Duration);

fn damaged(error: prost::DecodeError) -> SnapshotError {
    SnapshotError::Damaged(error.to_string())
}

fn ip_to_wire(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn ip_from_wire(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    <[u8; 16]>::try_from(bytes).map(IpAddr::from).or_else(|_| v4()).ok()
}
