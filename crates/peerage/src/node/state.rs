//! What a node's task tells its handles: read by them without asking it.

use std::sync::{Mutex, MutexGuard};

use libp2p::{Multiaddr, PeerId};

use super::book::AddressBook;
use super::connections::Connections;
use crate::sync::lock;

/// Written by the node's task alone, but for the address book.
pub(super) struct State {
    pub(super) connections: Connections,
    listening: Mutex<Vec<Multiaddr>>,
    book: Mutex<AddressBook>,
}

impl State {
    /// Nothing yet, of this node.
    pub(super) fn new(own: PeerId) -> Self {
        let connections = Connections::new(own);
        Self { connections, listening: Mutex::default(), book: Mutex::default() }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, AddressBook> {
        lock(&self.book)
    }

    pub(super) fn listening(&self) -> Vec<Multiaddr> {
        lock(&self.listening).clone()
    }

    pub(super) fn set_listening(&self, addresses: Vec<Multiaddr>) {
        *lock(&self.listening) = addresses;
    }
}
