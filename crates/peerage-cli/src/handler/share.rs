//! `share`, `add` and `unshare`: from the user's files to the store and back.
//! Only `share` makes a link, and waits for it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use peerage::{
    access::Requester,
    data::{HashKind, Profile},
    exchange::serving::{Served, ServingEvent},
    import::{ImportError, ImportOptions, ImportProgress, ImportWarning, Imported},
    link::{LinkError, Target},
    session::{Share, ShareError},
    store::StoreError,
    text::{FileName, Platform},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinHandle,
    time::interval,
};

use crate::{
    args::{HashChoice, LayoutArgs, ProfileChoice},
    context::Context,
    event::{Event, Shared},
    failure::{Code, Failure},
    host::{Host, store_failure},
    request::{Place, Request},
};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What `share` was asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) paths: Vec<PathBuf>,
    pub(super) name: Option<String>,
    pub(super) options: ImportOptions,
    pub(super) http: bool,
}

impl Wanted {
    /// From the fields of [`Request::Share`].
    pub(super) fn new(
        paths: &[Place],
        name: Option<String>,
        metadata: bool,
        layout: LayoutArgs,
        http: bool,
    ) -> Self {
        let paths = paths.iter().map(Place::path).collect();
        Self { paths, name, options: options(metadata, layout), http }
    }
}

fn options(metadata: bool, layout: LayoutArgs) -> ImportOptions {
    let profile = match layout.profile {
        ProfileChoice::UnixfsV1_2025 => Profile::UNIXFS_V1_2025,
        ProfileChoice::Legacy => Profile::LEGACY_CIDV1,
    };
    let profile = profile.with_hash(match layout.hash {
        HashChoice::Sha2_256 => HashKind::Sha2_256,
        HashChoice::Blake3 => HashKind::Blake3,
    });
    ImportOptions { profile, metadata, ..ImportOptions::default() }
}

/// Shares until stopped.
///
/// # Errors
///
/// When the files cannot be read, or it was stopped before they were.
pub(super) async fn serve(host: &Host, wanted: Wanted, context: &Context) -> Result<(), Failure> {
    let name = wanted.name.map(|name| file_name(&name)).transpose()?;
    let events = host.session().events();
    let started = Instant::now();
    let Wanted { paths, options, .. } = wanted;
    let sharing = |watch| host.session().share(paths, options, watch);
    let share = followed(context, sharing).await;
    let mut share = share.map_err(|error| share_failure(&error))?;
    if let Some(name) = name {
        share.link = share.link.with_name(name);
    }
    let shared = Event::Shared(shared(&share, host, wanted.http, started.elapsed()));
    context.say(shared).await;
    tokio::select! {
        () = context.cancelled() => {}
        () = report(events, context) => {}
    }
    // The store forgets what nobody shares any more; the files stay.
    match host.session().unshare(share.imported.owner).await {
        // `unshare` was before it.
        Err(StoreError::NoSuchOwner { .. }) => Ok(()),
        done => done.map_err(|error| store_failure(&error)),
    }
}

/// Adds each path to the store.
///
/// # Errors
///
/// As [`serve`].
pub(super) async fn add(
    host: &Host,
    paths: &[Place],
    metadata: bool,
    layout: LayoutArgs,
    context: &Context,
) -> Result<(), Failure> {
    for place in paths {
        let path = place.path();
        let shown = path.to_string_lossy().into_owned();
        let adding = |watch| host.session().add(vec![path], options(metadata, layout), watch);
        let imported = followed(context, adding).await;
        let imported = imported.map_err(|error| import_failure(&error))?;
        let Imported { root, total_bytes, .. } = imported;
        context.say(Event::Added { path: shown, cid: root.to_string(), bytes: total_bytes }).await;
    }
    Ok(())
}

/// Takes back whatever offers this CID.
///
/// # Errors
///
/// When nothing does, or the store fails.
pub(super) async fn unshare(host: &Host, cid: &str, context: &Context) -> Result<(), Failure> {
    let target: Target = cid.parse().map_err(|error: LinkError| bad_cid(&error))?;
    let root = *target.cid();
    let session = host.session();
    let owners = session.store().owners().into_iter();
    let offered: Vec<_> = owners.filter(|owner| owner.offered() == Some(root)).collect();
    if offered.is_empty() {
        let cause = format!("nothing that is shared or added here is {root}");
        return Err(Failure::new(Code::NotFound, cause, "give the CID that `share` or `add` said"));
    }
    for owner in &offered {
        session.unshare(owner.id).await.map_err(|error| store_failure(&error))?;
    }
    context.say(Event::Unshared { cid: root.to_string(), times: offered.len() }).await;
    Ok(())
}

