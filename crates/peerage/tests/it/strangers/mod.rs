//! What strangers try to make a peer dial. Each host is in a network of its own,
//! with services that must not hear of it.

mod dial_back;
mod hole_punching;
mod named;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use peerage::node::{Node, NodeConfig};
use peerage::routing::Security;
use peerage::{Multiaddr, Protocol, presets};

use crate::support::lan::{Host, Lan};

/// The public addresses of the hosts.
const HUB: Ipv4Addr = Ipv4Addr::new(45, 33, 1, 1);
const VICTIM: Ipv4Addr = Ipv4Addr::new(45, 33, 1, 2);
const MALLORY: Ipv4Addr = Ipv4Addr::new(45, 33, 1, 3);

/// So many hosts at public addresses.
fn internet(test: &str, hosts: u8) -> Option<Lan> {
    let lan = Lan::new(test, hosts)?;
    for (host, ip) in lan.hosts.iter().zip([HUB, VICTIM, MALLORY]) {
        host.change_ipv4(host.ipv4(), ip);
    }
    Some(lan)
}

/// A TCP service that speaks to nobody, and notes who comes.
struct Service(TcpListener);

impl Service {
    async fn start(host: &Host, ip: Ipv4Addr) -> Self {
        let listener = host.run(async move { TcpListener::bind((ip, 0)).unwrap() }).await;
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn place(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn address(&self) -> Multiaddr {
        Multiaddr::from(self.place().ip()).with(Protocol::Tcp(self.place().port()))
    }

    /// Whether somebody came since the last time.
    fn was_called(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The ways in which a stranger may write the address of a service, so that it
/// looks like something else: behind the stranger's own address, by a name, with
/// bytes to send.
fn disguises(service: &Service, own: Ipv4Addr) -> Vec<Multiaddr> {
    let (bare, port) = (service.address(), Protocol::Tcp(service.place().port()));
    let own = Multiaddr::from(own).with(Protocol::Tcp(1));
    let path = "/reboot?now HTTP/1.1\r\nHost: x\r\n\r\n";
    let behind = |bare: &Multiaddr| own.iter().chain(bare.iter()).collect::<Multiaddr>();
    let named =
        |name: &'static str| Multiaddr::empty().with(Protocol::Dns(name.into())).with(port.clone());
    vec![
        bare.clone(),
        behind(&bare),
        own.clone().with(port.clone()),
        named("localhost"),
        named("127.0.0.1"),
        named("127.1"),
        bare.clone().with(Protocol::Ws(path.into())),
        behind(&bare).with(Protocol::Ws(path.into())),
        Multiaddr::from(service.place().ip().to_canonical())
            .with(port.clone())
            .with(Protocol::Ws("/".into())),
    ]
}

/// A node that listens at an address of its host.
async fn node_at(host: &Host, ip: Ipv4Addr, hubs: Vec<Multiaddr>) -> Node {
    let mut config = NodeConfig::new(presets::loopback().keypair);
    config.listen = vec![Multiaddr::from(ip).with(Protocol::Tcp(0))];
    config.hubs = hubs;
    config.security = Security::preferred();
    host.run(Node::spawn(config)).await.unwrap()
}
