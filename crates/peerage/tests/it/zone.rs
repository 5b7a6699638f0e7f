//! The zone of a hub: asked by dig and by our own way, on loopback.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use peerage::discovery::{
    Dns, DnsConfig, Finding, Key, LivePeers, Presence, Scope, SignedPeerRecord, Way, WayError,
    ZoneConfig, ZoneError, ZoneServer,
};
use peerage::limits::{MAX_DNS_UDP_BYTES, MAX_ZONE_CONNECTIONS, ZONE_QUESTION_BURST};
use peerage::{Multiaddr, PeerId};
use peerage_core::discovery::zone;
use peerage_core::identity::{KeyKind, generate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::{skip, soon};

const ZONE: &str = "peers.example.org";

#[derive(Default)]
struct Registry(Mutex<Vec<SignedPeerRecord>>);

impl LivePeers for Registry {
    fn live(&self) -> Vec<SignedPeerRecord> {
        self.0.lock().unwrap().clone()
    }

    fn record(&self, peer: &PeerId) -> Option<SignedPeerRecord> {
        self.0.lock().unwrap().iter().find(|record| record.peer() == *peer).cloned()
    }
}

fn record(seed: u8, addresses: &[String]) -> SignedPeerRecord {
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    SignedPeerRecord::sign(&generate(KeyKind::Ed25519, [seed; 32].into()), 1, addresses).unwrap()
}

fn peer(seed: u8) -> PeerId {
    record(seed, &[]).peer()
}

/// Peers 0 to `count`, each with an address of its own of every kind.
fn peers(count: u8) -> Vec<SignedPeerRecord> {
    let addresses = |seed: u8| {
        [
            format!("/ip4/8.8.8.{seed}/udp/4001/quic-v1"),
            format!("/ip6/2600::{seed:x}/tcp/4001"),
            format!("/ip4/192.168.0.{seed}/tcp/4001"),
        ]
    };
    (0..count).map(|seed| record(seed, &addresses(seed))).collect()
}

async fn serve(peers: Vec<SignedPeerRecord>) -> ZoneServer {
    let mut config = ZoneConfig::new(ZONE, "hub.example.org");
    config.listen = vec!["127.0.0.1:0".parse().unwrap()];
    ZoneServer::start(&config, Arc::new(Registry(Mutex::new(peers)))).await.unwrap()
}

/// What dig prints for a question; `None` where there is no dig.
async fn dig(server: &ZoneServer, question: &[&str]) -> Option<String> {
    let mut command = Command::new("dig");
    let port = server.addresses()[0].port().to_string();
    command.args(["@127.0.0.1", "-p", &port, "+norecurse", "+nocookie", "+tries=2", "+time=10"]);
    command.args(question);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let Ok(output) = output else {
        skip("dig asks the zone", "dig (Debian's bind9-dnsutils) is not on the PATH");
        return None;
    };
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("WARNING") && !said.contains("malformed"), "{said}");
    Some(said)
}

