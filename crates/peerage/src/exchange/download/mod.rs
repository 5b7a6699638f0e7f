//! Getting a file or folder from peers: verified, resumable, from several
//! providers at once.
//!
//! ```text
//! provider.rs ── a unit ──> gateway_fetch.rs / bitswap_fetch.rs
//!      ^                              │ blocks
//!   shared.rs (the plan)         receive.rs ── verified ──> disk.rs ──> staging.rs
//! ```
//!
//! Each provider has a few slots; each slot takes a unit of the plan, asks for
//! it, and a thread verifies and writes what comes. What arrived is on disk
//! under its CID's name and survives anything that ends the process: the next
//! try reads it, verifies it again, and asks only for the rest.

mod bitswap_fetch;
mod disk;
mod error;
mod event;
mod gateway_fetch;
mod provider;
mod receive;
mod shared;
mod staging;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
pub use peerage_core::exchange::download::{Allowance, Excess};
use peerage_core::{data::Cid, exchange::download::Item};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    disk::Disk,
    provider::{End, Worker},
    shared::{Account, Shared},
    staging::Staging,
};
pub use self::{
    error::GetError,
    event::{Delivered, GetEvent, Got, Progress},
    provider::Provider,
};
use crate::{
    exchange::bitswap::Bitswap,
    limits::MAX_DOWNLOAD_PROVIDERS,
    node::Node,
    store::Store,
    sync::{blocking, finished, lock},
};

/// Streams in use at once with the first provider: enough to hide a round trip
/// and to keep every core hashing. Each holds at most some 4 MiB.
const SLOTS_FIRST: usize = 3;

/// Streams in use at once with each further provider, so that all together stay
/// far below the memory that a side may use.
const SLOTS_FURTHER: usize = 1;

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The span over which the rate is measured.
const RATE_SPAN: usize = 30;

/// What to get, and how.
#[derive(Clone, Debug)]
pub struct GetRequest {
    /// The root of the file or folder.
    pub root: Cid,
    /// The name of the output in `directory`: one path component.
    pub name: Vec<u8>,
    /// Where the output goes. Created if it is not there.
    pub directory: PathBuf,
    /// How many bytes there are, if the link says so.
    pub size: Option<u64>,
    /// How much it may become.
    pub allowance: Allowance,
    /// How long a provider that was lost is tried again, counted from the last
    /// block that any provider delivered.
    pub patience: Duration,
}

/// What a download needs of the peer that runs it.
#[derive(Clone)]
pub struct Context {
    /// Connects to the providers.
    pub node: Node,
    /// Keeps what no file holds, and knows what is here already.
    pub store: Store,
    /// Asks peers that speak no gateway.
    pub bitswap: Bitswap,
}

/// Gets a file or folder.
///
/// `providers` may deliver further peers while the download runs; when it ends
/// no more will come. Events that find no room in `events` are dropped.
/// Cancelling `stop` ends the download with [`GetError::Cancelled`].
///
/// # Errors
///
/// See [`GetError`]. What has arrived stays in a folder beside the output, and
/// the same call continues from it.
pub async fn get(
    context: Context,
    request: GetRequest,
    providers: BoxStream<'static, Provider>,
    events: mpsc::Sender<GetEvent>,
    stop: CancellationToken,
) -> Result<Got, GetError> {
    let began = Instant::now();
    let disk = prepare(&context, &request).await?;
    let shared = Arc::new(Shared::new(stop.child_token(), events));
    let telling = tokio::spawn(tell_progress(Arc::clone(&shared), disk.clone()));
    let result = fetch_all(&context, &request, providers, &shared, &disk).await;
    telling.abort();
    let _ = telling.await;
    let result = match (shared.take_failure(), result) {
        (Some(error), _) => Err(error),
        (None, _) if stop.is_cancelled() => Err(GetError::Cancelled),
        (None, result) => result,
    };
    let finishing = disk.clone();
    blocking(move || match result {
        Ok(()) => finishing.finish(),
        // What goes on for ever would lie about in a hidden folder.
        Err(error @ (GetError::Malformed { .. } | GetError::TooMuch(_))) => {
            finishing.discard();
            Err(error)
        }
        Err(error) => {
            finishing.keep_for_later();
            Err(error)
        }
    })
    .await?;
    Ok(summary(&shared, &disk, began.elapsed()))
}

async fn prepare(context: &Context, request: &GetRequest) -> Result<Disk, GetError> {
    let (store, request) = (context.store.clone(), request.clone());
    blocking(move || {
        let staging = Staging::open(&request.directory, &request.name, &request.root)?;
        let disk = Disk::new(staging, store, &request)?;
        disk.counters().total.store(request.size.unwrap_or(0), Ordering::Relaxed);
        Ok(disk)
    })
    .await
}

/// What is here already first, then what the providers have.
async fn fetch_all(
    context: &Context,
    request: &GetRequest,
    providers: BoxStream<'static, Provider>,
    shared: &Arc<Shared>,
    disk: &Disk,
) -> Result<(), GetError> {
    let (here, root) = (disk.clone(), request.root);
    let missing = blocking(move || here.missing_here(vec![Item::root(root)])).await?;
    let resumed = disk.counters().resumed.load(Ordering::Relaxed);
    if resumed > 0 {
        shared.tell(GetEvent::Resumed { bytes: resumed });
    }
    if missing.is_empty() {
        return Ok(());
    }
    check_room(request, disk, resumed)?;
    shared.push(missing)?;
    from_providers(context, request, providers, shared, disk).await
}

