//! The hub: a peer that can be reached, and helps those that cannot.
//!
//! It relays, tells peers where they are seen, and keeps who is where. It is
//! ordinary Peerage: anyone can run one, none is special, and none can read
//! what it relays.

mod relay;

pub use relay::{RelayServer, RelayServerConfig, RelayServerError, address_of};