fn bad_cid(error: &LinkError) -> Failure {
    Failure::of(Code::BadTarget, error)
}

fn file_name(name: &str) -> Result<FileName, Failure> {
    FileName::parse(name.as_bytes(), Platform::Unix)
        .map_err(|error| Failure::of(Code::Usage, &error))
}

fn shared(share: &Share, host: &Host, http: bool, took: Duration) -> Shared {
    let Imported { root, files, total_bytes, .. } = &share.imported;
    let name = share.link.name().map(FileName::as_bytes).unwrap_or_default();
    Shared {
        link: share.link.to_string(),
        qr: share.link.to_qr_text(),
        cid: root.to_string(),
        name: String::from_utf8_lossy(name).into_owned(),
        files: *files,
        bytes: *total_bytes,
        milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        http: host.session().http().filter(|_| http).map(|address| address.to_string()),
    }
}

/// Tells what happens while others get what is shared; ends with the session.
async fn report(mut events: Receiver<ServingEvent>, context: &Context) {
    loop {
        let event = match events.recv().await {
            Ok(ServingEvent::FileChanged { path, reason }) => {
                Event::FileChanged { path: path.to_string_lossy().into_owned(), reason }
            }
            Ok(ServingEvent::Served(served)) => told(&served),
            Ok(_) | Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        context.say(event).await;
    }
}

fn told(served: &Served) -> Event {
    let address = match served.requester {
        Requester::Anonymous(address) => Some(address.to_string()),
        _ => None,
    };
    Event::Served {
        peer: served.requester.peer().map(|peer| peer.to_string()),
        address,
        exchange: served.exchange.name().to_owned(),
        cid: served.cid.to_string(),
        bytes: served.bytes,
        complete: served.complete,
    }
}

/// Tells how far an import is while it runs.
async fn followed<T, Importing: Future<Output = T>>(
    context: &Context,
    begin: impl FnOnce(Arc<dyn ImportProgress>) -> Importing,
) -> T {
    let watch = Arc::new(Watch { context: context.clone(), files: 0.into(), bytes: 0.into() });
    let _teller = Teller::start(Arc::clone(&watch));
    begin(watch).await
}

/// What an import tells, as counts.
struct Watch {
    context: Context,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl ImportProgress for Watch {
    fn found(&self, _bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    fn hashed(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn warning(&self, warning: &ImportWarning) {
        self.context.mention(Event::Warning { message: warning.to_string() });
    }

    fn cancelled(&self) -> bool {
        self.context.is_cancelled()
    }
}

/// Tells the counts now and then, until dropped.
struct Teller(JoinHandle<()>);

impl Teller {
    fn start(watch: Arc<Watch>) -> Self {
        Self(tokio::spawn(async move {
            let mut ticks = interval(TELL_EVERY);
            // The first tick is at once, before there is anything to tell.
            ticks.tick().await;
            loop {
                ticks.tick().await;
                watch.context.mention(Event::Importing {
                    files: watch.files.load(Ordering::Relaxed),
                    bytes: watch.bytes.load(Ordering::Relaxed),
                });
            }
        }))
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn share_failure(error: &ShareError) -> Failure {
    match error {
        ShareError::Import(error) => import_failure(error),
        error => Failure::of(Code::Unexpected, error),
    }
}

fn import_failure(error: &ImportError) -> Failure {
    match error {
        ImportError::Cancelled => Failure::interrupted(),
        ImportError::Store(error) => store_failure(error),
        error => Failure::of(Code::CannotRead, error),
    }
}

/// Whether `request` wants the gateway over plain HTTP, where, and under which
/// names besides.
pub(crate) fn http_of(request: &Request) -> Option<(SocketAddr, &[String])> {
    match request {
        Request::Share { http, http_hosts, .. } | Request::Up { http, http_hosts } => {
            http.map(|address| (address, http_hosts.as_slice()))
        }
        _ => None,
    }
}
