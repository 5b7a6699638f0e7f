//! The address book: where peers were said to be.

use std::collections::{HashMap, VecDeque};

use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_KNOWN_PEERS};
use libp2p::{Multiaddr, PeerId};

use crate::routing::{dialable, peer_suffix, without_peer};

/// Knows a bounded number of peers and of addresses for each; forgets the
/// peer that was spoken of longest ago, and the oldest address.
#[derive(Debug, Default)]
pub(super) struct AddressBook {
    addresses: HashMap<PeerId, VecDeque<Multiaddr>>,
    /// The peers, the one spoken of last at the end.
    order: VecDeque<PeerId>,
}

impl AddressBook {
    /// Notes addresses of a peer. Such as cannot be dialled, or name another
    /// peer, are left out.
    pub(super) fn add(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let useful: Vec<Multiaddr> = addresses
            .iter()
            .filter(|address| dialable(address))
            .filter(|address| peer_suffix(address).is_none_or(|named| named == peer))
            .map(without_peer)
            .collect();
        if useful.is_empty() {
            return;
        }
        self.make_room(peer);
        let known = self.addresses.entry(peer).or_default();
        for address in useful {
            known.retain(|old| *old != address);
            known.push_back(address);
            if known.len() > MAX_ADDRESSES_PER_PEER {
                known.pop_front();
            }
        }
    }

    /// The addresses of a peer, the newest first.
    pub(super) fn of(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.addresses.get(peer).into_iter().flatten().rev().cloned().collect()
    }

    fn make_room(&mut self, peer: PeerId) {
        self.order.retain(|known| *known != peer);
        self.order.push_back(peer);
        if self.order.len() > MAX_KNOWN_PEERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.addresses.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::multiaddr::Protocol;

    fn address(port: usize) -> Multiaddr {
        format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn addresses_are_bounded_and_the_newest_stay() {
        let (mut book, peer) = (AddressBook::default(), PeerId::random());
        for port in 1..=MAX_ADDRESSES_PER_PEER + 3 {
            book.add(peer, &[address(port)]);
        }
        let known = book.of(&peer);
        assert_eq!(known.len(), MAX_ADDRESSES_PER_PEER);
        assert_eq!(known[0], address(MAX_ADDRESSES_PER_PEER + 3));
        assert!(!known.contains(&address(3)));
    }

    #[test]
    fn peers_are_bounded_and_the_latest_stay() {
        let mut book = AddressBook::default();
        let peers: Vec<PeerId> = (0..=MAX_KNOWN_PEERS).map(|_| PeerId::random()).collect();
        for peer in &peers {
            book.add(*peer, &[address(1)]);
            book.add(peers[0], &[address(1)]);
        }
        assert!(book.of(&peers[1]).is_empty());
        assert!(!book.of(&peers[0]).is_empty());
        assert_eq!(book.addresses.len(), MAX_KNOWN_PEERS);
        assert_eq!(book.order.len(), MAX_KNOWN_PEERS);
    }

    #[test]
    fn addresses_of_another_peer_are_left_out() {
        let (mut book, peer) = (AddressBook::default(), PeerId::random());
        book.add(peer, &[address(1).with(Protocol::P2p(PeerId::random()))]);
        assert!(book.of(&peer).is_empty());
        book.add(peer, &[address(1).with(Protocol::P2p(peer))]);
        assert_eq!(book.of(&peer), [address(1)]);
    }
}