/// The data of the answers that dig prints in short.
fn lines(said: &str) -> BTreeSet<String> {
    said.lines().map(|line| line.trim_matches('"').to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dig_reads_the_peers_of_the_zone() {
    let server = serve(peers(20)).await;
    let list = zone::list_name(ZONE);
    let mut listed = BTreeSet::new();
    for carrier in ["+notcp", "+tcp", "+notcp", "+tcp", "+notcp", "+tcp"] {
        let Some(said) = dig(&server, &["+short", carrier, "TXT", &list]).await else { return };
        let texts = lines(&said);
        assert!((8..=16).contains(&texts.len()) && texts.iter().all(|t| !t.contains("192.168")));
        listed.extend(texts);
    }
    assert!(listed.len() > 16, "others each time: {listed:?}");

    let own = zone::peer_name(&peer(7), ZONE).unwrap();
    let texts = lines(&dig(&server, &["+short", "TXT", &own]).await.unwrap());
    let expected = [
        format!("dnsaddr=/ip4/8.8.8.7/udp/4001/quic-v1/p2p/{}", peer(7)),
        format!("dnsaddr=/ip6/2600::7/tcp/4001/p2p/{}", peer(7)),
    ];
    assert_eq!(texts, expected.into());

    let hosts = lines(&dig(&server, &["+short", "A", ZONE]).await.unwrap());
    assert!(hosts.len() == 8 && hosts.iter().all(|host| host.starts_with("8.8.8.")), "{hosts:?}");
    assert_ne!(hosts, lines(&dig(&server, &["+short", "A", ZONE]).await.unwrap()));
    let hosts = lines(&dig(&server, &["+short", "AAAA", ZONE]).await.unwrap());
    assert!(hosts.len() == 8 && hosts.iter().all(|host| host.starts_with("2600:")), "{hosts:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dig_is_told_what_is_not_there_and_what_is_not_ours() {
    let server = serve(peers(2)).await;
    let soa = "hub.example.org. hostmaster.peers.example.org. 1 3600 600 86400 10";
    let Some(said) = dig(&server, &["+short", "SOA", ZONE]).await else { return };
    assert_eq!(said.trim(), soa);
    let said = dig(&server, &["+short", "NS", ZONE]).await.unwrap();
    assert_eq!(said.trim(), "hub.example.org.");

    let below = |name: &str| format!("{name}.{ZONE}");
    let (there, gone) = (zone::peer_name(&peer(1), ZONE).unwrap(), zone::peer_name(&peer(9), ZONE));
    let label = below(&zone::label(&peer(1)).unwrap());
    for (question, status, authority) in [
        (vec!["A", "www.peers.example.org"], "NXDOMAIN", true),
        (vec!["TXT", gone.as_deref().unwrap()], "NXDOMAIN", true),
        (vec!["TXT", "www.example.org"], "REFUSED", false),
        (vec!["A", "example.org"], "REFUSED", false),
        (vec!["CH", "TXT", "version.bind"], "REFUSED", false),
        (vec!["MX", ZONE], "NOERROR", true),
        (vec!["A", there.as_str()], "NOERROR", true),
        (vec!["TXT", label.as_str()], "NOERROR", true),
        (vec!["+opcode=NOTIFY", "SOA", ZONE], "NOTIMP", false),
        (vec!["+edns=1", "+noednsnegotiation", "SOA", ZONE], "BADVERS", false),
    ] {
        let said = dig(&server, &question).await.unwrap();
        assert!(said.contains(&format!("status: {status}")), "{question:?}: {said}");
        assert!(said.contains("ANSWER: 0"), "{question:?}: {said}");
        assert_eq!(said.contains(soa), authority, "{question:?}: {said}");
        assert!(!said.contains(" ra;"), "no recursion: {said}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_fit_udp_comes_whole_over_tcp() {
    let addresses: Vec<String> =
        (0..16).map(|n| format!("/dns4/{}{n}.example/tcp/1", "a".repeat(60))).collect();
    let server = serve(vec![record(1, &addresses)]).await;
    let name = zone::peer_name(&peer(1), ZONE).unwrap();
    let Some(cut) = dig(&server, &["+ignore", "+bufsize=4096", "TXT", &name]).await else { return };
    assert!(cut.contains("flags: qr aa tc"), "{cut}");
    let size = cut.lines().find_map(|line| line.split("MSG SIZE  rcvd: ").nth(1)).unwrap();
    assert!(size.trim().parse::<usize>().unwrap() <= MAX_DNS_UDP_BYTES, "{size}");
    let plain = dig(&server, &["+ignore", "+noedns", "TXT", &name]).await.unwrap();
    assert!(plain.contains("flags: qr aa tc"), "{plain}");
    let whole = dig(&server, &["+short", "TXT", &name]).await.unwrap();
    assert_eq!(lines(&whole).len(), 16, "dig asks again over TCP: {whole}");

    let list = dig(&server, &["+noedns", "+notcp", "TXT", &zone::list_name(ZONE)]).await.unwrap();
    assert!(list.contains("flags: qr aa;"), "of a list any part is whole: {list}");
    server.stop().await;
}

fn question(id: u16, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = id;
    message.add_query(Query::query(Name::from_ascii("peers.example.org.").unwrap(), kind));
    message.to_vec().unwrap()
}

async fn asking(server: &ZoneServer) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.addresses()[0]).await.unwrap();
    socket
}

async fn answer(socket: &UdpSocket) -> Message {
    let mut buffer = [0; 4096];
    let length = soon("an answer", socket.recv(&mut buffer)).await.unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_passed_over_and_a_flood_is_sent_to_tcp() {
    let server = serve(peers(1)).await;
    let socket = asking(&server).await;
    let mut response = question(1, RecordType::SOA);
    response[2] |= 0x80;
    for garbage in [&b"\0"[..], &[0xff; 11], &response, &[0; MAX_DNS_UDP_BYTES + 1], &[0; 4000]] {
        socket.send(garbage).await.unwrap();
    }
    socket.send(&[&question(2, RecordType::SOA)[..14], &[0xc0; 9]].concat()).await.unwrap();
    let wrong = answer(&socket).await;
    assert_eq!((wrong.metadata.id, wrong.metadata.response_code), (2, ResponseCode::FormErr));

    // It ends long before, unless one question takes as long as the rate has it.
    let mut cut = false;
    for id in 0..u16::try_from(100 * ZONE_QUESTION_BURST).unwrap() {
        socket.send(&question(id, RecordType::SOA)).await.unwrap();
        let answer = answer(&socket).await;
        assert_eq!(answer.metadata.id, id);
        assert_eq!(answer.metadata.truncation, answer.answers.is_empty());
        cut = answer.metadata.truncation;
        if cut {
            break;
        }
    }
    assert!(cut, "the rate is limited");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_few_and_serve_several_questions() {
    let server = serve(peers(1)).await;
    let place = server.addresses()[0];
    let mut stream = TcpStream::connect(place).await.unwrap();
    for id in [1, 2] {
        let asked = question(id, RecordType::NS);
        stream.write_u16(u16::try_from(asked.len()).unwrap()).await.unwrap();
        stream.write_all(&asked).await.unwrap();
        let mut said = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(Message::from_vec(&said).unwrap().metadata.id, id);
    }
    let mut held = Vec::new();
    for _ in 0..MAX_ZONE_CONNECTIONS {
        held.push(TcpStream::connect(place).await.unwrap());
    }
    let mut refused = held.pop().unwrap();
    let end = soon("the end of one too many", refused.read(&mut [0; 1])).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    server.stop().await;
}

fn dns(server: SocketAddr) -> Dns {
    let config = DnsConfig { zones: vec![ZONE.to_owned()], name_servers: vec![server] };
    Dns::new(&config).unwrap()
}

async fn look_up(dns: &Dns, key: &Key) -> Vec<Result<Finding, WayError>> {
    soon("the end of a look-up", dns.look_up(key).collect()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_way_finds_a_peer_by_its_own_name_and_no_other() {
    let server = serve(peers(20)).await;
    let place = server.addresses()[0];
    let dns = dns(place);
    let found = look_up(&dns, &Key::Peer(peer(7))).await;
    let addresses: BTreeSet<Multiaddr> =
        found.into_iter().flat_map(|finding| finding.unwrap().addresses).collect();
    let expected: [Multiaddr; 2] = [
        "/ip4/8.8.8.7/udp/4001/quic-v1".parse().unwrap(),
        "/ip6/2600::7/tcp/4001".parse().unwrap(),
    ];
    assert_eq!(addresses, expected.into());
    assert_eq!(look_up(&dns, &Key::Peer(peer(99))).await, []);

    let topic: Key = "topic:lisbon street art".parse().unwrap();
    assert_eq!(look_up(&dns, &topic).await, [Err(WayError::Unsupported)]);
    let presence = Presence { record: record(1, &[]), keys: Vec::new() };
    assert_eq!(dns.announce(&presence).await, Err(WayError::Unsupported));
    server.stop().await;
    let gone = look_up(&self::dns(place), &Key::Peer(peer(7))).await;
    assert!(matches!(gone[..], [Err(_)]), "{gone:?}");
}

/// A name server that says what `answer` makes of a question.
async fn liar(
    answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let place = socket.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            for said in answer(&buffer[..length]) {
                let _ = socket.send_to(&said, from).await;
            }
        }
    });
    (place, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_from_a_name_server_is_no_answer() {
    let (place, task) = liar(|asked| {
        let mut damaged = asked.to_vec();
        damaged[2] |= 0x80;
        damaged[7] = 9;
        vec![vec![0; 3], vec![0xff; 500], asked.to_vec(), damaged]
    })
    .await;
    let found = look_up(&dns(place), &Key::Peer(peer(1))).await;
    assert!(matches!(found[..], [Err(_)]), "{found:?}");
    task.abort();
    let _ = task.await;
}

/// Texts for whatever is asked: names that lead on for ever, another peer's
/// addresses, and one that is right.
fn endless_texts(asked: &[u8]) -> Vec<Vec<u8>> {
    let request = Message::from_vec(asked).unwrap();
    let query = request.queries[0].clone();
    let mut response = Message::response(request.metadata.id, OpCode::Query);
    let further = (0..20).map(|n| {
        let first = query.name().iter().nth(1).unwrap();
        format!("dnsaddr=/dnsaddr/{n}{}.example.net", String::from_utf8_lossy(&first[..1]))
    });
    let texts = [
        format!("dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/{}", peer(1)),
        format!("dnsaddr=/ip4/192.0.2.2/tcp/1/p2p/{}", peer(2)),
        "dnsaddr=/ip4/\u{7}".to_owned(),
    ];
    let name = query.name().clone();
    response.add_query(query.clone());
    response.add_answers(
        further
            .chain(texts)
            .map(|text| Record::from_rdata(name.clone(), 60, RData::TXT(TXT::new(vec![text])))),
    );
    vec![response.to_vec().unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_without_end_and_others_addresses_do_not_count() {
    let (place, task) = liar(endless_texts).await;
    let found = look_up(&dns(place), &Key::Peer(peer(1))).await;
    let address: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
    let expected = Finding { peer: peer(1), addresses: vec![address], record: None };
    assert_eq!(found, [Ok(expected)]);
    task.abort();
    let _ = task.await;
}

#[tokio::test]
async fn wrong_settings_are_refused_with_the_reason() {
    let nobody = || Arc::new(Registry::default());
    for (zone, server) in
        [("", "hub.example.org"), ("peers..org", "hub.example.org"), (ZONE, "a b")]
    {
        let config = ZoneConfig::new(zone, server);
        let refused = ZoneServer::start(&config, nobody()).await;
        assert!(matches!(refused, Err(ZoneError::Name(_))), "{zone:?} {server:?}");
    }
    let mut config = ZoneConfig::new(ZONE, "hub.example.org");
    assert_eq!((config.ttl, config.scope), (Duration::from_secs(60), Scope::Relayed));
    config.name_servers.clear();
    let refused = ZoneServer::start(&config, nobody()).await;
    assert!(matches!(refused, Err(ZoneError::NoNameServer)));
    let config = DnsConfig { zones: vec!["a..b".to_owned()], ..DnsConfig::default() };
    assert!(Dns::new(&config).is_err());
}
