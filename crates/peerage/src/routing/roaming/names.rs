//! The names by which the endpoint knows its relays, and who is resolved.
//!
//! iroh dials a relay again and again once it has been asked to send something
//! there: a relay that takes connections and says nothing is dialled for as long
//! as the endpoint lives, and nothing in its interface ends that. What it has to
//! ask for each time is the address of a name. So relays at a bare address have
//! a name of their own inside the endpoint, and a name is resolved only while
//! its relay is in use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use iroh::RelayUrl;
use iroh::dns::{BoxIter, DnsError, DnsResolver, Resolver, TxtRecordData};

use super::super::Gate;
use super::relays::Relays;

/// Ends the names of relays at bare addresses. No such name is in the DNS
/// (RFC 6761), so none is anybody else's.
const SUFFIX: &str = ".relay.invalid";

/// How long the DNS may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long a name of a relay that is not in use takes to be refused. iroh asks
/// again at once otherwise, and never looks whether the relay has been idle for
/// so long that it can be given up.
const REFUSED_AFTER: Duration = Duration::from_millis(500);

/// A relay as the endpoint knows it; `None` if it has one of our own names.
pub(super) fn inside(url: &RelayUrl) -> Option<RelayUrl> {
    let host = url.host_str()?;
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => with_host(url, &name_of(ip, url.port_or_known_default()?)),
        Err(_) if address_of(host).is_some() => None,
        Err(_) => Some(url.clone()),
    }
}

/// A relay of the endpoint as everybody else knows it.
pub(super) fn outside(url: &RelayUrl) -> RelayUrl {
    let ip = url.host_str().and_then(address_of);
    let host = ip.map(|ip| match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    });
    host.and_then(|host| with_host(url, &host)).unwrap_or_else(|| url.clone())
}

fn with_host(url: &RelayUrl, host: &str) -> Option<RelayUrl> {
    let port = url.port_or_known_default()?;
    format!("{}://{host}:{port}", url.scheme()).parse().ok()
}

/// With the port, so that each relay of a host has a name to itself.
fn name_of(ip: IpAddr, port: u16) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{:08x}-{port}{SUFFIX}", ip.to_bits()),
        IpAddr::V6(ip) => format!("{:032x}-{port}{SUFFIX}", ip.to_bits()),
    }
}

/// The address that one of our own names stands for.
fn address_of(host: &str) -> Option<IpAddr> {
    let name = host.trim_end_matches('.').strip_suffix(SUFFIX)?;
    let (digits, _) = name.split_once('-')?;
    match digits.len() {
        8 => u32::from_str_radix(digits, 16).ok().map(|bits| Ipv4Addr::from_bits(bits).into()),
        32 => u128::from_str_radix(digits, 16).ok().map(|bits| Ipv6Addr::from_bits(bits).into()),
        _ => None,
    }
}

/// Resolves the names of relays that are in use.
#[derive(Debug)]
pub(super) struct Names {
    relays: Relays,
    gate: Gate,
    dns: DnsResolver,
}

impl Names {
    pub(super) fn new(relays: Relays, gate: Gate) -> Self {
        Self { relays, gate, dns: DnsResolver::new() }
    }
}

/// What a look-up finds, when it is its relay's turn: asks the DNS only for a relay
/// that is in use and has a name of its own, and passes what `gate` lets through.
async fn look_up<T: Send + 'static>(
    turn: Option<Duration>,
    host: String,
    gate: Gate,
    pick: fn(IpAddr) -> Option<T>,
    dns: impl AsyncFnOnce(String) -> Result<Vec<IpAddr>, DnsError>,
) -> Result<BoxIter<T>, DnsError> {
    tokio::time::sleep(turn.unwrap_or(REFUSED_AFTER)).await;
    let found = match address_of(&host) {
        _ if turn.is_none() => Vec::new(),
        Some(ip) => vec![ip],
        None => {
            let found = dns(host.clone()).await?;
            found.into_iter().filter(|ip| gate.admits_named(&host, *ip)).collect()
        }
    };
    Ok(Box::new(found.into_iter().filter_map(pick)))
}

impl Resolver for Names {
    fn lookup_ipv4(&self, host: String) -> BoxFuture<'static, Result<BoxIter<Ipv4Addr>, DnsError>> {
        let (turn, dns) = (self.relays.turn(&host, Instant::now()), self.dns.clone());
        let ask = async move |host| Ok(dns.lookup_ipv4(host, TIMEOUT).await?.collect());
        look_up(turn, host, self.gate.clone(), v4, ask).boxed()
    }

    fn lookup_ipv6(&self, host: String) -> BoxFuture<'static, Result<BoxIter<Ipv6Addr>, DnsError>> {
        let (turn, dns) = (self.relays.turn(&host, Instant::now()), self.dns.clone());
        let ask = async move |host| Ok(dns.lookup_ipv6(host, TIMEOUT).await?.collect());
        look_up(turn, host, self.gate.clone(), v6, ask).boxed()
    }

    /// Relays need none.
    fn lookup_txt(
        &self,
        _: String,
    ) -> BoxFuture<'static, Result<BoxIter<TxtRecordData>, DnsError>> {
        async { Ok(Box::new(std::iter::empty()) as BoxIter<TxtRecordData>) }.boxed()
    }

    fn clear_cache(&self) {
        self.dns.clear_cache();
    }

    fn reset(&self) -> Box<dyn Resolver> {
        Box::new(Self::new(self.relays.clone(), self.gate.clone()))
    }
}

fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

fn v6(ip: IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V6(ip) => Some(ip),
        IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RelayUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_relay_at_a_bare_address_has_a_name_inside() {
        for text in ["http://192.0.2.1:3340", "https://[2001:db8::1]:443", "http://[::1]:80"] {
            let inside = inside(&url(text)).unwrap();
            assert!(inside.host_str().unwrap().ends_with(SUFFIX), "{inside}");
            assert_eq!(outside(&inside), url(text));
        }
    }

    #[test]
    fn a_name_stays_what_it_is_unless_it_is_one_of_ours() {
        let named = url("https://hub.example:3340");
        assert_eq!(inside(&named), Some(named.clone()));
        assert_eq!(outside(&named), named);
        assert_eq!(
            inside(&url("http://7f000001-22.relay.invalid:22")),
            None,
            "loopback in disguise"
        );
    }
}
