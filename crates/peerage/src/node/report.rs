//! How this node can be reached, as far as it knows: for people who wonder.

use libp2p::{Multiaddr, PeerId};

use crate::routing::Network;

/// How this node can be reached, as far as it knows now.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Where it listens, and where it is reached besides.
    pub addresses: Vec<Multiaddr>,
    /// What the router maps to an address of its own, for each that it was
    /// asked for.
    pub mapped: Vec<(Multiaddr, Option<Multiaddr>)>,
    /// What hubs found when they dialled its addresses.
    pub verdicts: Vec<Verdict>,
    /// Its hubs.
    pub hubs: Vec<HubReach>,
    /// What the network lets through, once measured.
    pub network: Option<Network>,
}

/// What a hub found about one of our addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The address that was dialled.
    pub address: Multiaddr,
    /// By whom.
    pub hub: PeerId,
    /// Whether it got through.
    pub reached: bool,
}

/// A hub, and what it does for this node.
#[derive(Debug, Clone)]
pub struct HubReach {
    /// Which.
    pub peer: PeerId,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether circuits come in over it.
    pub reserved: bool,
}

impl Reach {
    /// Notes a verdict in the place of an older one, within `most`.
    pub(super) fn note(&mut self, verdict: Verdict, most: usize) {
        let same = |old: &Verdict| (&old.address, old.hub) == (&verdict.address, verdict.hub);
        self.verdicts.retain(|old| !same(old));
        if self.verdicts.len() >= most {
            self.verdicts.remove(0);
        }
        self.verdicts.push(verdict);
    }
}
