//! What a node's task tells its handles: read by them without asking it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::book::AddressBook;
use super::event::{Connection, PeerInfo};
use super::streams::Streams;
use crate::routing::Path;

/// Written by the node's task alone, but for the address book.
#[derive(Debug, Default)]
pub(super) struct State {
    peers: RwLock<HashMap<PeerId, PeerState>>,
    listening: RwLock<Vec<Multiaddr>>,
    book: Mutex<AddressBook>,
}

/// A connected peer.
#[derive(Debug, Default)]
pub(super) struct PeerState {
    pub(super) connections: Vec<(ConnectionId, Connection)>,
    pub(super) identity: Option<Identity>,
    pub(super) rtt: Option<Duration>,
}

/// What a peer said of itself.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) agent: String,
    pub(super) protocol_version: String,
    pub(super) protocols: Vec<StreamProtocol>,
    pub(super) listen_addresses: Vec<Multiaddr>,
}

impl State {
    pub(super) fn peers(&self) -> RwLockReadGuard<'_, HashMap<PeerId, PeerState>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn peers_mut(&self) -> RwLockWriteGuard<'_, HashMap<PeerId, PeerState>> {
        self.peers.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, AddressBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listening(&self) -> Vec<Multiaddr> {
        self.listening.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_listening(&self, addresses: Vec<Multiaddr>) {
        *self.listening.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// The best connection to a peer.
    pub(super) fn connection(&self, peer: &PeerId) -> Option<Connection> {
        let peers = self.peers();
        peers.get(peer)?.connections.first().map(|(_, connection)| connection.clone())
    }

    /// All connections to a peer.
    pub(super) fn connection_ids(&self, peer: &PeerId) -> Vec<ConnectionId> {
        let peers = self.peers();
        let connections = peers.get(peer).map(|state| state.connections.as_slice());
        connections.unwrap_or_default().iter().map(|(id, _)| *id).collect()
    }

    /// Adds a connection; whether it is the first to its peer.
    pub(super) fn add_connection(
        &self,
        id: ConnectionId,
        connection: Connection,
        streams: &Streams,
    ) -> bool {
        let mut peers = self.peers_mut();
        let state = peers.entry(connection.peer).or_default();
        state.connections.push((id, connection));
        state.sort(streams);
        state.connections.len() == 1
    }

    /// Notes that a connection's packets go another way now.
    pub(super) fn move_connection(
        &self,
        peer: &PeerId,
        id: ConnectionId,
        address: Multiaddr,
        path: Path,
        streams: &Streams,
    ) -> Option<Connection> {
        let mut peers = self.peers_mut();
        let state = peers.get_mut(peer)?;
        let (_, connection) = state.connections.iter_mut().find(|(known, _)| *known == id)?;
        (connection.address, connection.path) = (address, path);
        let moved = connection.clone();
        streams.set_rank(id, &moved);
        state.sort(streams);
        Some(moved)
    }

    /// Removes a connection; whether it was the last to its peer.
    pub(super) fn remove_connection(&self, peer: &PeerId, id: ConnectionId) -> bool {
        let mut peers = self.peers_mut();
        let Some(state) = peers.get_mut(peer) else { return false };
        state.connections.retain(|(known, _)| *known != id);
        let last = state.connections.is_empty();
        if last {
            peers.remove(peer);
        }
        last
    }

    pub(super) fn set_rtt(&self, peer: &PeerId, rtt: Duration) {
        if let Some(state) = self.peers_mut().get_mut(peer) {
            state.rtt = Some(rtt);
        }
    }

    pub(super) fn infos(&self) -> Vec<PeerInfo> {
        self.peers().iter().map(|(peer, state)| state.info(*peer)).collect()
    }

    pub(super) fn info(&self, peer: &PeerId) -> Option<PeerInfo> {
        self.peers().get(peer).map(|state| state.info(*peer))
    }

    /// Whether a peer speaks a protocol; unknown until it has said so.
    pub(super) fn supports(&self, peer: &PeerId, protocol: &StreamProtocol) -> Option<bool> {
        let peers = self.peers();
        let identity = peers.get(peer)?.identity.as_ref()?;
        Some(identity.protocols.contains(protocol))
    }
}

impl PeerState {
    /// Puts the connection first that new streams take.
    fn sort(&mut self, streams: &Streams) {
        let rank = |(id, connection): &(ConnectionId, Connection)| streams.rank(*id, connection);
        self.connections.sort_by_key(|one| Reverse(rank(one)));
    }

    fn info(&self, peer: PeerId) -> PeerInfo {
        let said = self.identity.as_ref();
        PeerInfo {
            peer,
            connections: self.connections.iter().map(|(_, one)| one.clone()).collect(),
            agent: said.map(|said| said.agent.clone()),
            protocol_version: said.map(|said| said.protocol_version.clone()),
            protocols: said.map(|said| said.protocols.clone()).unwrap_or_default(),
            listen_addresses: said.map(|said| said.listen_addresses.clone()).unwrap_or_default(),
            rtt: self.rtt,
        }
    }
}
