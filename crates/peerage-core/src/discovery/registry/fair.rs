//! Which peers an answer names when it cannot name all: few of one network, and
//! others each time.

use std::collections::HashMap;

use super::{Network, Registry};
use crate::discovery::Key;
use crate::limits::MAX_REGISTRY_ANSWERED_PER_NETWORK;
use crate::routing::is_loopback_network;

/// Numbers that look random, from a seed (`SplitMix64`). That they are not known
/// beforehand is up to the seed.
#[derive(Debug, Default)]
pub(super) struct Lots(u64);

impl Lots {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }

    /// Puts things into an order that is drawn.
    pub(super) fn shuffle<T>(&mut self, things: Vec<T>) -> Vec<T> {
        let mut drawn: Vec<_> = things.into_iter().map(|thing| (self.draw(), thing)).collect();
        drawn.sort_by_key(|(lot, _)| *lot);
        drawn.into_iter().map(|(_, thing)| thing).collect()
    }
}

impl Registry {
    /// Those of these registrations, in their order, that one answer names: under
    /// a CID, and where not all have room, few of one network.
    pub(super) fn choose(&mut self, key: Option<&Key>, all: Vec<u64>, limit: usize) -> Vec<u64> {
        let content = matches!(key, Some(Key::Content(_)));
        let crowded = all.len() > limit && key.is_some();
        if !content && !crowded {
            return all;
        }
        let mut of_each: HashMap<Network, usize> = HashMap::new();
        let mut chosen = self.lots.shuffle(all);
        chosen.retain(|number| match self.network_of(*number) {
            Some(network) if !is_loopback_network(network) => {
                let named = of_each.entry(network).or_default();
                *named += 1;
                *named <= MAX_REGISTRY_ANSWERED_PER_NETWORK
            }
            _ => true,
        });
        if content {
            chosen.truncate(limit);
        }
        chosen.sort_unstable();
        chosen
    }

    fn network_of(&self, number: u64) -> Option<Network> {
        let registration = self.registrations.get(&number)?;
        Some(self.entries.get(&registration.peer)?.network())
    }
}
