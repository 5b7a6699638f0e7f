//! Finding peers in the zones of hubs.

use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::{DNS_LOOK_UP_SECONDS, MAX_DNSADDR_BYTES};
use futures::future::{BoxFuture, FutureExt, ready};
use futures::stream::{self, BoxStream, FuturesUnordered, StreamExt};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use libp2p::PeerId;
use peerage_core::Advice;
use peerage_core::discovery::Key;
use peerage_core::discovery::zone::{Question, Walk};
use tokio::time::{Instant, timeout_at};

use super::way::{Finding, Presence, Way, WayError, WayName};

const LOOK_UP: Duration = Duration::from_secs(DNS_LOOK_UP_SECONDS);

/// How long one name server has for one try, and how often it is tried.
const TRY: Duration = Duration::from_secs(3);
const TRIES: usize = 2;

/// How many answers are remembered, each until its TTL is over.
const CACHED_ANSWERS: u64 = 64;

/// Which zones to look in, and whom to ask.
#[derive(Clone, Debug, Default)]
pub struct DnsConfig {
    /// The names of the zones.
    pub zones: Vec<String>,
    /// The name servers to ask; those of the system where there is none.
    pub name_servers: Vec<SocketAddr>,
}

/// Why there is nobody to ask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// A zone has no name of the DNS.
    #[error("{0:?} is not a name of the DNS")]
    Zone(String),
    /// The system's name servers are not known.
    #[error("cannot tell the system's name servers: {0}")]
    System(String),
}

impl Advice for DnsError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Zone(_) => Some("check its spelling"),
            Self::System(_) => Some("name one in the settings"),
        }
    }
}

/// Finds the addresses of a peer in the zones of hubs, as `dnsaddr` texts. It
/// announces nothing: the hub does that.
pub struct Dns {
    resolver: TokioResolver,
    zones: Vec<String>,
}

impl Dns {
    /// A way that looks in these zones.
    ///
    /// # Errors
    ///
    /// When a zone's name is none, or the system's name servers are not known.
    pub fn new(config: &DnsConfig) -> Result<Self, DnsError> {
        for zone in &config.zones {
            let name = Name::from_ascii(zone).ok().filter(|name| name.num_labels() > 0);
            name.ok_or_else(|| DnsError::Zone(zone.clone()))?;
        }
        let resolver = build(&config.name_servers);
        let resolver = resolver.map_err(|error| DnsError::System(error.to_string()))?;
        Ok(Self { resolver, zones: config.zones.clone() })
    }

    /// The texts of a name; none where the name has none.
    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, WayError> {
        let mut name =
            Name::from_ascii(name).map_err(|error| WayError::Malformed(error.to_string()))?;
        name.set_fqdn(true);
        match self.resolver.lookup(name, RecordType::TXT).await {
            Ok(lookup) => {
                Ok(lookup.answers().iter().filter_map(|record| text(&record.data)).collect())
            }
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(NetError::Timeout) => Err(WayError::TimedOut(TRY * 2)),
            Err(error) => Err(WayError::Unavailable(error.to_string())),
        }
    }

    async fn ask(&self, question: Question) -> Asked {
        let texts = self.texts(&question.name).await;
        (question, texts)
    }
}

impl Way for Dns {
    fn name(&self) -> WayName {
        WayName::Dns
    }

    fn announce<'a>(&'a self, _: &'a Presence) -> BoxFuture<'a, Result<Duration, WayError>> {
        ready(Err(WayError::Unsupported)).boxed()
    }

    fn look_up<'a>(&'a self, key: &Key) -> BoxStream<'a, Result<Finding, WayError>> {
        let Key::Peer(peer) = key else {
            return stream::iter([Err(WayError::Unsupported)]).boxed();
        };
        let search = Search {
            dns: self,
            peer: *peer,
            walk: Walk::new(*peer, self.zones.iter().map(String::as_str)),
            asked: FuturesUnordered::new(),
            deadline: Instant::now() + LOOK_UP,
            outcome: None,
        };
        stream::unfold(Some(search), |search| async move { search?.step().await }).boxed()
    }
}

/// A question, and the texts or the failure that answered it.
type Asked = (Question, Result<Vec<Vec<u8>>, WayError>);

/// One look-up on its way.
struct Search<'a> {
    dns: &'a Dns,
    peer: PeerId,
    walk: Walk,
    asked: FuturesUnordered<BoxFuture<'a, Asked>>,
    deadline: Instant,
    /// Whether anybody answered, or why not.
    outcome: Option<Result<(), WayError>>,
}

impl<'a> Search<'a> {
    /// The next finding, and the search if it is not over.
    async fn step(mut self) -> Option<(Result<Finding, WayError>, Option<Self>)> {
        loop {
            while let Some(question) = self.walk.next_question() {
                self.asked.push(self.dns.ask(question).boxed());
            }
            match timeout_at(self.deadline, self.asked.next()).await {
                Ok(Some((question, Ok(texts)))) => {
                    self.outcome = Some(Ok(()));
                    let texts = texts.iter().map(Vec::as_slice);
                    let addresses = self.walk.answer(&question, texts);
                    if !addresses.is_empty() {
                        let finding = Finding { peer: self.peer, addresses, record: None };
                        return Some((Ok(finding), Some(self)));
                    }
                }
                Ok(Some((_, Err(error)))) => {
                    self.outcome.get_or_insert(Err(error));
                }
                Ok(None) => return self.outcome?.err().map(|error| (Err(error), None)),
                Err(_) => return Some((Err(WayError::TimedOut(LOOK_UP)), None)),
            }
        }
    }
}

fn build(name_servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if name_servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = name_servers.iter().copied().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = TRY;
    options.attempts = TRIES;
    options.cache_size = CACHED_ANSWERS;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        let connection: &mut ConnectionConfig = connection;
        connection.port = address.port();
    }
    server
}

/// The strings of a text, one after the other.
fn text(data: &RData) -> Option<Vec<u8>> {
    let RData::TXT(text) = data else { return None };
    let bytes = text.txt_data.concat();
    (bytes.len() <= MAX_DNSADDR_BYTES).then_some(bytes)
}
