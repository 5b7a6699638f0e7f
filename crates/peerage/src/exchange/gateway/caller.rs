//! Who is at the other end of a connection.

use std::net::IpAddr;

use hyper::{
    Request,
    header::{self, HeaderValue},
    http::uri::Authority,
};
use libp2p::PeerId;

use crate::{access::Requester, exchange::serving::Exchange};

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A peer over a stream of its connection.
    Peer(PeerId),
    /// Whoever speaks plain HTTP from this address.
    Address(IpAddr),
}

impl Caller {
    pub(super) const fn exchange(self) -> Exchange {
        match self {
            Self::Peer(_) => Exchange::Gateway,
            Self::Address(_) => Exchange::Http,
        }
    }

    /// Who sends this request.
    ///
    /// A web page can give its own name this machine's address and then have
    /// the browser ask here as if it asked its own server. The browser still
    /// says which name it means, and so such a request is not the user's.
    pub(super) fn requester<B>(self, request: &Request<B>) -> Requester {
        match self {
            Self::Peer(peer) => Requester::Peer(peer),
            Self::Address(address) => match Requester::at(address) {
                Requester::Machine if !is_meant_for_this_machine(request) => {
                    Requester::Anonymous(address.to_canonical())
                }
                requester => requester,
            },
        }
    }
}

/// Whether all names of a host in the request are this machine's for itself.
/// Software that is no browser may give none.
fn is_meant_for_this_machine<B>(request: &Request<B>) -> bool {
    let named = request.headers().get_all(header::HOST).iter().map(is_local);
    let target = request.uri().host().map(is_local_host);
    named.chain(target).all(|local| local)
}

fn is_local(host: &HeaderValue) -> bool {
    let authority = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    authority.is_some_and(|authority| is_local_host(authority.host()))
}

fn is_local_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, target: &str, hosts: &[&str]) -> Requester {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        Caller::Address(from.parse().unwrap()).requester(&request.body(()).unwrap())
    }

    #[test]
    fn loopback_is_this_machine_unless_another_host_is_named() {
        for hosts in [&["127.0.0.1:8080"][..], &["[::1]:80"], &["LocalHost"], &[]] {
            assert_eq!(asked("127.0.0.1", "/ipfs/x", hosts), Requester::Machine, "{hosts:?}");
            assert_eq!(asked("::1", "/ipfs/x", hosts), Requester::Machine, "{hosts:?}");
        }
        let stranger = Requester::Anonymous([127, 0, 0, 1].into());
        for hosts in
            [&["evil.example"][..], &["evil.example:8080"], &["localhost", "evil.example"], &[""]]
        {
            assert_eq!(asked("127.0.0.1", "/ipfs/x", hosts), stranger, "{hosts:?}");
        }
        assert_eq!(asked("127.0.0.1", "http://evil.example/ipfs/x", &["localhost"]), stranger);
    }

    #[test]
    fn others_are_who_they_are_whatever_they_name() {
        let neighbour = Requester::Anonymous([192, 168, 1, 7].into());
        assert_eq!(asked("192.168.1.7", "/ipfs/x", &["localhost"]), neighbour);
        let peer = PeerId::random();
        let request = Request::get("/").header(header::HOST, "evil.example").body(()).unwrap();
        assert_eq!(Caller::Peer(peer).requester(&request), Requester::Peer(peer));
    }
}
