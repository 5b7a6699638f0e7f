//! The arguments of `peerage pipe`.

use std::net::SocketAddr;

use clap::Subcommand;

/// The two ends of a pipe.
#[derive(Debug, Subcommand)]
pub(crate) enum PipeVerb {
    /// Wait for another peer and connect standard input and output with it
    Listen {
        /// Connect each stream to this TCP address instead, until Ctrl-C
        #[arg(long, value_name = "ADDR")]
        tcp: Option<SocketAddr>,
        /// Accept streams of this peer only, without a secret (can be given several times)
        #[arg(long, value_name = "PEER")]
        from: Vec<String>,
        /// Accept streams of whoever comes first, without a secret
        #[arg(long, conflicts_with = "from")]
        anybody: bool,
    },
    /// Connect standard input and output with a peer that listens
    Connect {
        /// What `pipe listen` prints: a peer id, or an address that ends in /p2p/PEER, and #SECRET
        peer: String,
        /// Where the peer can be reached, if it is not on the local network
        addresses: Vec<String>,
        /// Listen on this TCP address instead, and give each connection a stream, until Ctrl-C
        #[arg(long, value_name = "ADDR")]
        tcp: Option<SocketAddr>,
    },
}
