//! Hosts: each at an address, until it vanishes.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc::UnboundedSender;
use libp2p::PeerId;
use libp2p::multiaddr::{Multiaddr, Protocol};

use crate::muxer::Incoming;

/// The port at which all listen.
const PORT: u16 = 4001;

/// Whether a host is there.
#[derive(Clone)]
pub(crate) struct Host(Arc<AtomicBool>);

impl Host {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// From now on nothing leaves it, not even that it is gone.
    pub(crate) fn vanish(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Who listens at an address, and where what comes in goes.
pub(crate) type Listener = ((PeerId, Host), UnboundedSender<Incoming>);

/// Who listens where.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<Mutex<HashMap<Multiaddr, Listener>>>);

impl Network {
    pub(crate) fn listen(&self, at: Multiaddr, listener: Listener) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(at, listener);
    }

    /// Whoever answers at an address. Hosts that have vanished are forgotten.
    pub(crate) fn at(&self, address: &Multiaddr) -> Option<Listener> {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = listeners.get(address)?;
        if listener.0.1.is_alive() {
            return Some(listener.clone());
        }
        listeners.remove(address);
        None
    }
}

/// The address of the host of a number: each in a network of its own.
pub(crate) fn address(number: u32) -> Multiaddr {
    let [_, first, second, third] = number.to_be_bytes();
    let ip = Ipv4Addr::new(20 + first, second, third, 1);
    Multiaddr::empty().with(Protocol::Ip4(ip)).with(Protocol::Tcp(PORT))
}
