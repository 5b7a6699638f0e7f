//! The [IPFS trustless gateway](https://specs.ipfs.tech/http-gateways/trustless-gateway/)
//! as HTTP/1.1: over libp2p streams as the
//! [libp2p+HTTP specification](https://github.com/libp2p/specs/blob/master/http/README.md)
//! has it, and over TCP on the local machine.
//!
//! [`Gateway`] serves the blocks of a [`BlockSource`](super::BlockSource);
//! [`GatewayClient`] asks for them over one stream, and [`CarBlocks`] takes a
//! CAR apart as it arrives.
//!
//! # Who may read
//!
//! Whoever knows a CID and reaches the gateway gets the block; there are no
//! secrets but the CIDs themselves, and no list of them is served. The plain
//! HTTP face is for a listener on `127.0.0.1`. It ignores the `Host` header: a
//! web page that rebinds its own name to `127.0.0.1` can read what it knows the
//! CID of, as it could from any public gateway, and nothing can be changed
//! through a gateway.

mod body;
mod car_blocks;
mod client;
mod error;
mod event;
mod frame;
mod io;
mod reader;
mod respond;
mod server;

use libp2p::StreamProtocol;

pub use self::{
    car_blocks::CarBlocks,
    client::{GatewayBody, GatewayClient},
    error::GatewayError,
    event::GatewayEvent,
    server::{Gateway, GatewayLimits},
};

/// The libp2p protocol of HTTP/1.1 over a stream.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/http/1.1");
