//! The ways of finding peers that need the running node.

use std::{collections::HashMap, sync::Arc};

use futures::FutureExt as _;
use libp2p::{Multiaddr, PeerId, identity::Keypair};

use super::Wide;
use crate::{
    discovery::{Dns, Finder, Finding, Identify, Mainline, tracker::Tracker},
    node::Node,
    routing::{PeerAddresses, peer_suffix, without_peer},
};

/// Adds what `wide` asks for, besides Kademlia. What cannot begin is left out
/// with a warning: the others find peers without it.
pub(super) async fn add(finder: &Finder, node: &Node, keypair: &Keypair, wide: Wide) {
    let trackers = trackers(&wide.trackers);
    if !trackers.is_empty() {
        finder.add(Arc::new(Tracker::new(node, keypair, trackers)));
    }
    if let Some(dns) = &wide.dns {
        match Dns::new(dns) {
            Ok(dns) => finder.add(Arc::new(dns)),
            Err(error) => tracing::warn!(%error, "not looking for peers in the DNS"),
        }
    }
    if let Some(config) = wide.mainline {
        match Mainline::start(config, keypair.clone(), identify(node.clone())).await {
            Ok(mainline) => finder.add(Arc::new(mainline)),
            Err(error) => tracing::warn!(%error, "not looking for peers in the Mainline DHT"),
        }
    }
}

/// Who is where, of addresses with a peer at their end.
fn trackers(addresses: &[Multiaddr]) -> Vec<PeerAddresses> {
    let mut trackers: HashMap<PeerId, Vec<Multiaddr>> = HashMap::new();
    for address in addresses {
        if let Some(peer) = peer_suffix(address) {
            trackers.entry(peer).or_default().push(without_peer(address));
        }
    }
    trackers.into_iter().map(|(peer, addresses)| PeerAddresses { peer, addresses }).collect()
}

/// Asks whoever is at an address who that is.
fn identify(node: Node) -> Identify {
    Arc::new(move |address: Multiaddr| {
        let node = node.clone();
        async move {
            let peer = node.who_is(&address).await?;
            Some(Finding { peer, addresses: vec![address], record: None })
        }
        .boxed()
    })
}
