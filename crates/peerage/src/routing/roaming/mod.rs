//! Connections that roam: iroh's endpoint as one more libp2p transport.
//!
//! QUIC with several paths at once. It begins over a relay within one round
//! trip, moves to a direct path as soon as one has been punched through the
//! routers between the peers, and survives a change of address of either. It
//! needs Ed25519 keys at both ends; one key is both peer id and endpoint id.
//!
//! Why not libp2p's own relay, hole punching and QUIC alone: `ARCHITECTURE.md`,
//! *Two ways through a router*.
//!
//! Addresses are `/ip4/…/tcp/PORT/http/p2p-circuit` for a peer behind a relay
//! at that place (`https` where it has a certificate), and `/ip4/…/udp/PORT`
//! for a socket whose packets choose their own way.

mod address;
mod certificate;
mod congestion;
mod endpoint;
mod muxer;
mod names;
mod relays;
mod transport;

use address::is_direct;
pub(crate) use address::peer_id as peer_of_endpoint;
pub use address::{relay_address, relay_url};
pub use endpoint::BindError;
pub(crate) use endpoint::Roaming;
pub(crate) use transport::Transport;

/// What the two ends agree on in the TLS handshake, as over libp2p's QUIC.
const ALPN: &[u8] = b"libp2p";
