//! The second step of a share: what this peer can be found under besides its
//! id. Nothing keeps a list of it: it follows from what the store offers and
//! from what is being got, whenever either changes.

use std::collections::{BTreeMap, HashSet};

use peerage_core::{data::Cid, discovery::Key};
use tokio::sync::watch;

use super::Session;
use crate::{
    limits::MAX_PUBLISHED_KEYS,
    store::{Owner, Store},
};

impl Session {
    /// Lets this peer be found under a key of the application's, until the
    /// session ends. What the store offers needs none of this: a session is
    /// found under that by itself.
    pub fn be_found_under(&self, key: Key) {
        self.inner.passing.ask(key);
    }

    /// What this peer can be found under now, besides its id: keys of the
    /// application's, what is shared or added, the newest first, and what is
    /// being got; [`MAX_PUBLISHED_KEYS`] at most.
    #[must_use]
    pub fn published(&self) -> Vec<Key> {
        keys(&self.inner.store.owners(), &self.inner.passing.0.borrow())
    }
}

/// What does not outlive the session, and so is not in the store.
#[derive(Debug, Default)]
struct Wanted {
    asked: Vec<Key>,
    /// How many gets run for each root.
    gets: BTreeMap<Cid, usize>,
}

/// What this peer is found under for a while only. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Passing(watch::Sender<Wanted>);

impl Passing {
    fn ask(&self, key: Key) {
        self.0.send_if_modified(|wanted| {
            let is_new = !wanted.asked.contains(&key) && wanted.asked.len() < MAX_PUBLISHED_KEYS;
            wanted.asked.extend(is_new.then_some(key));
            is_new
        });
    }

    /// Notes that something is being got, until the result is dropped.
    pub(super) fn getting(&self, root: Cid) -> Getting {
        self.0.send_modify(|wanted| *wanted.gets.entry(root).or_default() += 1);
        Getting { passing: self.clone(), root }
    }

    /// Follows it, and what `store` offers.
    pub(super) fn follow(&self, store: &Store) -> Published {
        let (owners, wanted) = (store.owner_changes(), self.0.subscribe());
        Published { store: store.clone(), owners, wanted }
    }
}

/// A get that runs.
#[derive(Debug)]
pub(super) struct Getting {
    passing: Passing,
    root: Cid,
}

impl Drop for Getting {
    fn drop(&mut self) {
        self.passing.0.send_modify(|wanted| {
            if let Some(count) = wanted.gets.get_mut(&self.root) {
                *count -= 1;
            }
            wanted.gets.retain(|_, count| *count > 0);
        });
    }
}

/// Follows what this peer can be found under.
pub(super) struct Published {
    store: Store,
    owners: watch::Receiver<u64>,
    wanted: watch::Receiver<Wanted>,
}

impl Published {
    /// What it is now.
    pub(super) fn keys(&mut self) -> Vec<Key> {
        self.owners.mark_unchanged();
        keys(&self.store.owners(), &self.wanted.borrow_and_update())
    }

    /// Waits until it may be something else; `false` once the session has ended.
    pub(super) async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.owners.changed() => changed.is_ok(),
            changed = self.wanted.changed() => changed.is_ok(),
        }
    }
}

/// All keys, each once. Ways that take fewer take the first, so those that
/// somebody asked for come before what is there anyway.
fn keys(owners: &[Owner], wanted: &Wanted) -> Vec<Key> {
    let offered = owners.iter().rev().filter_map(Owner::offered);
    let content = offered.chain(wanted.gets.keys().copied()).map(Key::Content);
    let mut known = HashSet::new();
    let all = wanted.asked.iter().cloned().chain(content);
    all.filter(|key| known.insert(key.clone())).take(MAX_PUBLISHED_KEYS).collect()
}
