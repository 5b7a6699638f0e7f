//! Discovery on local networks of its own.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId, identity::Keypair};
use peerage::discovery::{
    Announcement, Event, Events, Interfaces, LanConfig, LanDiscovery, LanStatus, NearbyPeer, Ports,
};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
};

use crate::support::{
    Process,
    avahi::Avahi,
    lan::{CABLE, Host, Lan},
    soon,
};

fn announcement(seed: u8) -> Announcement {
    let key = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    let mut announcement = Announcement::new(key.public().to_peer_id(), &format!("device {seed}"));
    announcement.ports = Ports { quic: Some(4001), tcp: Some(4002), websocket: Some(4003) };
    announcement
}

fn peer_id(seed: u8) -> PeerId {
    announcement(seed).peer_id
}

async fn start(host: &Host, config: LanConfig) -> LanDiscovery {
    host.run(async { LanDiscovery::start(config) }).await.unwrap()
}

async fn announce(host: &Host, seed: u8) -> LanDiscovery {
    start(host, LanConfig { announce: Some(announcement(seed)), ..LanConfig::default() }).await
}

async fn lost(events: &mut Events, seed: u8) {
    let lost = async {
        loop {
            match events.next().await.expect("discovery runs") {
                Event::Lost(peer) if peer.peer_id == peer_id(seed) => return,
                _ => {}
            }
        }
    };
    soon("a peer to be lost", lost).await;
}

/// Waits until a peer is nearby that is as wanted. `events` was subscribed to
/// before what brings it about.
async fn nearby_that(
    discovery: &LanDiscovery,
    events: &mut Events,
    what: &str,
    wanted: impl Fn(&NearbyPeer) -> bool,
) -> NearbyPeer {
    let wait = async {
        loop {
            if let Some(peer) = discovery.nearby().into_iter().find(&wanted) {
                return peer;
            }
            events.next().await.expect("discovery runs");
        }
    };
    soon(what, wait).await
}

/// Waits until a peer is nearby at a host's address.
async fn found_at(
    discovery: &LanDiscovery,
    events: &mut Events,
    seed: u8,
    host: &Host,
) -> NearbyPeer {
    let quic = address(&format!("/ip4/{}/udp/4001/quic-v1", host.ipv4()));
    let wanted =
        |peer: &NearbyPeer| peer.peer_id == peer_id(seed) && peer.addresses.contains(&quic);
    nearby_that(discovery, events, "a peer at its address", wanted).await
}

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

async fn status(discovery: &LanDiscovery, wanted: &LanStatus) {
    let mut status = discovery.watch_status();
    soon("a change of status", status.wait_for(|now| now == wanted)).await.unwrap();
}

#[tokio::test]
async fn two_nodes_see_each_other_until_one_says_goodbye() {
    let Some(lan) = Lan::new("two nodes on a network", 2) else { return };
    let one = announce(&lan.hosts[0], 1).await;
    let two = announce(&lan.hosts[1], 2).await;
    let (mut to_one, mut to_two) = (one.subscribe(), two.subscribe());

    let second = found_at(&one, &mut to_one, 2, &lan.hosts[1]).await;
    let first = found_at(&two, &mut to_two, 1, &lan.hosts[0]).await;

    assert_eq!((first.name.as_str(), second.name.as_str()), ("device 1", "device 2"));
    assert_eq!(first.os, std::env::consts::OS);
    assert_eq!(first.version, env!("CARGO_PKG_VERSION"));
    let addresses = first.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    let host = lan.hosts[0].ipv4();
    for rest in ["udp/4001/quic-v1", "tcp/4002", "tcp/4003/ws"] {
        assert!(addresses.contains(&format!("/ip4/{host}/{rest}")), "{addresses:?}");
    }
    assert!(addresses.iter().all(|address| !address.contains("fe80")), "{addresses:?}");
    assert!(one.nearby().iter().all(|peer| peer.peer_id != peer_id(1)), "not itself");
    assert_eq!(one.status(), LanStatus::Active([CABLE.to_owned()].into()));

    let goodbye = Instant::now();
    two.stop().await;
    lost(&mut to_one, 2).await;
    println!("withdrawn {} ms after stop began", goodbye.elapsed().as_millis());
    assert_eq!(one.nearby(), []);
    one.stop().await;
    assert_eq!(to_one.next().await, None);
}

