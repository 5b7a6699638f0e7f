//! The table of connections: one record for each, under its peer. The node's
//! task writes it; handles and the watches of connections read it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::sync::Notify;

use super::event::{Connection, Direction, PeerInfo};
use super::line::Line;
use crate::routing::{Path, TransportKind};
use crate::sync::lock;

/// All connections of a node; a cheap handle.
#[derive(Clone)]
pub(super) struct Connections(Arc<Table>);

struct Table {
    own: PeerId,
    peers: Mutex<HashMap<PeerId, Peer>>,
}

/// A connected peer.
#[derive(Default)]
struct Peer {
    /// At least one; the one that new streams take comes first.
    records: Vec<Record>,
    /// What was told last of the first of them.
    told: Option<Connection>,
    identity: Option<Identity>,
    rtt: Option<Duration>,
}

/// One connection, and all that the node keeps of it.
struct Record {
    id: ConnectionId,
    connection: Connection,
    line: Line,
    /// By which its watch is told to doubt it.
    doubt: Arc<Notify>,
}

/// What a peer said of itself.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) agent: String,
    pub(super) protocol_version: String,
    pub(super) protocols: Vec<StreamProtocol>,
    pub(super) listen_addresses: Vec<Multiaddr>,
}

/// What it means for a peer that a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Others are left, or the connection had been given up before.
    Connected,
    /// It was the last one.
    Disconnected,
}

/// Which of a peer's connections new streams take: the greatest. Of two of a
/// kind, the one that the lesser peer id has dialled: when two peers dial each
/// other at once, both take the same one. Then the newest: the one that is most
/// surely alive.
type Rank = (TransportKind, bool, ConnectionId);

impl Record {
    fn rank(&self, own: &PeerId) -> Rank {
        let Connection { peer, path, direction, .. } = &self.connection;
        let outgoing = *direction == Direction::Outgoing;
        (path.transport, outgoing == (own < peer), self.id)
    }
}

impl Connections {
    /// The table of a node.
    pub(super) fn new(own: PeerId) -> Self {
        Self(Arc::new(Table { own, peers: Mutex::default() }))
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<PeerId, Peer>> {
        lock(&self.0.peers)
    }

    /// Adds a connection; answers whether it is the first to its peer, and by
    /// what its watch is told to doubt it. The other connections of the peer are
    /// doubted: it may have lost them.
    pub(super) fn add(
        &self,
        id: ConnectionId,
        connection: Connection,
        line: Line,
    ) -> (bool, Arc<Notify>) {
        let doubt = Arc::new(Notify::new());
        let mut peers = self.peers();
        let peer = peers.entry(connection.peer).or_default();
        peer.records.iter().for_each(|record| record.doubt.notify_one());
        peer.records.push(Record { id, connection, line, doubt: Arc::clone(&doubt) });
        peer.sort(&self.0.own);
        (peer.records.len() == 1, doubt)
    }

    /// Notes that a connection's packets go another way now.
    pub(super) fn moved(
        &self,
        peer: &PeerId,
        id: ConnectionId,
        address: Multiaddr,
        path: Path,
    ) -> Option<Connection> {
        let mut peers = self.peers();
        let peer = peers.get_mut(peer)?;
        let record = peer.records.iter_mut().find(|record| record.id == id)?;
        (record.connection.address, record.connection.path) = (address, path);
        let moved = record.connection.clone();
        peer.sort(&self.0.own);
        Some(moved)
    }

    /// Removes a connection, if it is there.
    pub(super) fn remove(&self, peer: &PeerId, id: ConnectionId) -> Left {
        let mut peers = self.peers();
        let Some(state) = peers.get_mut(peer) else { return Left::Connected };
        state.records.retain(|record| record.id != id);
        match state.records.is_empty() {
            true => {
                peers.remove(peer);
                Left::Disconnected
            }
            false => Left::Connected,
        }
    }

    /// Removes all.
    pub(super) fn clear(&self) {
        self.peers().clear();
    }

    /// The connection to a peer that new streams take, if that is news: another
    /// one, or over another path, than was told last. It is told by this.
    pub(super) fn news(&self, peer: &PeerId) -> Option<Connection> {
        let mut peers = self.peers();
        let peer = peers.get_mut(peer)?;
        let best = &peer.records.first()?.connection;
        let news = (peer.told.as_ref() != Some(best)).then(|| best.clone())?;
        peer.told = Some(news.clone());
        Some(news)
    }

    /// The connection to a peer that new streams take.
    pub(super) fn best(&self, peer: &PeerId) -> Option<Connection> {
        Some(self.peers().get(peer)?.records.first()?.connection.clone())
    }

    /// Doubts all connections.
    pub(super) fn doubt_all(&self) {
        let peers = self.peers();
        let records = peers.values().flat_map(|peer| &peer.records);
        records.for_each(|record| record.doubt.notify_one());
    }

    /// The line to the best connection with a peer that still takes streams.
    pub(super) fn best_line(&self, peer: &PeerId) -> Option<Line> {
        let peers = self.peers();
        let mut records = peers.get(peer)?.records.iter();
        records.find(|record| !record.line.is_closed()).map(|record| record.line.clone())
    }

    /// The line to one connection.
    pub(super) fn line(&self, peer: &PeerId, id: ConnectionId) -> Option<Line> {
        let peers = self.peers();
        let mut records = peers.get(peer)?.records.iter();
        records.find(|record| record.id == id).map(|record| record.line.clone())
    }

    /// Notes a round trip.
    pub(super) fn set_rtt(&self, peer: &PeerId, rtt: Duration) {
        if let Some(state) = self.peers().get_mut(peer) {
            state.rtt = Some(rtt);
        }
    }

    /// Notes what a peer says of itself.
    pub(super) fn set_identity(&self, peer: &PeerId, identity: Identity) {
        if let Some(state) = self.peers().get_mut(peer) {
            state.identity = Some(identity);
        }
    }

    /// Whether a peer speaks a protocol; unknown until it has said so.
    pub(super) fn supports(&self, peer: &PeerId, protocol: &StreamProtocol) -> Option<bool> {
        let peers = self.peers();
        let identity = peers.get(peer)?.identity.as_ref()?;
        Some(identity.protocols.contains(protocol))
    }

    /// All connected peers.
    pub(super) fn infos(&self) -> Vec<PeerInfo> {
        self.peers().iter().map(|(peer, state)| state.info(*peer)).collect()
    }

    /// A connected peer.
    pub(super) fn info(&self, peer: &PeerId) -> Option<PeerInfo> {
        self.peers().get(peer).map(|state| state.info(*peer))
    }
}

impl Peer {
    /// Puts the connection first that new streams take.
    fn sort(&mut self, own: &PeerId) {
        self.records.sort_by_key(|record| Reverse(record.rank(own)));
    }

