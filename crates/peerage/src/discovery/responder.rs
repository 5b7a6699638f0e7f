//! The multicast DNS responder: its thread, from start to certain end.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::limits::{MAX_ADDRESS_SEARCHES, MAX_RESPONDER_RECORDS};
use mdns_sd::{
    DaemonEvent, HostnameResolutionEvent, IfKind, IfPredicate, Receiver, ServiceDaemon,
    ServiceEvent, ServiceInfo,
};
use peerage_core::discovery::{Announcement, SERVICE_TYPE};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;

use super::{Interfaces, error::StartError};

/// How often the responder looks for changed interfaces, in seconds: its
/// smallest step, about 50 µs of work each time.
const INTERFACE_CHECK_SECONDS: u32 = 1;

/// How long an answer from the responder's thread is waited for. It answers at
/// once unless the machine is stalled.
const ANSWER: Duration = Duration::from_secs(2);

/// The pause before an announcement is repeated. Sooner than a second, the
/// responder may not (RFC 6762, section 6).
const REPETITION: Duration = Duration::from_millis(1100);

/// The pause between later repetitions.
const REFRESH: Duration = Duration::from_secs(15 * 60);

/// How long a host's addresses are searched for: three questions, each twice
/// as long after the one before.
const SEARCH_MILLISECONDS: u64 = 4000;

/// The names of the responder's counters that grow with what others send.
const GROWING: [&str; 7] = [
    "cached-ptr",
    "cached-srv",
    "cached-addr",
    "cached-txt",
    "cached-nsec",
    "cached-subtype",
    "timer",
];

/// A running responder that browses for peers. Dropping it ends its thread,
/// [`Responder::stop`] also waits for that.
pub(super) struct Responder {
    daemon: Daemon,
    /// What it finds.
    pub(super) found: Receiver<ServiceEvent>,
    /// What happens to it.
    pub(super) happened: Receiver<DaemonEvent>,
    announced: Option<ServiceInfo>,
    /// When it was last said, and whether that was a repetition.
    said: (Instant, bool),
    /// Searches for addresses that have not ended; a search ends when its
    /// receiver is dropped.
    searches: Vec<(String, Receiver<HostnameResolutionEvent>)>,
    /// Resolves once the thread has let go of its sockets.
    ended: oneshot::Receiver<()>,
}

impl Responder {
    pub(super) fn start(interfaces: &Interfaces) -> Result<Self, StartError> {
        check_port()?;
        let daemon = Daemon(ServiceDaemon::new()?);
        let (end, ended) = oneshot::channel();
        daemon.0.disable_interface(IfKind::Predicate(all_but(interfaces.clone(), end)))?;
        daemon.0.set_ip_check_interval(INTERFACE_CHECK_SECONDS)?;
        let happened = daemon.0.monitor()?;
        let found = daemon.0.browse(SERVICE_TYPE)?;
        let said = (Instant::now(), true);
        Ok(Self { daemon, found, happened, announced: None, said, searches: Vec::new(), ended })
    }

    /// Announces a node in place of the one announced before, if any. Says
    /// `false`, and does nothing, if the one before must be withdrawn for
    /// that: a withdrawal echoes for a while and would take the same host's
    /// addresses from the new announcement, so it is for [`Responder::stop`].
    pub(super) fn announce(&mut self, new: Option<&Announcement>) -> Result<bool, StartError> {
        let service = new.map(service).transpose()?.flatten();
        let name = service.as_ref().map(ServiceInfo::get_fullname);
        let withdraws = |before: &ServiceInfo| name != Some(before.get_fullname());
        if self.announced.as_ref().is_some_and(withdraws) {
            return Ok(false);
        }
        if let Some(service) = &service {
            self.daemon.0.register(service.clone())?;
        }
        self.announced = service;
        self.said = (Instant::now(), false);
        Ok(true)
    }

