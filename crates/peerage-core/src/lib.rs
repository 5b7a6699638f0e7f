//! The pure heart of Peerage: identities, content-addressed data, and every
//! protocol's codec and state machine.
//!
//! Nothing here touches sockets, files, clocks or sources of randomness: what
//! a function needs of the world is passed in, and what it wants done comes
//! out. So everything here runs in a test exactly as it runs in the world.

mod advice;
pub mod data;
pub mod discovery;
pub mod exchange;
pub mod identity;
pub mod limits;
pub mod link;
pub mod pipe;
pub mod routing;
pub mod sim;
pub mod text;
pub mod topology;

mod varint;

pub use self::advice::Advice;
