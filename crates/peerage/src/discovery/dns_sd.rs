//! Discovery on the local network: DNS-SD over multicast DNS.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use crate::limits::MAX_NEARBY_EVENTS;
use mdns_sd::{DaemonEvent, ResolvedService, ServiceEvent};
use peerage_core::Advice as _;
use peerage_core::discovery::Announcement;
use tokio::{
    runtime::Handle,
    sync::{broadcast, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Event, Interfaces, NearbyPeer,
    error::StartError,
    nearby::{self, Nearby},
    responder::Responder,
};
use crate::sync::lock;

/// The pause before a responder that failed is started again; it doubles up
/// to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause before a responder that failed is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often the responder is looked after, its memory too: a flood at the speed of a
/// slow network, 1 MB/s of records, stays near ten megabytes.
const WATCH: Duration = Duration::from_secs(2);

/// How a node takes part in discovery on the local network.
#[derive(Clone, Debug, Default)]
pub struct LanConfig {
    /// What to announce; nothing to only look around. A node without any port
    /// in its announcement is not announced either.
    pub announce: Option<Announcement>,
    /// On which interfaces.
    pub interfaces: Interfaces,
}

/// How discovery on the local network fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LanStatus {
    /// It has not begun yet.
    #[default]
    Starting,
    /// It works on these interfaces.
    Active(BTreeSet<String>),
    /// No interface is up that it may use. It begins when one comes up.
    NoInterface,
    /// It failed for this reason and is tried again.
    Failed(String),
    /// It was stopped.
    Stopped,
}

/// Finds the peers of the local network and announces this node to them.
///
/// The node appears as a DNS-SD service `_peerage._udp.local.` to any browser
/// (`avahi-browse -r _peerage._udp`, `dns-sd -B _peerage._udp`), on every
/// interface, again when interfaces come and go, until [`LanDiscovery::stop`]
/// or drop, which say goodbye. A machine without a usable network is no error:
/// [`LanDiscovery::status`] and a warning in the log tell.
///
/// What it finds is what others *claim*: see [`NearbyPeer`].
///
/// ```no_run
/// use peerage::discovery::{Announcement, LanConfig, LanDiscovery, Ports};
/// # let peer_id = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse()?;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut announcement = Announcement::new(peer_id, "Ann's laptop");
/// announcement.ports = Ports::of(&["/ip4/0.0.0.0/udp/4001/quic-v1".parse()?]);
/// let config = LanConfig { announce: Some(announcement), ..LanConfig::default() };
///
/// let discovery = LanDiscovery::start(config)?;
/// for peer in discovery.nearby() {
///     println!("{:?} claims to be {}", peer.name, peer.peer_id);
/// }
/// discovery.stop().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LanDiscovery {
    shared: Arc<Shared>,
    /// What to announce; dropping it ends the task.
    announce: watch::Sender<Option<Announcement>>,
    task: JoinHandle<()>,
}

impl LanDiscovery {
    /// Starts discovery and returns at once; the sockets are opened in the
    /// background, and opened again later if that fails.
    ///
    /// # Errors
    ///
    /// [`StartError::NoRuntime`] outside a tokio runtime with time enabled.
    pub fn start(config: LanConfig) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let (announce, announced) = watch::channel(config.announce);
        let shared = Arc::new(Shared::default());
        let task = Task { shared: shared.clone(), interfaces: config.interfaces, announced };
        let task = runtime.spawn(task.run());
        Ok(Self { shared, announce, task })
    }

    /// The peers that announce themselves now, ordered by the names of their
    /// announcements, without this node; at most
    /// [`crate::limits::MAX_NEARBY_PEERS`].
    #[must_use]
    pub fn nearby(&self) -> Vec<NearbyPeer> {
        self.shared.nearby().all()
    }

    /// What changes among the nearby peers from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        Events(self.shared.events.subscribe())
    }

    /// How it fares now.
    #[must_use]
    pub fn status(&self) -> LanStatus {
        self.shared.status.borrow().clone()
    }

    /// How it fares, now and whenever that changes.
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<LanStatus> {
        self.shared.status.subscribe()
    }

    /// Announces something else from now on, or nothing. Under another name, or
    /// for nothing, it goes round once: all peers are lost and found again.
    pub fn announce(&self, announcement: Option<Announcement>) {
        self.announce.send_replace(announcement);
    }

    /// Says goodbye and ends; no thread or socket of it is left afterwards.
    pub async fn stop(self) {
        drop(self.announce);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "discovery on the local network ended badly");
        }
    }
}

/// What changes among the nearby peers, from [`LanDiscovery::subscribe`].
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next change; `None` once discovery has stopped.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// What the handle and the task both see.
#[derive(Debug)]
struct Shared {
    nearby: Mutex<Nearby>,
    events: broadcast::Sender<Event>,
    status: watch::Sender<LanStatus>,
}

impl Default for Shared {
    fn default() -> Self {
        let (events, _) = broadcast::channel(MAX_NEARBY_EVENTS);
        Self { nearby: Mutex::default(), events, status: watch::Sender::default() }
    }
}

impl Shared {
    fn nearby(&self) -> MutexGuard<'_, Nearby> {
        // The table is whole between any two statements that can panic.
        lock(&self.nearby)
    }

    fn tell(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            // An error means that nobody listens.
            let _ = self.events.send(event);
        }
    }
}

/// Why the responder is not served any longer.
enum End {
    Stopped,
    /// The next one shall take its place at once.
    Renewed,
    Failed(String),
}