    fn info(&self, peer: PeerId) -> PeerInfo {
        let said = self.identity.as_ref();
        PeerInfo {
            peer,
            connections: self.records.iter().map(|record| record.connection.clone()).collect(),
            agent: said.map(|said| said.agent.clone()),
            protocol_version: said.map(|said| said.protocol_version.clone()),
            protocols: said.map(|said| said.protocols.clone()).unwrap_or_default(),
            listen_addresses: said.map(|said| said.listen_addresses.clone()).unwrap_or_default(),
            rtt: self.rtt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stream::Activity;
    use super::*;

    fn connection(peer: PeerId, address: &str) -> Connection {
        let address: Multiaddr = address.parse().unwrap();
        let path = Path::of(&address);
        Connection { peer, address, path, direction: Direction::Outgoing }
    }

    fn add(all: &Connections, id: usize, connection: Connection) -> bool {
        let (line, _) = Line::new(Activity::default());
        all.add(ConnectionId::new_unchecked(id), connection, line).0
    }

    #[test]
    fn a_second_connection_that_comes_and_goes_is_no_news() {
        let (all, peer) = (Connections::new(PeerId::random()), PeerId::random());
        let tcp = connection(peer, "/ip4/192.0.2.1/tcp/1");
        let quic = connection(peer, "/ip4/192.0.2.1/udp/1/quic-v1");
        assert!(add(&all, 1, tcp.clone()));
        assert_eq!(all.news(&peer), Some(tcp.clone()));
        for id in 2..9 {
            assert!(!add(&all, id, quic.clone()));
            assert_eq!(all.news(&peer), None);
            assert_eq!(all.remove(&peer, ConnectionId::new_unchecked(id)), Left::Connected);
            assert_eq!(all.news(&peer), None);
        }
        add(&all, 9, quic.clone());
        assert_eq!(all.remove(&peer, ConnectionId::new_unchecked(1)), Left::Connected);
        assert_eq!(all.news(&peer), Some(quic), "the best one is gone");
        assert_eq!(all.remove(&peer, ConnectionId::new_unchecked(9)), Left::Disconnected);
        assert_eq!(all.news(&peer), None);
        assert!(add(&all, 10, tcp.clone()));
        assert_eq!(all.news(&peer), Some(tcp), "it is there anew");
    }

    #[test]
    fn a_move_is_news_where_streams_notice_it() {
        let (all, peer) = (Connections::new(PeerId::random()), PeerId::random());
        let tcp = connection(peer, "/ip4/192.0.2.1/tcp/1");
        let relayed: Multiaddr = "/ip4/192.0.2.9/tcp/1/http/p2p-circuit".parse().unwrap();
        let direct: Multiaddr = "/ip4/192.0.2.1/udp/1".parse().unwrap();
        let roaming =
            Connection { address: relayed.clone(), path: Path::roaming(&relayed), ..tcp.clone() };
        add(&all, 1, roaming.clone());
        assert_eq!(all.news(&peer), Some(roaming));
        let moved = |to: &Multiaddr| {
            all.moved(&peer, ConnectionId::new_unchecked(1), to.clone(), Path::roaming(to))
                .unwrap();
            all.news(&peer).map(|news| news.address)
        };
        assert_eq!(moved(&direct), Some(direct.clone()));
        assert_eq!(moved(&direct), None, "it is there already");
        add(&all, 2, tcp.clone());
        assert_eq!(all.news(&peer), Some(tcp));
        assert_eq!(moved(&relayed), None, "new streams take TCP");
    }
}
