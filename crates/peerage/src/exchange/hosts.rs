//! Under which names a plain HTTP server answers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hyper::{
    Request,
    header::{self, HeaderValue},
    http::uri::Authority,
};

/// The names of a plain HTTP server besides the address that it was connected
/// at and `localhost`.
///
/// A web page can give its own name this machine's address, and then have a
/// browser read here what it may not read from another page's server. The
/// browser still says which name it means.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    names: Arc<[String]>,
}

impl Hosts {
    /// These names and IP addresses, without ports.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().collect() }
    }

    /// Whether all hosts that a request names are this server's, connected at
    /// the address `at`. Software that is no browser may name none.
    pub(crate) fn allow<B>(&self, at: SocketAddr, request: &Request<B>) -> bool {
        let named = request.headers().get_all(header::HOST).iter();
        let named = named.map(|host| self.allows_header(at.ip(), host));
        let target = request.uri().host().map(|host| self.allows(at.ip(), host));
        named.chain(target).all(|allowed| allowed)
    }

    fn allows_header(&self, at: IpAddr, host: &HeaderValue) -> bool {
        let authority = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
        authority.is_some_and(|authority| self.allows(at, authority.host()))
    }

    fn allows(&self, at: IpAddr, host: &str) -> bool {
        let (host, at) = (bare(host), at.to_canonical());
        let named = |name: &String| bare(name).eq_ignore_ascii_case(host);
        match host.parse::<IpAddr>() {
            Ok(ip) if ip.to_canonical() == at => true,
            Ok(ip) if at.is_loopback() && ip.to_canonical().is_loopback() => true,
            _ => host.eq_ignore_ascii_case("localhost") || self.names.iter().any(named),
        }
    }
}

/// A host without the brackets of an IPv6 address and the dot of the root.
fn bare(host: &str) -> &str {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(at: &str, target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let hosts = Hosts::new(["Files.Example".into(), "192.0.2.7".into(), "2001:db8::7".into()]);
        hosts.allow(at.parse().unwrap(), &request.body(()).unwrap())
    }

    #[test]
    fn only_own_names_are_answered() {
        for host in ["127.0.0.1:80", "[::1]", "LocalHost:1", "localhost.", "files.example:80"] {
            assert!(allowed("127.0.0.1:80", "/", &[host]), "{host}");
        }
        for host in ["10.0.0.2", "[::ffff:10.0.0.2]", "192.0.2.7:80", "[2001:db8::7]:80"] {
            assert!(allowed("10.0.0.2:80", "/", &[host]), "{host}");
        }
        assert!(allowed("10.0.0.2:80", "/", &[]));
        for host in ["evil.example", "10.0.0.3", "127.0.0.1", "", "a@b", "localhost.evil.example"] {
            assert!(!allowed("10.0.0.2:80", "/", &[host]), "{host}");
        }
        assert!(!allowed("127.0.0.1:80", "/", &["localhost", "evil.example"]));
        assert!(!allowed("127.0.0.1:80", "http://evil.example/", &["localhost"]));
    }
}