    /// Says the announcement again when it is time: once soon after it was
    /// new, for those that missed it (RFC 6762, section 8.3), and ever after
    /// for those that came back from a divided network. The responder repeats
    /// by itself, but not names with capitals, nor for a new interface.
    pub(super) fn repeat_when_due(&mut self) -> Result<(), StartError> {
        let (when, repeated) = self.said;
        let pause = if repeated { REFRESH } else { REPETITION };
        let Some(service) = self.announced.as_ref().filter(|_| when.elapsed() >= pause) else {
            return Ok(());
        };
        self.daemon.0.register(service.clone())?;
        self.said = (Instant::now(), true);
        Ok(())
    }

    /// Notes that the announcement went out on a new interface.
    pub(super) fn interface_added(&mut self) {
        self.said = (Instant::now(), false);
    }

    /// Searches for the addresses of a host of which not all are known: IPv4
    /// and IPv6 addresses come in packets of their own, of which one can be
    /// lost. What is found changes the service, which is told as usual.
    pub(super) fn search_addresses(&mut self, host: &str) -> Result<(), StartError> {
        self.searches.retain(|(_, search)| !search.is_disconnected());
        let searched = self.searches.iter().any(|(other, _)| other == host);
        if searched || self.searches.len() >= MAX_ADDRESS_SEARCHES {
            return Ok(());
        }
        let search = self.daemon.0.resolve_hostname(host, Some(SEARCH_MILLISECONDS))?;
        self.searches.push((host.to_owned(), search));
        Ok(())
    }

    /// Whether what others sent fills more memory than allowed. Also when the
    /// responder does not answer.
    pub(super) async fn is_overfull(&self) -> bool {
        let Ok(counters) = self.daemon.0.get_metrics() else { return true };
        match tokio::time::timeout(ANSWER, counters.recv_async()).await {
            Ok(Ok(counters)) => {
                let held = GROWING.iter().filter_map(|name| counters.get(*name)).sum::<i64>();
                held > MAX_RESPONDER_RECORDS
            }
            _ => true,
        }
    }

    /// Says goodbye on every interface and waits until the thread has ended
    /// and the sockets are closed.
    pub(super) async fn stop(mut self) {
        let end = async {
            while let Err(mdns_sd::Error::Again) = self.daemon.0.shutdown() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // An error means that the thread has gone by itself.
            let _ = (&mut self.ended).await;
        };
        if tokio::time::timeout(ANSWER, end).await.is_err() {
            tracing::warn!("the multicast DNS responder did not stop within {ANSWER:?}");
        }
    }
}

/// Ends the thread, which a dropped `ServiceDaemon` leaves running.
struct Daemon(ServiceDaemon);

impl Drop for Daemon {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.shutdown();
    }
}

/// Selects every interface but those of `interfaces`. The responder keeps the
/// selection until it ends and drops it after its sockets, which `end` tells.
fn all_but(interfaces: Interfaces, end: oneshot::Sender<()>) -> IfPredicate {
    IfPredicate::new(move |interface| {
        let _until_dropped = &end;
        !interfaces.include(interface)
    })
}

/// The DNS-SD service of an announcement; none when the node listens nowhere.
///
/// The names are derived from the key, so they are unique and need no probing
/// (RFC 6762, section 8.1), which would cost a second.
fn service(announcement: &Announcement) -> Result<Option<ServiceInfo>, StartError> {
    let Some(port) = announcement.ports.first() else { return Ok(None) };
    let service = ServiceInfo::new(
        SERVICE_TYPE,
        &announcement.instance_name(),
        &announcement.host_name(),
        (),
        port,
        announcement.to_txt().as_slice(),
    )?;
    let mut service = service.enable_addr_auto();
    service.set_requires_probe(false);
    Ok(Some(service))
}

/// Whether the port of multicast DNS can be shared with the system's own
/// responder. The responder itself would only stay silent.
fn check_port() -> Result<(), StartError> {
    let bind = || -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        let any = std::net::SocketAddr::from(([0, 0, 0, 0], mdns_sd::MDNS_PORT));
        socket.bind(&any.into())
    };
    bind().map_err(StartError::Port)
}
