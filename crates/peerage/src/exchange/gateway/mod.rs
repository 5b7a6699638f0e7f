//! The [IPFS trustless gateway](https://specs.ipfs.tech/http-gateways/trustless-gateway/)
//! as HTTP/1.1: over libp2p streams as the
//! [libp2p+HTTP specification](https://github.com/libp2p/specs/blob/master/http/README.md)
//! has it, and over TCP on the local machine.
//!
//! [`Gateway`] serves the blocks of a [`Serving`](super::Serving);
//! [`GatewayClient`] asks for them over one stream, and [`CarBlocks`] takes a
//! CAR apart as it arrives.
//!
//! # Who may read
//!
//! Every block is read for who asks: the [`Requester`](crate::access::Requester)
//! is the peer at the other end of the stream; over plain HTTP it is this
//! machine when the connection comes from it, and else anybody at an address.
//! What is not for the requester is answered as what is not here, also in the
//! middle of a CAR, which ends there.
//!
//! A web page can give its own name the address `127.0.0.1` and have a browser
//! on this machine ask here. Such a request names that page's host, and is refused
//! ([`Hosts`](super::Hosts)). Nothing can be changed through a
//! gateway, and no list of CIDs is served.

mod body;
mod caller;
mod car_blocks;
mod client;
mod error;
mod frame;
mod io;
mod reader;
mod respond;
mod server;
mod turn;

use libp2p::StreamProtocol;

pub use self::{
    car_blocks::CarBlocks,
    client::{GatewayBody, GatewayClient},
    error::GatewayError,
    server::{Gateway, GatewayLimits},
};

/// The libp2p protocol of HTTP/1.1 over a stream.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/http/1.1");
