//! The hub: two peers that know nothing but it, and those who take too much.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, SinkExt as _, StreamExt as _};
use iroh::SecretKey;
use iroh::dns::DnsResolver;
use iroh_relay::client::{Client, ClientBuilder, ConnectError};
use iroh_relay::protos::relay::{ClientToRelayMsg, RelayToClientMsg};
use libp2p::identity::Keypair;
use peerage::discovery::tracker::Tracker;
use peerage::discovery::{Key, Presence, SignedPeerRecord, Way};
use peerage::hub::{Hub, HubConfig, HubError, OrOff, REGISTRY_FILE};
use peerage::limits::MAX_RELAY_HANDSHAKES_PER_NETWORK;
use peerage::node::{Node, NodeConfig, StreamProtocol};
use peerage::routing::PeerAddresses;
use peerage::{Advice as _, Multiaddr, PeerId, Protocol, presets};
use peerage_core::discovery::zone;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{skip, soon};

const ECHO: StreamProtocol = StreamProtocol::new("/test/echo/1");
const ZONE: &str = "peers.example.org";

/// Everything on the loopback interface, at ports that the system chooses.
fn config() -> HubConfig {
    let text = "
        listen = ['127.0.0.1']
        metrics = '127.0.0.1:0'
        ports = { peers = 0, websocket = 0, relay = 0, address_discovery = 0 }
        zone = { name = 'peers.example.org', name_servers = ['hub.example.org'], listen = ['127.0.0.1:0'], scope = 'local' }
    ";
    text.parse().unwrap()
}

async fn start(config: &HubConfig) -> Hub {
    Hub::start(Keypair::generate_ed25519(), config, None).await.unwrap()
}

/// A peer.
struct Peer {
    node: Node,
    key: Keypair,
}

impl Peer {
    /// One that is reached over the hub alone: it listens nowhere, but for
    /// roaming connections.
    async fn behind(hub: &Hub) -> Self {
        let key = Keypair::generate_ed25519();
        let config =
            NodeConfig { hubs: hub.addresses(), roaming: true, ..NodeConfig::new(key.clone()) };
        Self { node: Node::spawn(config).await.unwrap(), key }
    }

    /// One that listens on the loopback interface.
    async fn plain() -> Self {
        let config = presets::loopback();
        let key = config.keypair.clone();
        Self { node: Node::spawn(config).await.unwrap(), key }
    }

    fn id(&self) -> PeerId {
        self.node.peer_id()
    }

    fn record(&self, addresses: Vec<Multiaddr>) -> SignedPeerRecord {
        SignedPeerRecord::sign(&self.key, 1, addresses).unwrap()
    }

    fn tracker(&self, hub: &Hub) -> Tracker {
        let addresses = hub.addresses();
        let place = PeerAddresses { peer: hub.peer_id(), addresses };
        Tracker::new(&self.node, &self.key, vec![place])
    }

