//! The last step of a share: what to hand over. Only this one waits for the
//! network, and only whoever asks for a link takes it.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use peerage_core::{
    data::Cid,
    link::{self, Link, LinkError},
    text::{FileName, Platform},
};

use super::{Session, ShareError};
use crate::{
    exchange::download::Provider,
    import::{ImportOptions, ImportProgress, Imported},
    routing::TransportKind,
    store::Purpose,
};

/// How long a link waits for this node to be reached over its hubs, so that it
/// can say so.
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Addresses of this node that a link carries at most: links are typed, scanned
/// and pasted, and the first few addresses reach whoever can be reached.
const LINK_ADDRESSES: usize = 6;

/// Something that is shared.
#[derive(Clone, Debug)]
pub struct Share {
    /// What to hand over.
    pub link: Link,
    /// What was imported.
    pub imported: Imported,
}

impl Session {
    /// Shares files and folders without copying them, as [`add`](Self::add)
    /// does, and makes a link to them. What was shared is told apart from what
    /// was added: see [`Purpose`].
    ///
    /// The link waits some seconds for this node to be reached over its hubs, so
    /// that it can say so; this peer is found under the CID before.
    ///
    /// # Errors
    ///
    /// When something cannot be read; see [`ShareError`].
    pub async fn share(
        &self,
        paths: Vec<PathBuf>,
        options: ImportOptions,
        watch: Arc<dyn ImportProgress>,
    ) -> Result<Share, ShareError> {
        let options = ImportOptions { purpose: Purpose::Shared, ..options };
        let imported = self.import(paths, options, watch).await?;
        self.inner.node.until_reached(REACHED_WITHIN).await;
        let link = self.link(imported.root, &imported.name, imported.total_bytes)?;
        Ok(Share { link, imported })
    }

    /// A link to something in the store, with this node as its provider.
    ///
    /// # Errors
    ///
    /// When the CID is not one that links carry.
    pub fn link(&self, root: Cid, name: &[u8], size: u64) -> Result<Link, LinkError> {
        let node = &self.inner.node;
        let addresses = worth_telling(node.listen_addresses());
        let provider = link::Provider::new(node.peer_id(), addresses)?;
        let link = Link::new(root)?.with_provider(provider)?.with_size(size);
        // A name that not every system takes is left out; the receiver then
        // names the output after the CID.
        Ok(match FileName::parse(name, Platform::CURRENT) {
            Ok(name) => link.with_name(name),
            Err(_) => link,
        })
    }
}

/// Which addresses a link carries: one of each kind before the second of any,
/// and those first that another machine may reach at once. TCP before QUIC,
/// since it is cheaper between two that can use either; relays for those that
/// neither reaches; the loopback only where there is nothing else.
fn worth_telling(addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let anywhere = addresses.iter().any(|address| !is_loopback(address));
    let kinds = [
        TransportKind::Tcp,
        TransportKind::Relay,
        TransportKind::Quic,
        TransportKind::Circuit,
        TransportKind::Roaming,
    ];
    let mut lanes = kinds.map(|kind| {
        let told =
            |one: &&Multiaddr| TransportKind::of(one) == kind && (!anywhere || !is_loopback(one));
        addresses.iter().filter(told).cloned().collect::<VecDeque<_>>()
    });
    let mut told = Vec::new();
    while told.len() < LINK_ADDRESSES && lanes.iter().any(|lane| !lane.is_empty()) {
        told.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
    }
    told.truncate(LINK_ADDRESSES);
    told
}

fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// A provider named by an address that ends in `/p2p/PEER`.
///
/// Returns `None` when it doesn't.
#[must_use]
pub fn provider_at(address: &Multiaddr) -> Option<Provider> {
    let mut bare = address.clone();
    let Some(Protocol::P2p(peer)) = bare.pop() else { return None };
    let peer: PeerId = peer;
    Some(Provider { peer, addresses: vec![bare] })
}
