//! What a client has to tell one peer, and the task that tells it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::limits::MAX_BITSWAP_QUEUED_ENTRIES;
use peerage_core::{
    data::Cid,
    exchange::bitswap::{Entry, LossReason, Message},
};
use tokio::{sync::Notify, time::timeout};

use super::{
    Core,
    outgoing::{KEEP, Outgoing, SendError},
};
use crate::node::PeerId;
use crate::sync::lock;

/// The wants of all sessions with one peer.
#[derive(Default)]
pub(super) struct Link {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    outbox: Vec<Entry>,
    /// How many sessions wait for a block from this peer. What one cancels is
    /// taken back only when no other waits for it.
    waiting: HashMap<Cid, usize>,
    closed: bool,
}

impl Link {
    /// Queues changes of one session's want-list; `false` when the peer leaves
    /// too many unread.
    pub(super) fn push(&self, entries: Vec<Entry>) -> bool {
        let mut state = self.state();
        for entry in entries {
            if !entry.cancel {
                *state.waiting.entry(entry.cid).or_default() += 1;
                state.outbox.push(entry);
            } else if state.stop_waiting(&entry.cid) {
                state.outbox.push(entry);
            }
        }
        self.changed.notify_one();
        state.outbox.len() <= MAX_BITSWAP_QUEUED_ENTRIES
    }

    /// Notes that the peer has sent a block; says whether it was waited for.
    pub(super) fn received(&self, cid: &Cid) -> bool {
        self.state().waiting.remove(cid).is_some()
    }

    /// Ends the task, once it has sent what is queued.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What is to be sent; `None` when nothing is and nothing will be.
    async fn next(&self) -> Option<Vec<Entry>> {
        loop {
            {
                let mut state = self.state();
                if !state.outbox.is_empty() {
                    return Some(std::mem::take(&mut state.outbox));
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

impl State {
    /// One session fewer waits for a block; says whether it was the last.
    fn stop_waiting(&mut self, cid: &Cid) -> bool {
        match self.waiting.get_mut(cid) {
            None => false,
            Some(1) => self.waiting.remove(cid).is_some(),
            Some(sessions) => {
                *sessions -= 1;
                false
            }
        }
    }
}

/// Sends the peer what it is to be told, until the link is closed.
pub(super) async fn run(core: Arc<Core>, peer: PeerId, link: Arc<Link>) {
    let mut outgoing = Outgoing::new(core.node.clone(), peer);
    loop {
        match timeout(KEEP, link.next()).await {
            Ok(Some(entries)) => {
                if let Err(error) = send(&mut outgoing, entries).await {
                    tracing::debug!(%peer, %error, "a peer cannot be asked");
                    core.client.lose_link(
                        &peer,
                        &link,
                        &LossReason::Disconnected(error.to_string()),
                    );
                    return;
                }
            }
            Ok(None) => return outgoing.close().await,
            Err(_) if outgoing.is_open() => outgoing.close().await,
            Err(_) => {}
        }
    }
}

async fn send(outgoing: &mut Outgoing, entries: Vec<Entry>) -> Result<(), SendError> {
    let version = outgoing.version().await?;
    outgoing.write(&Message::wants(entries).encode_framed(version)).await
}

#[cfg(test)]
mod tests {
    use peerage_core::data::{HashKind, codec, hash};

    use super::*;

    #[tokio::test]
    async fn a_cancel_is_sent_when_the_last_session_cancels() {
        let cid = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
        let link = Link::default();
        link.push(vec![Entry::block(cid, 2)]);
        link.push(vec![Entry::block(cid, 1)]);
        assert_eq!(link.next().await.unwrap().len(), 2);
        link.push(vec![Entry::cancel(cid)]);
        link.push(vec![Entry::cancel(cid)]);
        assert_eq!(link.next().await, Some(vec![Entry::cancel(cid)]));
        link.close();
        assert_eq!(link.next().await, None);
    }

    #[tokio::test]
    async fn a_block_that_came_needs_no_cancel() {
        let cid = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
        let link = Link::default();
        link.push(vec![Entry::block(cid, 1)]);
        link.next().await;
        link.received(&cid);
        link.push(vec![Entry::cancel(cid)]);
        link.close();
        assert_eq!(link.next().await, None);
    }

    #[test]
    fn a_peer_that_reads_nothing_is_noticed() {
        let cid = hash(codec::RAW, HashKind::Sha2_256, b"dawn");
        let link = Link::default();
        assert!(link.push(vec![Entry::block(cid, 1); MAX_BITSWAP_QUEUED_ENTRIES]));
        assert!(!link.push(vec![Entry::block(cid, 1)]));
    }
}
