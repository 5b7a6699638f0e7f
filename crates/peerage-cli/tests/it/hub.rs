//! `peerage hub`, as a process.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

use peerage::{
    discovery::{Presence, SignedPeerRecord, Way as _, tracker::Tracker},
    node::Node,
    presets,
    routing::PeerAddresses,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Events, Home};

const CONTRIB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/hub.toml");

/// Everything on the loopback interface, at ports that the system chooses.
const LOOPBACK: &str = "
listen = ['127.0.0.1']
metrics = '127.0.0.1:0'
[ports]
peers = 0
websocket = 0
relay = 0
address_discovery = 0
";

/// Settings in a file.
fn settings(home: &Home, text: &str) -> String {
    let file = home.work().join("hub.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn start(home: &Home) -> (Events, Value) {
    let mut hub = home.start(&["hub", "--config", &settings(home, LOOPBACK)]);
    let line = hub.wait_for("hub");
    (hub, line)
}

/// Announces a peer to the tracker of a hub.
fn announce(hub: &Value) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = presets::loopback();
        let (key, node) = (config.keypair.clone(), Node::spawn(config).await.unwrap());
        let addresses = hub["addresses"].as_array().unwrap().iter();
        let addresses = addresses.map(|text| text.as_str().unwrap().parse().unwrap()).collect();
        let peer = hub["peer"].as_str().unwrap().parse().unwrap();
        let tracker = Tracker::new(&node, &key, vec![PeerAddresses { peer, addresses }]);
        let record = SignedPeerRecord::sign(&key, 1, node.listen_addresses()).unwrap();
        tracker.announce(&Presence { record, keys: Vec::new() }).await.unwrap();
        node.shutdown().await;
    });
}

/// How many peers the registry of a hub has, as its metrics say.
fn registered(hub: &Value) -> String {
    let mut stream = TcpStream::connect(hub["metrics"].as_str().unwrap()).unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix("peerage_registry_peers "));
    line.unwrap().to_owned()
}

#[test]
fn a_hub_ends_in_order_and_goes_on_with_its_registry() {
    let (home, other) = (Home::new(), Home::new());
    let (hub, line) = start(&home);
    let address = line["addresses"][0].as_str().unwrap();
    let peer = line["peer"].as_str().unwrap();
    assert!(address.starts_with("/ip4/127.0.0.1/tcp/") && address.ends_with(peer), "{line}");
    assert_eq!(line["relay"].as_array().unwrap().len(), 1);
    assert!(other.ok(&["ping", address, "--count", "1"]).contains(peer));
    assert_eq!(registered(&line), "0");
    announce(&line);
    assert_eq!(registered(&line), "1");

    hub.signal(Signal::TERM);
    assert_eq!(hub.finish().0, Some(0), "a signal is how a hub ends");
    let (hub, again) = start(&home);
    assert_eq!(again["peer"], line["peer"]);
    assert_eq!(registered(&again), "1");
    assert_eq!(hub.interrupt().0, Some(0));
}

#[test]
fn a_home_runs_one_hub() {
    let home = Home::new();
    let (_hub, _) = start(&home);
    let second = home.run(&["hub", "--config", &settings(&home, LOOPBACK)]);
    assert_eq!(second.code, Some(9), "{}", second.errors);
}

#[test]
fn the_settings_that_are_printed_and_those_of_contrib_are_read() {
    let home = Home::new();
    let printed = home.ok(&["hub", "--print-config"]);
    for text in [&printed, &fs::read_to_string(Path::new(CONTRIB)).unwrap()] {
        // An address that is nobody's here: it is read, and then not listened on.
        let text = format!("listen = ['192.0.2.1']\n{}", without_listen(text));
        let finished = home.run(&["hub", "--config", &settings(&home, &text)]);
        assert_eq!(finished.code, Some(8), "{}", finished.errors);
    }
}

/// The lines but for the list of addresses at the top.
fn without_listen(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("listen = [\"0.0.0.0\", \"::\"]"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn mistakes_in_the_settings_are_told_with_what_to_do() {
    let home = Home::new();
    for (text, part) in [
        ("[ports]\nrelay = \"of\"", "line 2"),
        ("clients = 1", "unknown field"),
        ("boot_nodes = ['/ip4/192.0.2.1/tcp/1']\nlisten = ['127.0.0.1']", "/p2p/PEER"),
    ] {
        let text = format!("{text}\n");
        let finished = home.run(&["hub", "--config", &settings(&home, &text)]);
        assert_eq!(finished.code, Some(2), "{text}: {}", finished.errors);
        assert!(finished.errors.contains(part), "{text}: {}", finished.errors);
        assert!(finished.errors.contains("hint: "), "{}", finished.errors);
    }
    assert_eq!(home.run(&["hub", "--config", "nowhere.toml"]).code, Some(11));
}
