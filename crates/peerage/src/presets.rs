//! Ready-made settings for a node.

use libp2p::Multiaddr;
use libp2p::identity::Keypair;

use crate::node::NodeConfig;

/// A node for this machine and its local network, with a fresh Ed25519 key:
/// it listens on every interface, by TCP, QUIC and WebSocket, on ports that
/// the system chooses, and on IPv6 where the machine has it. Its connections
/// roam.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use peerage::{node::Node, presets};
/// let node = Node::spawn(presets::local()).await?;
/// assert!(!node.listen_addresses().is_empty());
/// # node.shutdown().await;
/// # Ok::<(), peerage::node::SpawnError>(())
/// # }).unwrap();
/// ```
pub fn local() -> NodeConfig {
    local_with(Keypair::generate_ed25519())
}

/// As [`local`], with an identity of one's own.
pub fn local_with(keypair: Keypair) -> NodeConfig {
    NodeConfig {
        listen: addresses(&[
            "/ip4/0.0.0.0/tcp/0",
            "/ip4/0.0.0.0/udp/0/quic-v1",
            "/ip4/0.0.0.0/tcp/0/ws",
        ]),
        listen_if_possible: addresses(&[
            "/ip6/::/tcp/0",
            "/ip6/::/udp/0/quic-v1",
            "/ip6/::/tcp/0/ws",
        ]),
        roaming: true,
        ..NodeConfig::new(keypair)
    }
}

/// A node that nobody outside this machine reaches; for tests and trials.
pub fn loopback() -> NodeConfig {
    NodeConfig {
        listen: addresses(&[
            "/ip4/127.0.0.1/tcp/0",
            "/ip4/127.0.0.1/udp/0/quic-v1",
            "/ip4/127.0.0.1/tcp/0/ws",
        ]),
        ..NodeConfig::new(Keypair::generate_ed25519())
    }
}

/// Addresses that are written in this file; the test below reads them all.
fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_understood() {
        assert_eq!(local().listen.len(), 3);
        assert_eq!(local().listen_if_possible.len(), 3);
        assert_eq!(loopback().listen.len(), 3);
    }
}
