//! A store with owners, a policy that a test changes, and what is answered.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use peerage::{
    PeerId,
    access::{Decision, GuardedStore, Policy, Requester},
    exchange::gateway::Gateway,
    store::{Batch, OwnerId, OwnerKind, Store},
};
use peerage_core::data::{Block, Cid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use crate::gateway::support::Shared;

/// Which owner lets whom read.
#[derive(Clone, Debug, Default)]
pub(super) struct Rights(Arc<Mutex<HashSet<(Requester, OwnerId)>>>);

impl Rights {
    pub(super) fn allow(&self, requester: Requester, owner: OwnerId) {
        self.0.lock().unwrap().insert((requester, owner));
    }

    pub(super) fn take_back(&self, requester: Requester, owner: OwnerId) {
        self.0.lock().unwrap().remove(&(requester, owner));
    }
}

impl Policy for Rights {
    fn decide(&self, requester: &Requester, owner: OwnerId) -> Decision {
        Decision::allow_if(self.0.lock().unwrap().contains(&(*requester, owner)))
    }
}

/// A store, and who may read what in it.
pub(super) struct House {
    pub(super) store: Store,
    pub(super) rights: Rights,
}

impl House {
    pub(super) fn new() -> Self {
        Self { store: Store::memory().unwrap(), rights: Rights::default() }
    }

    pub(super) fn guarded(&self) -> GuardedStore {
        GuardedStore::new(self.store.clone(), Arc::new(self.rights.clone()))
    }

    pub(super) fn gateway(&self) -> Gateway {
        Gateway::new(self.guarded())
    }

    /// An owner of these blocks of something shared.
    pub(super) fn owner(&self, shared: &Shared, cids: &[Cid]) -> OwnerId {
        let owner = self.store.add_owner(OwnerKind::database("somewhere")).unwrap();
        let mut batch = Batch::new(owner);
        for cid in cids {
            batch.block(Block::verified(*cid, shared.blocks.of(cid)).unwrap());
        }
        self.store.write(batch).unwrap();
        owner
    }

    /// An owner of all of it.
    pub(super) fn owner_of_all(&self, shared: &Shared) -> OwnerId {
        self.owner(shared, &all(shared))
    }
}

/// All blocks, as a walk meets them.
pub(super) fn all(shared: &Shared) -> Vec<Cid> {
    [&[shared.folder, shared.file][..], &shared.leaves].concat()
}

/// What a gateway answers to a peer, to the last byte, but for the time.
pub(super) async fn over_a_stream(gateway: &Gateway, peer: PeerId, request: &str) -> Vec<u8> {
    let (mut ours, theirs) = duplex(64 * 1024);
    let gateway = gateway.clone();
    let serving = tokio::spawn(async move { gateway.serve_stream(peer, theirs.compat()).await });
    let mut answer = Vec::new();
    ours.write_all(request.as_bytes()).await.unwrap();
    ours.read_to_end(&mut answer).await.unwrap();
    serving.await.unwrap();
    without_the_time(answer)
}

/// An answer without its line about when it was given.
pub(super) fn without_the_time(mut answer: Vec<u8>) -> Vec<u8> {
    let line = b"\r\ndate: ";
    if let Some(start) = answer.windows(line.len()).position(|part| part == line) {
        let rest = &answer[start + 2..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap() + start + 2;
        answer.drain(start + 2..=end);
    }
    answer
}

/// Every kind of request about something, each for a connection of its own.
pub(super) fn requests(shared: &Shared, host: &str) -> Vec<String> {
    let (folder, file, leaf) = (shared.folder, shared.file, shared.leaves[1]);
    let targets = [
        format!("{leaf}?format=raw"),
        format!("{file}?format=raw"),
        format!("{file}?format=car"),
        format!("{folder}?format=car"),
        format!("{folder}?format=car&dag-scope=block"),
        format!("{folder}/file%20name?format=car"),
        format!("{folder}/file%20name?format=car&dag-scope=entity&entity-bytes=150:250"),
        format!("{folder}/no%20such%20file?format=car"),
    ];
    let lines = ["", "cache-control: only-if-cached\r\n"];
    let mut requests = Vec::new();
    for target in &targets {
        for (method, line) in [("GET", lines[0]), ("GET", lines[1]), ("HEAD", lines[0])] {
            requests.push(format!(
                "{method} /ipfs/{target} HTTP/1.1\r\nhost: {host}\r\n{line}connection: close\r\n\r\n"
            ));
        }
    }
    requests
}