    /// Waits until it has an address over the relay.
    async fn relayed(&self) -> Multiaddr {
        soon("a place at the relay", async {
            loop {
                let relayed =
                    |address: &Multiaddr| address.iter().any(|part| part == Protocol::Http);
                if let Some(address) = self.node.listen_addresses().into_iter().find(relayed) {
                    return address;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }

    /// Sends every stream back as it comes.
    fn echo(&self) -> tokio::task::JoinHandle<()> {
        let mut streams = self.node.accept(ECHO).unwrap();
        tokio::spawn(async move {
            while let Some((_, stream)) = streams.next().await {
                let (reader, mut writer) = stream.split();
                let _ = futures::io::copy(reader, &mut writer).await;
                let _ = writer.close().await;
            }
        })
    }

    /// Sends bytes to a peer that sends them back.
    async fn exchange(&self, peer: PeerId, bytes: &[u8]) {
        let stream = soon("a stream", self.node.open_stream(peer, ECHO)).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let sending = async {
            writer.write_all(bytes).await.unwrap();
            writer.close().await.unwrap();
        };
        let mut back = Vec::new();
        let (_, read) =
            soon("the echo", futures::future::join(sending, reader.read_to_end(&mut back))).await;
        read.unwrap();
        assert!(back == bytes, "{} bytes of {}", back.len(), bytes.len());
    }
}

/// How many peers are connected with its relay.
fn clients(hub: &Hub) -> usize {
    hub.status().relay.unwrap().clients
}

/// What the hub answers to a path.
async fn get(place: SocketAddr, path: &str) -> String {
    get_from("localhost", place, path).await
}

async fn get_from(host: &str, place: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(place).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// The samples of a document of metrics, each line read.
fn samples(answer: &str) -> BTreeMap<String, f64> {
    let (head, document) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("openmetrics-text"), "{head}");
    let document = document.strip_suffix("# EOF\n").expect("the end");
    let (mut samples, mut families) = (BTreeMap::new(), Vec::new());
    for line in document.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let mut words = about.split(' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            if kind == "TYPE" {
                assert!(!families.contains(&name.to_owned()), "{name} is there twice");
                families.push(name.to_owned());
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        let family = families.last().expect("a type before a sample");
        assert!(bare == family || bare == format!("{family}_total"), "{line} under {family}");
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{line}");
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_that_know_only_the_hub_reach_each_other() {
    let hub = start(&config()).await;
    let (alice, bob) = (Peer::behind(&hub).await, Peer::behind(&hub).await);
    let place = bob.relayed().await;
    let _echo = bob.echo();

    // By an address as a link has it.
    let connection =
        soon("a connection", alice.node.connect(bob.id(), std::slice::from_ref(&place))).await;
    assert_eq!(connection.unwrap().peer, bob.id());
    alice.exchange(bob.id(), &vec![7; 1_000_000]).await;

    // By its id alone, from the tracker.
    let announced = bob.record(vec![place]);
    let presence = Presence { record: announced, keys: vec!["topic:lisbon".parse().unwrap()] };
    soon("an announcement", bob.tracker(&hub).announce(&presence)).await.unwrap();
    let carol = Peer::behind(&hub).await;
    for key in [Key::Peer(bob.id()), "topic:lisbon".parse().unwrap()] {
        let way = carol.tracker(&hub);
        let found = soon("a finding", way.look_up(&key).collect::<Vec<_>>()).await;
        let found = found[0].as_ref().unwrap();
        assert_eq!(found.peer, bob.id());
        carol.node.add_addresses(bob.id(), &found.addresses);
    }
    carol.exchange(bob.id(), b"over what the tracker said").await;
    assert_eq!(hub.status().tracker.peers, 1);
    assert!(clients(&hub) >= 2);
    hub.shutdown().await.unwrap();
}

/// A record of a peer with the addresses at which it listens.
async fn announce(peer: &Peer, hub: &Hub) -> SignedPeerRecord {
    let record = peer.record(peer.node.listen_addresses());
    let presence = Presence { record: record.clone(), keys: Vec::new() };
    soon("an announcement", peer.tracker(hub).announce(&presence)).await.unwrap();
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_announces_itself_is_in_the_zone() {
    let hub = start(&config()).await;
    let alice = Peer::plain().await;
    announce(&alice, &hub).await;
    let mut command = Command::new("dig");
    let port = hub.zone()[0].port().to_string();
    let name = zone::peer_name(&alice.id(), ZONE).unwrap();
    command.args(["@127.0.0.1", "-p", &port, "+norecurse", "+short", "+time=10", "TXT", &name]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let Ok(output) = output else {
        return skip("dig asks a hub", "dig (Debian's bind9-dnsutils) is not on the PATH");
    };
    let said = String::from_utf8(output.stdout).unwrap();
    for address in alice.node.listen_addresses() {
        assert!(said.contains(&format!("dnsaddr={address}/p2p/{}", alice.id())), "{said}");
    }
    assert!(hub.status().zone.unwrap().questions > 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_restarts_goes_on_with_its_registry() {
    let folder = tempfile::tempdir().unwrap();
    let key = Keypair::generate_ed25519();
    let alice = Peer::plain().await;
    let before = Hub::start(key.clone(), &config(), Some(folder.path())).await.unwrap();
    let record = announce(&alice, &before).await;
    let peer = before.peer_id();
    soon("the end", before.shutdown()).await.unwrap();
    assert!(folder.path().join(REGISTRY_FILE).is_file());

    let after = Hub::start(key, &config(), Some(folder.path())).await.unwrap();
    assert_eq!(after.peer_id(), peer);
    assert_eq!(after.tracker().records(9), [record]);
    let bob = Peer::plain().await;
    let way = bob.tracker(&after);
    let found = soon("a finding", way.look_up(&Key::Peer(alice.id())).collect::<Vec<_>>()).await;
    assert_eq!(found[0].as_ref().unwrap().peer, alice.id());
    after.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_does_is_counted() {
    let hub = start(&config()).await;
    let place = hub.metrics().unwrap();
    let before = samples(&get(place, "/metrics").await);
    assert_eq!(before["peerage_peers"], 0.0);
    let rebound = get_from("evil.example", place, "/metrics").await;
    assert!(rebound.starts_with("HTTP/1.1 421 ") && !rebound.contains("peerage_peers"));
    assert_eq!(before["peerage_registry_accepted_total"], 0.0);
    assert_eq!(before["peerage_zone_questions_total"], 0.0);

    let alice = Peer::plain().await;
    announce(&alice, &hub).await;
    let other = "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    let forged = Presence { record: alice.record(vec![other.parse().unwrap()]), keys: Vec::new() };
    soon("a refusal", alice.tracker(&hub).announce(&forged)).await.unwrap_err();
    let relayed = Peer::behind(&hub).await;
    relayed.relayed().await;
    soon("a client of the relay", async {
        while clients(&hub) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;

    let after = samples(&get(place, "/metrics").await);
    assert_eq!(after["peerage_registry_accepted_total"], 1.0);
    assert_eq!(after["peerage_registry_peers"], 1.0);
    assert!(after["peerage_registry_size_bytes"] > 0.0);
    let refused = after.iter().filter(|(name, _)| name.starts_with("peerage_registry_refused"));
    assert_eq!(refused.map(|(_, count)| count).sum::<f64>(), 1.0);
    assert_eq!(after["peerage_relay_clients"], 1.0);
    assert!(after["peerage_relay_accepted_total"] >= 1.0);
    assert_eq!(after["peerage_kademlia_refused_total{reason=\"bad_records\"}"], 0.0);

    assert!(get(place, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(place, "/").await.starts_with("HTTP/1.1 404"));
    hub.shutdown().await.unwrap();
    assert!(TcpStream::connect(place).await.is_err(), "it has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_of_this_machine_count_by_their_ids() {
    let mut config = config();
    config.connections.per_network = 1;
    let hub = start(&config).await;
    let mut crowd = Vec::new();
    for _ in 0..3 {
        let peer = Peer::plain().await;
        soon("a connection", peer.node.connect(hub.peer_id(), &hub.addresses())).await.unwrap();
        crowd.push(peer);
    }
    assert_eq!(hub.status().refused_connections.per_network, 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_cannot_work_are_refused_with_what_to_do() {
    let start = async |change: fn(&mut HubConfig)| {
        let mut config = config();
        change(&mut config);
        Hub::start(Keypair::generate_ed25519(), &config, None).await.unwrap_err()
    };
    let nobody = |config: &mut HubConfig| {
        config.boot_nodes = vec!["/ip4/192.0.2.1/tcp/4001".parse().unwrap()];
    };
    assert!(matches!(start(nobody).await, HubError::BootNode(_)));
    let nowhere = |config: &mut HubConfig| config.listen = vec!["192.0.2.1".parse().unwrap()];
    let error = start(nowhere).await.whole();
    assert!(error.contains("192.0.2.1") && error.contains("; choose another port"), "{error}");

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut both = config();
    both.metrics = OrOff::On(taken.local_addr().unwrap());
    let error = Hub::start(Keypair::generate_ed25519(), &both, None).await.unwrap_err();
    assert!(matches!(error, HubError::Metrics(..)), "{error}");
}

/// A client of the relay alone; the secret is its number.
async fn client(hub: &Hub, secret: u8) -> Result<Client, ConnectError> {
    let url = format!("http://{}", hub.relay()[0]).parse::<iroh::RelayUrl>().unwrap();
    let key = SecretKey::from_bytes(&[secret; 32]);
    // It wants to know whom it trusts even where no TLS is spoken.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into());
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    ClientBuilder::new(url, key, DnsResolver::new()).tls_client_config(tls).connect().await
}

fn datagram(to: u8, bytes: &[u8]) -> ClientToRelayMsg {
    let dst_endpoint_id = SecretKey::from_bytes(&[to; 32]).public();
    ClientToRelayMsg::Datagrams { dst_endpoint_id, datagrams: bytes.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_more_than_its_share_of_the_relay_is_slowed_and_others_go_on() {
    const PIECES: usize = 1000;
    let mut config = config();
    config.relay.bytes_per_second = 100_000;
    let hub = start(&config).await;
    let (mut flooder, mut modest, mut sink) = (
        client(&hub, 1).await.unwrap(),
        client(&hub, 2).await.unwrap(),
        client(&hub, 3).await.unwrap(),
    );
    let flooding = tokio::spawn(async move {
        for _ in 0..PIECES {
            flooder.send(datagram(3, &[1; 1000])).await.unwrap();
        }
        flooder
    });
    let (mut flooded, mut heard, mut asked) = (0, 0, false);
    soon("the modest one's datagrams", async {
        while heard < 20 {
            let Some(Ok(RelayToClientMsg::Datagrams { remote_endpoint_id, .. })) =
                sink.next().await
            else {
                continue;
            };
            match remote_endpoint_id == SecretKey::from_bytes(&[2; 32]).public() {
                true => heard += 1,
                false => flooded += 1,
            }
            // Once the flood has used up what it may send at once.
            if flooded > 110 && !asked {
                asked = true;
                for _ in 0..20 {
                    modest.send(datagram(3, b"a word")).await.unwrap();
                }
            }
        }
    })
    .await;
    assert!(flooded < PIECES, "the flood is not over: {flooded}");
    let status = hub.status().relay.unwrap();
    assert_eq!((status.clients, status.clients_slowed), (3, 1));
    assert!(status.bytes_slowed > 0);
    flooding.abort();
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_has_so_many_places_for_one_network() {
    let mut config = config();
    config.relay.clients_per_network = 1;
    let hub = start(&config).await;
    // On this machine clients count by their ids.
    let (_one, two) = (client(&hub, 1).await.unwrap(), client(&hub, 2).await.unwrap());
    let status = hub.status().relay.unwrap();
    assert_eq!((status.clients, status.refused), (2, 0));
    drop(two);

    // Of those that say nothing nobody knows an id.
    let most = MAX_RELAY_HANDSHAKES_PER_NETWORK as usize;
    let mut silent = Vec::new();
    for _ in 0..most + 9 {
        silent.push(TcpStream::connect(hub.relay()[0]).await.unwrap());
    }
    let mut byte = [0];
    let last = silent.last_mut().unwrap();
    assert_eq!(soon("its end", last.read(&mut byte)).await.unwrap_or(0), 0);
    assert!(hub.status().relay.unwrap().refused >= 9);
    hub.shutdown().await.unwrap();
}