fn check_room(request: &GetRequest, disk: &Disk, resumed: u64) -> Result<(), GetError> {
    let (Some(size), Some(free)) = (request.size, disk.staging().free_bytes()) else {
        return Ok(());
    };
    let needed = size.saturating_sub(resumed);
    if needed > free {
        return Err(GetError::NoRoom { path: request.directory.clone(), needed, free });
    }
    Ok(())
}

/// Runs a worker for each provider until the plan is done or all have ended.
async fn from_providers(
    context: &Context,
    request: &GetRequest,
    providers: BoxStream<'static, Provider>,
    shared: &Arc<Shared>,
    disk: &Disk,
) -> Result<(), GetError> {
    let mut providers = providers.fuse();
    let mut workers = JoinSet::new();
    let mut ends = Vec::new();
    let mut more = true;
    while !shared.is_done() && !shared.stopped().is_cancelled() {
        tokio::select! {
            next = providers.next(), if more && workers.len() < MAX_DOWNLOAD_PROVIDERS => match next {
                Some(provider) => {
                    let accounts = shared.accounts();
                    if let Some(known) = accounts.iter().find(|a| a.peer == provider.peer) {
                        known.learn(&provider.addresses);
                        continue;
                    }
                    let slots = slots_for(accounts.len() + 1);
                    let worker = worker(context, &provider, shared, disk, slots);
                    let (patience, peer) = (request.patience, provider.peer);
                    workers.spawn(worker.run(patience).map(move |end| (peer, end)));
                }
                None => more = false,
            },
            Some(ended) = workers.join_next() => match finished(ended) {
                None | Some((_, End::Over)) => {}
                Some(ended) => ends.push(ended),
            },
            else => break,
        }
    }
    while workers.join_next().await.is_some() {}
    if shared.is_done() { Ok(()) } else { Err(why_not(request, shared, &ends)) }
}

/// How many streams the provider that came as the `position`th uses at once.
const fn slots_for(position: usize) -> usize {
    match position {
        1 => SLOTS_FIRST,
        _ => SLOTS_FURTHER,
    }
}

fn worker(
    context: &Context,
    provider: &Provider,
    shared: &Arc<Shared>,
    disk: &Disk,
    slots: usize,
) -> Worker {
    let account = Arc::new(Account::new(provider));
    let id = shared.open_account(Arc::clone(&account));
    Worker {
        node: context.node.clone(),
        bitswap: context.bitswap.clone(),
        shared: Arc::clone(shared),
        disk: disk.clone(),
        account,
        id,
        slots,
    }
}

/// The error that says most when every provider has ended.
fn why_not(request: &GetRequest, shared: &Shared, ends: &[(libp2p::PeerId, End)]) -> GetError {
    let cid = request.root;
    let reasons = |pick: fn(&End) -> Option<&String>| {
        let mut found = Vec::new();
        for (peer, end) in ends {
            found.extend(pick(end).map(|reason| format!("{peer}: {reason}")));
        }
        (!found.is_empty()).then(|| found.join("; "))
    };
    let lost = reasons(|end| if let End::Lost(r) = end { Some(r) } else { None });
    let lied = reasons(|end| if let End::Lied(r) = end { Some(r) } else { None });
    let has_not = reasons(|end| if let End::HasNot(r) = end { Some(r) } else { None });
    match (lied, lost, has_not) {
        (Some(reasons), _, _) => GetError::WrongBytes { reasons },
        (_, Some(reasons), _) => GetError::Unreachable { waited: shared.silent_for(), reasons },
        (_, _, Some(reasons)) => GetError::NotFound { cid, reasons },
        _ => GetError::NoProvider { cid },
    }
}

async fn tell_progress(shared: Arc<Shared>, disk: Disk) {
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    let mut history = std::collections::VecDeque::with_capacity(RATE_SPAN);
    loop {
        ticks.tick().await;
        let counters = disk.counters();
        let bytes = counters.bytes.load(Ordering::Relaxed);
        if history.len() == RATE_SPAN {
            history.pop_front();
        }
        history.push_back((shared.elapsed(), bytes));
        let total = counters.total.load(Ordering::Relaxed);
        let progress = Progress {
            bytes,
            total: (total > 0).then_some(total),
            files: counters.files.load(Ordering::Relaxed),
            rate: rate(&history),
            peers: shared.accounts().iter().filter(|a| a.since.get().is_some()).count(),
        };
        shared.tell(GetEvent::Progress(progress));
    }
}

fn rate(history: &std::collections::VecDeque<(Duration, u64)>) -> u64 {
    let (Some((from, before)), Some((to, now))) = (history.front(), history.back()) else {
        return 0;
    };
    let millis = u64::try_from((*to - *from).as_millis()).unwrap_or(u64::MAX);
    now.saturating_sub(*before).saturating_mul(1000).checked_div(millis).unwrap_or(0)
}

fn summary(shared: &Shared, disk: &Disk, elapsed: Duration) -> Got {
    let delivered = |account: Arc<Account>| Delivered {
        peer: account.peer,
        path: lock(&account.path).clone(),
        bytes: account.bytes.load(Ordering::Relaxed),
    };
    Got {
        path: disk.staging().output().to_path_buf(),
        bytes: disk.counters().bytes.load(Ordering::Relaxed),
        resumed: disk.counters().resumed.load(Ordering::Relaxed),
        files: disk.counters().files.load(Ordering::Relaxed),
        elapsed,
        peers: shared.accounts().into_iter().map(delivered).filter(|d| d.bytes > 0).collect(),
    }
}