#[tokio::test]
async fn a_node_that_restarts_at_once_is_found_again() {
    let Some(lan) = Lan::new("a node that restarts at once", 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    let two = announce(second, 2).await;
    let mut events = two.subscribe();
    for port in 5001..5004 {
        let mut announcement = announcement(1);
        announcement.ports = Ports { tcp: Some(port), ..Ports::default() };
        let config = LanConfig { announce: Some(announcement), ..LanConfig::default() };
        let one = start(first, config).await;
        let tcp = address(&format!("/ip4/{}/tcp/{port}", first.ipv4()));
        nearby_that(&two, &mut events, "the restarted node", |it| it.addresses.contains(&tcp))
            .await;
        one.stop().await;
    }
}

#[tokio::test]
async fn a_dropped_handle_says_goodbye_as_well() {
    let Some(lan) = Lan::new("a dropped handle", 2) else { return };
    let one = announce(&lan.hosts[0], 1).await;
    let two = announce(&lan.hosts[1], 2).await;
    let mut events = one.subscribe();
    found_at(&one, &mut events, 2, &lan.hosts[1]).await;

    drop(two);
    lost(&mut events, 2).await;
}

#[tokio::test]
async fn a_peer_is_found_again_when_an_interface_returns() {
    let Some(lan) = Lan::new("an interface that goes and returns", 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    let one = announce(first, 1).await;
    let two = announce(second, 2).await;
    let (mut to_one, mut to_two) = (one.subscribe(), two.subscribe());
    found_at(&one, &mut to_one, 2, second).await;
    found_at(&two, &mut to_two, 1, first).await;

    first.set_up(false);
    lost(&mut to_one, 2).await;
    status(&one, &LanStatus::NoInterface).await;

    first.set_up(true);
    let returned = Instant::now();
    found_at(&one, &mut to_one, 2, second).await;
    println!("found again {} ms after the interface returned", returned.elapsed().as_millis());
    status(&one, &LanStatus::Active([CABLE.to_owned()].into())).await;
    found_at(&two, &mut to_two, 1, first).await;
}

#[tokio::test]
async fn a_node_that_starts_without_a_network_is_found_once_there_is_one() {
    let Some(lan) = Lan::new("a start without a network", 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    first.set_up(false);
    let one = announce(first, 1).await;
    status(&one, &LanStatus::NoInterface).await;

    let two = announce(second, 2).await;
    let mut events = two.subscribe();
    first.set_up(true);
    found_at(&two, &mut events, 1, first).await;
}

#[tokio::test]
async fn a_new_address_replaces_the_old_one() {
    let Some(lan) = Lan::new("a host that changes its address", 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    let one = announce(first, 1).await;
    let two = announce(second, 2).await;
    let mut events = two.subscribe();
    found_at(&two, &mut events, 1, first).await;

    first.change_ipv4(first.ipv4(), [10, 9, 0, 77].into());
    let (here, gone) = ("/ip4/10.9.0.77/tcp/4002", format!("/ip4/{}/tcp/4002", first.ipv4()));
    let (here, gone) = (address(here), address(&gone));
    let moved =
        |peer: &NearbyPeer| peer.addresses.contains(&here) && !peer.addresses.contains(&gone);
    nearby_that(&two, &mut events, "the new address", moved).await;
    one.stop().await;
}

#[tokio::test]
async fn an_announcement_can_change_and_end_while_discovery_goes_on() {
    let Some(lan) = Lan::new("a changed announcement", 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    let one = announce(first, 1).await;
    let two = start(second, LanConfig::default()).await;
    let mut events = two.subscribe();
    found_at(&two, &mut events, 1, first).await;

    one.announce(Some(Announcement { name: "renamed".to_owned(), ..announcement(1) }));
    nearby_that(&two, &mut events, "the new name", |peer| peer.name == "renamed").await;
    one.announce(None);
    let gone = async {
        while !two.nearby().is_empty() {
            events.next().await;
        }
    };
    soon("nobody to be announced", gone).await;
    assert_eq!(one.nearby(), [], "the other only looks around");
}

#[tokio::test]
async fn nodes_on_one_machine_find_each_other_over_loopback_when_asked_to() {
    let Some(lan) = Lan::new("discovery over loopback", 1) else { return };
    let host = &lan.hosts[0];
    host.set_up(false);
    let loopback = |seed| LanConfig {
        announce: Some(announcement(seed)),
        interfaces: Interfaces::Named(["lo".to_owned()].into()),
    };
    let one = start(host, loopback(1)).await;
    let two = start(host, loopback(2)).await;
    let mut events = one.subscribe();

    let local = address("/ip4/127.0.0.1/udp/4001/quic-v1");
    let wanted = |peer: &NearbyPeer| peer.peer_id == peer_id(2) && peer.addresses.contains(&local);
    nearby_that(&one, &mut events, "the other node on this machine", wanted).await;
    two.stop().await;
    lost(&mut events, 2).await;
}

#[tokio::test]
async fn stopping_leaves_no_thread_and_no_socket() {
    let Some(lan) = Lan::new("the end of discovery", 1) else { return };
    let host = &lan.hosts[0];
    let discovery = announce(host, 1).await;
    status(&discovery, &LanStatus::Active([CABLE.to_owned()].into())).await;
    let running = async {
        while host.run(async { remains() }).await.1 == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the sockets to be opened", running).await;

    discovery.stop().await;
    let (threads, sockets) = host.run(async { remains() }).await;
    assert_eq!(sockets, 0, "right after stop");
    let ended = async {
        while host.run(async { remains() }).await.0 > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the thread to exit", ended).await;
    println!("{threads} threads were still exiting right after stop");
}

/// The responder's threads in the network namespace of the calling thread, and
/// its sockets on port 5353.
fn remains() -> (usize, usize) {
    let here = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let is_here = |task: &Path| {
        let responder =
            fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "mDNS_daemon\n");
        responder && fs::read_link(task.join("ns/net")).is_ok_and(|there| there == here)
    };
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let threads = threads.filter(|task| is_here(&task.path())).count();
    let tables =
        ["udp", "udp6"].map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")));
    let sockets = tables.iter().flatten().flat_map(|table| table.lines());
    (threads, sockets.filter(|line| line.contains(":14E9 ")).count())
}

#[tokio::test]
async fn avahi_sees_a_node_with_its_port_and_text() {
    let test = "avahi as browser";
    let Some(lan) = Lan::new(test, 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    let Some(avahi) = Avahi::start(test, second) else { return };
    let ours = announcement(1);
    let node = announce(first, 1).await;

    let mut browse = avahi.command("avahi-browse");
    browse.args(["--resolve", "--parsable", "--no-db-lookup", "_peerage._udp"]);
    let (_browser, mut lines) = reader(browse);
    let resolved = line_with(&mut lines, "=;eth0;IPv4;").await;
    println!("avahi-browse: {resolved}");

    let fields: Vec<_> = resolved.split(';').collect();
    assert_eq!(unescape(fields[3]), ours.instance_name());
    assert_eq!(fields[4..6], ["_peerage._udp", "local"]);
    assert_eq!(fields[6], ours.host_name().trim_end_matches('.'));
    assert_eq!(fields[8], "4001");
    for (key, value) in ours.to_txt() {
        assert!(fields[9].contains(&format!("\"{key}={value}\"")), "{key} in {}", fields[9]);
    }

    node.stop().await;
    line_with(&mut lines, "-;eth0;IPv4;").await;
}

#[tokio::test]
async fn a_service_that_avahi_publishes_is_found() {
    let test = "avahi as publisher";
    let Some(lan) = Lan::new(test, 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    let Some(avahi) = Avahi::start(test, second) else { return };
    let id = format!("id={}", peer_id(2));
    let mut publish = avahi.command("avahi-publish");
    publish.args(["--service", "By avahi; or so.", "_peerage._udp", "4001"]);
    publish.args([&id, "name=a \u{1b}[31mprinter", "os=plan9", "version=9", "tcp=4002"]);
    let published = Process::start(publish.stdout(Stdio::null()).stderr(Stdio::null()));
    let mut stranger = avahi.command("avahi-publish");
    stranger.args(["--service", "No peer", "_peerage._udp", "4001", "id=nobody"]);
    let _stranger = Process::start(stranger.stdout(Stdio::null()).stderr(Stdio::null()));

    let node = announce(first, 1).await;
    let mut events = node.subscribe();
    let tcp = address(&format!("/ip4/{}/tcp/4002", second.ipv4()));
    let wanted = |peer: &NearbyPeer| peer.peer_id == peer_id(2) && peer.addresses.contains(&tcp);
    let peer = nearby_that(&node, &mut events, "what avahi published", wanted).await;
    assert_eq!((peer.name.as_str(), peer.os.as_str()), ("a \u{1b}[31mprinter", "plan9"));
    assert_eq!(peer.version, "9");
    assert!(peer.addresses.iter().all(|address| address.to_string().ends_with("/tcp/4002")));

    drop(published);
    lost(&mut events, 2).await;
    assert_eq!(node.nearby(), [], "and the one that is no peer was never there");
}

/// Starts a process and reads what it prints.
fn reader(command: Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = tokio::process::Command::from(command);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, start: &str) -> String {
    let line = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the process runs");
            if line.starts_with(start) {
                return line;
            }
        }
    };
    soon(start, line).await
}

/// Undoes avahi-browse's `\DDD` for bytes that are no letters or digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(3);
        plain.push(code.parse().unwrap());
        plain.extend(rest.as_bytes());
    }
    String::from_utf8(plain).unwrap()
}

#[tokio::test]
async fn a_flood_of_announcements_is_shed_and_the_honest_found_again() {
    let Some(lan) = Lan::new("a flood of announcements", 3) else { return };
    let [first, second, flooder] = lan.hosts.as_slice() else { panic!("three hosts") };
    let one = announce(first, 1).await;
    let mut events = one.subscribe();
    let two = announce(second, 2).await;
    found_at(&one, &mut events, 2, second).await;

    let mut failed = one.watch_status();
    let from = flooder.ipv4();
    // Again and again, since the kernel drops what comes faster than it is read.
    let noticed = Arc::new(AtomicBool::new(false));
    let is_noticed = Arc::clone(&noticed);
    let flooding = flooder.run(async move {
        let socket = flooding_from(from);
        (0..1000).take_while(|_| !is_noticed.load(Ordering::Relaxed)).for_each(|_| flood(&socket));
    });
    let noticing = async {
        let failed = failed.wait_for(|status| matches!(status, LanStatus::Failed(_)));
        let reason = format!("{:?}", *soon("the flood to be noticed", failed).await.unwrap());
        noticed.store(true, Ordering::Relaxed);
        reason
    };
    let (_, reason) = tokio::join!(flooding, noticing);
    assert!(reason.contains("floods the network"), "{reason}");

    found_at(&one, &mut events, 2, second).await;
    assert!(one.nearby().iter().all(|peer| peer.peer_id == peer_id(2)), "{:?}", one.nearby());
    two.stop().await;
    lost(&mut events, 2).await;
    one.stop().await;
}

fn flooding_from(from: Ipv4Addr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 5353)).into()).unwrap();
    socket.set_multicast_if_v4(&from).unwrap();
    socket
}

/// Sends 20,000 invented services, and bytes that are no DNS message at all.
fn flood(socket: &Socket) {
    let everybody = SocketAddr::from(([224, 0, 0, 251], 5353)).into();
    let send = |packet: &[u8]| socket.send_to(packet, &everybody).unwrap();
    for packet in 0..1000_u32 {
        send(&invented(packet, 20));
        let noise: Vec<u8> =
            (0..packet).map(|n| (n.wrapping_mul(packet) >> 3).to_le_bytes()[0]).collect();
        send(&noise);
        send(&invented(packet, 20)[..packet as usize % 400]);
    }
}

/// A DNS response with pointers to services that do not exist.
fn invented(packet: u32, count: u16) -> Vec<u8> {
    let service = b"\x08_peerage\x04_udp\x05local\x00";
    let mut message = [0, 0, 0x84, 0, 0, 0].to_vec();
    message.extend(count.to_be_bytes());
    message.extend([0; 4]);
    for number in 0..count {
        let name = format!("{packet:06}-{number:04}");
        message.extend(service);
        message.extend(b"\x00\x0c\x00\x01\x00\x00\x11\x94"); // PTR, IN, 4500 s
        let length = u16::try_from(1 + name.len() + service.len()).unwrap();
        message.extend(length.to_be_bytes());
        message.push(name.len().try_into().unwrap());
        message.extend(name.as_bytes());
        message.extend(service);
    }
    message
}

/// A measurement, not a test: `cargo test -p peerage --test it -- --ignored
/// --nocapture time_to_find`.
#[tokio::test]
#[ignore = "measures"]
async fn the_time_to_find_a_peer() {
    let Some(lan) = Lan::new("the time to find a peer", 2) else { return };
    let [first, second] = lan.hosts.as_slice() else { panic!("two hosts") };
    let there = announce(first, 1).await;
    let mut times = Vec::new();
    for _ in 0..11 {
        // A responder says nothing twice within a second (RFC 6762, section 6).
        tokio::time::sleep(Duration::from_secs(2)).await;
        let began = Instant::now();
        let searcher = start(second, LanConfig::default()).await;
        let starting = began.elapsed();
        let mut events = searcher.subscribe();
        found_at(&searcher, &mut events, 1, first).await;
        times.push((began.elapsed(), starting));
        searcher.stop().await;
    }
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let ((median, starting), (worst, _)) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "found after {:.0} ms (median of {}; worst {:.0} ms); start took {:.2} ms",
        milliseconds(median),
        times.len(),
        milliseconds(worst),
        milliseconds(starting),
    );
    there.stop().await;
}
