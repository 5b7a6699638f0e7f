//! Kademlia, as libp2p speaks it: a table of peers, records and providers that
//! no one keeps alone ([specification]).
//!
//! [`Behaviour`] wraps libp2p's own and adds what it leaves open: which records
//! are true, which peers may enter the routing table, which addresses may be
//! dialled for a stranger, and how much all of it may take. [`Kademlia`] is the
//! handle to it; discovery makes a way of finding peers of it.
//!
//! [specification]: https://github.com/libp2p/specs/tree/master/kad-dht

mod behaviour;
mod config;
mod dials;
mod error;
mod handle;
mod holders;
mod keys;
mod look_up;
mod own_address;
mod pace;
mod part;
mod refused;
mod routing_table;
mod store;
mod unreachable;

pub use behaviour::Behaviour;
pub use config::{IPFS_BOOT_NODES, KademliaConfig, Mode};
pub use error::KademliaError;
pub use handle::Kademlia;
pub use part::{optional_part, part};
pub use peerage_core::topology::kademlia::AddressScope;
pub use refused::Refused;
pub use routing_table::{Bucket, Table, TablePeer};

pub(crate) use look_up::{Answer, Wanted};