impl From<StartError> for End {
    fn from(error: StartError) -> Self {
        Self::Failed(error.whole())
    }
}

/// Looks after a responder from time to time.
async fn tend(responder: &mut Responder) -> Result<(), End> {
    if responder.is_overfull().await {
        return Err(End::Failed("somebody floods the network with announcements".to_owned()));
    }
    Ok(responder.repeat_when_due()?)
}

/// The task that serves one responder after the other.
struct Task {
    shared: Arc<Shared>,
    interfaces: Interfaces,
    announced: watch::Receiver<Option<Announcement>>,
}

impl Task {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            match self.serve().await {
                End::Stopped => break,
                End::Renewed => {}
                End::Failed(reason) => {
                    tracing::warn!(reason, "discovery on the local network failed; trying again");
                    self.shared.status.send_replace(LanStatus::Failed(reason));
                    if self.is_stopped_within(pause).await {
                        break;
                    }
                    let lasted = began.elapsed() > LONGEST_PAUSE;
                    pause = if lasted { FIRST_PAUSE } else { LONGEST_PAUSE.min(pause * 2) };
                }
            }
        }
        self.shared.status.send_replace(LanStatus::Stopped);
    }

    async fn is_stopped_within(&mut self, pause: Duration) -> bool {
        let stopped = async { while self.announced.changed().await.is_ok() {} };
        timeout(pause, stopped).await.is_ok()
    }

    /// Runs one responder to its end.
    async fn serve(&mut self) -> End {
        let mut responder = match Responder::start(&self.interfaces) {
            Ok(responder) => responder,
            Err(error) => return error.into(),
        };
        self.look_at_interfaces();
        let end = match self.announce(&mut responder) {
            Ok(()) => self.pass_on(&mut responder).await,
            Err(end) => end,
        };
        responder.stop().await;
        // The next responder knows none of them, so it could not tell their end.
        let lost = self.shared.nearby().all_withdrawn();
        self.shared.tell(lost);
        end
    }

    fn announce(&mut self, responder: &mut Responder) -> Result<(), End> {
        let announcement = self.announced.borrow_and_update().clone();
        if responder.announce(announcement.as_ref())? { Ok(()) } else { Err(End::Renewed) }
    }

    /// Passes on what the responder finds, until it or the handle ends.
    async fn pass_on(&mut self, responder: &mut Responder) -> End {
        let mut watch = interval(WATCH);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = self.announced.changed() => match changed {
                    Ok(()) => if let Err(end) = self.announce(responder) { return end },
                    Err(_) => return End::Stopped,
                },
                found = responder.found.recv_async() => match found {
                    Ok(found) => {
                        if let Err(end) = self.found(found, responder) { return end }
                    }
                    Err(_) => return End::Failed("the responder's thread ended".to_owned()),
                },
                happened = responder.happened.recv_async() => match happened {
                    Ok(DaemonEvent::IpAdd(_)) => {
                        responder.interface_added();
                        self.look_at_interfaces();
                    }
                    Ok(DaemonEvent::IpDel(_)) => self.look_at_interfaces(),
                    Ok(_) => {}
                    Err(_) => return End::Failed("the responder's thread ended".to_owned()),
                },
                _ = watch.tick() => if let Err(end) = tend(responder).await { return end },
            }
        }
    }

    fn found(&self, event: ServiceEvent, responder: &mut Responder) -> Result<(), End> {
        let event = match event {
            ServiceEvent::ServiceResolved(service) => match self.read(&service) {
                Some(peer) => {
                    if !service.addresses.iter().any(mdns_sd::ScopedIp::is_ipv4) {
                        responder.search_addresses(&service.host)?;
                    }
                    self.shared.nearby().announced(peer)
                }
                None => self.shared.nearby().withdrawn(&service.fullname),
            },
            ServiceEvent::ServiceRemoved(_, service) => self.shared.nearby().withdrawn(&service),
            _ => None,
        };
        self.shared.tell(event);
        Ok(())
    }

    /// The peer behind a service, unless it is this node or no peer at all.
    fn read(&self, service: &ResolvedService) -> Option<NearbyPeer> {
        let entries = service.txt_properties.iter();
        let entries = entries.map(|entry| (entry.key(), entry.val().unwrap_or_default()));
        let announcement = match Announcement::from_txt(entries, service.port) {
            Ok(announcement) => announcement,
            Err(error) => {
                tracing::debug!(service = ?service.fullname, %error, "passed over");
                return None;
            }
        };
        let own = self.announced.borrow().as_ref().map(|own| own.peer_id);
        if own == Some(announcement.peer_id) {
            return None;
        }
        let hosts = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr);
        let loopback = self.interfaces.include_loopback();
        Some(nearby::peer(service.fullname.clone(), announcement, hosts, loopback, Instant::now()))
    }

    fn look_at_interfaces(&self) {
        let status = match self.interfaces.usable() {
            Ok(names) if names.is_empty() => LanStatus::NoInterface,
            Ok(names) => LanStatus::Active(names),
            Err(error) => LanStatus::Failed(format!("the interfaces cannot be listed: {error}")),
        };
        let changed = self.shared.status.send_if_modified(|now| {
            let changed = *now != status;
            now.clone_from(&status);
            changed
        });
        if changed && status == LanStatus::NoInterface {
            tracing::warn!("no network interface is up, so nobody nearby is found until one is");
        }
    }
}
