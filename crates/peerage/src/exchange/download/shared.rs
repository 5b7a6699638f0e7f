//! What the workers of one download share: the plan, the counters, the stop.

use std::{
    collections::HashMap,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId};
use peerage_core::exchange::download::{Item, Plan, ProviderId, TooWide, Unit, UnitId};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::{GetEvent, Provider, disk::OutputFile, error::GetError};
use crate::limits::MAX_PROVIDER_ADDRESSES;
use crate::sync::lock;

/// How often an idle worker looks whether a slower one holds something.
const STEAL_INTERVAL: Duration = Duration::from_millis(250);

/// A unit that a worker has taken, and the sign that it must let go of it.
pub(crate) struct Taken {
    pub(crate) unit: Unit<OutputFile>,
    pub(crate) let_go: CancellationToken,
}

/// One provider's account.
pub(crate) struct Account {
    pub(crate) peer: PeerId,
    addresses: Mutex<Vec<Multiaddr>>,
    pub(crate) path: Mutex<String>,
    pub(crate) bytes: AtomicU64,
    pub(crate) since: OnceLock<Instant>,
}

impl Account {
    pub(crate) fn new(provider: &Provider) -> Self {
        let account = Self {
            peer: provider.peer,
            addresses: Mutex::default(),
            path: Mutex::default(),
            bytes: AtomicU64::new(0),
            since: OnceLock::new(),
        };
        account.learn(&provider.addresses);
        account
    }

    /// Where the provider may be reached, what was heard last first.
    pub(crate) fn addresses(&self) -> Vec<Multiaddr> {
        lock(&self.addresses).clone()
    }

    /// Puts addresses before those that are known.
    pub(crate) fn learn(&self, heard: &[Multiaddr]) {
        let mut addresses = lock(&self.addresses);
        addresses.retain(|known| !heard.contains(known));
        addresses.splice(0..0, heard.iter().take(MAX_PROVIDER_ADDRESSES).cloned());
        addresses.truncate(MAX_PROVIDER_ADDRESSES);
    }

    /// Bytes a second since the provider began, 0 while unknown.
    fn rate(&self) -> u64 {
        let Some(since) = self.since.get() else { return 0 };
        let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        self.bytes.load(Ordering::Relaxed).saturating_mul(1000) / millis
    }
}

struct Dealing {
    plan: Plan<OutputFile>,
    held: HashMap<UnitId, (ProviderId, CancellationToken)>,
}

/// What the workers of one download share.
pub(crate) struct Shared {
    dealing: Mutex<Dealing>,
    changed: Notify,
    started: Instant,
    last_block: AtomicU64,
    failure: Mutex<Option<GetError>>,
    stop: CancellationToken,
    accounts: Mutex<Vec<std::sync::Arc<Account>>>,
    events: mpsc::Sender<GetEvent>,
}

impl Shared {
    pub(crate) fn new(stop: CancellationToken, events: mpsc::Sender<GetEvent>) -> Self {
        Self {
            dealing: Mutex::new(Dealing { plan: Plan::new(), held: HashMap::new() }),
            changed: Notify::new(),
            started: Instant::now(),
            last_block: AtomicU64::new(0),
            failure: Mutex::new(None),
            stop,
            accounts: Mutex::new(Vec::new()),
            events,
        }
    }

    /// Tells the caller, who may be slow: an event that finds no room is lost,
    /// the download never waits for it.
    pub(crate) fn tell(&self, event: GetEvent) {
        let _ = self.events.try_send(event);
    }

    pub(crate) fn open_account(&self, account: std::sync::Arc<Account>) -> ProviderId {
        let mut accounts = lock(&self.accounts);
        accounts.push(account);
        ProviderId::try_from(accounts.len() - 1).unwrap_or(ProviderId::MAX)
    }

    pub(crate) fn accounts(&self) -> Vec<std::sync::Arc<Account>> {
        lock(&self.accounts).clone()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long ago the last block came, counted from the start if none did.
    pub(crate) fn silent_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_block.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }

    /// Ends the download with an error; the first one counts.
    pub(crate) fn fail(&self, error: GetError) {
        lock(&self.failure).get_or_insert(error);
        self.stop.cancel();
    }

    pub(crate) fn take_failure(&self) -> Option<GetError> {
        lock(&self.failure).take()
    }

    pub(crate) fn stopped(&self) -> &CancellationToken {
        &self.stop
    }

    pub(crate) fn is_done(&self) -> bool {
        lock(&self.dealing).plan.is_done()
    }

    pub(crate) fn push(&self, items: Vec<Item<OutputFile>>) -> Result<(), TooWide> {
        let result = lock(&self.dealing).plan.push(items);
        self.changed.notify_waiters();
        result
    }

    /// Notes verified bytes of a unit from its provider.
    pub(crate) fn received(&self, unit: UnitId, account: &Account, bytes: u64) {
        account.since.get_or_init(Instant::now);
        account.bytes.fetch_add(bytes, Ordering::Relaxed);
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_block.store(now, Ordering::Relaxed);
        lock(&self.dealing).plan.received(unit, bytes);
    }

    pub(crate) fn complete(
        &self,
        unit: UnitId,
        children: Vec<Item<OutputFile>>,
    ) -> Result<(), TooWide> {
        let result = {
            let mut dealing = lock(&self.dealing);
            dealing.held.remove(&unit);
            let result = dealing.plan.complete(unit, children);
            if dealing.plan.is_done() {
                // Nobody need wait for a provider any more.
                self.stop.cancel();
            }
            result
        };
        self.changed.notify_waiters();
        result
    }

    pub(crate) fn give_back(&self, unit: UnitId, rest: Vec<Item<OutputFile>>) {
        {
            let mut dealing = lock(&self.dealing);
            dealing.held.remove(&unit);
            dealing.plan.give_back(unit, rest);
        }
        self.changed.notify_waiters();
    }

    /// The next unit for a provider; waits while others hold all there is, and
    /// returns nothing when the download has ended.
    pub(crate) async fn next_unit(&self, provider: ProviderId, account: &Account) -> Option<Taken> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.stop.is_cancelled() || self.is_done() {
                return None;
            }
            if let Some(taken) = self.take(provider) {
                return Some(taken);
            }
            tokio::select! {
                () = changed => {}
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(STEAL_INTERVAL) => self.steal_for(provider, account),
            }
        }
    }

    fn take(&self, provider: ProviderId) -> Option<Taken> {
        let mut dealing = lock(&self.dealing);
        let unit = dealing.plan.take(provider, self.started.elapsed())?;
        let let_go = self.stop.child_token();
        dealing.held.insert(unit.id, (provider, let_go.clone()));
        Some(Taken { unit, let_go })
    }

    fn steal_for(&self, provider: ProviderId, account: &Account) {
        let from = {
            let mut dealing = lock(&self.dealing);
            let stolen = dealing.plan.steal(provider, account.rate(), self.started.elapsed());
            let held = stolen.and_then(|unit| dealing.held.get(&unit).cloned());
            held.map(|(slow, let_go)| {
                let_go.cancel();
                slow
            })
        };
        let Some(slow) = from else { return };
        if let Some(slow) = self.accounts().get(slow as usize) {
            self.tell(GetEvent::TakenOver { from: slow.peer, to: account.peer });
        }
    }
}
