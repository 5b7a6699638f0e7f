//! `find`, and lists of peers.

use std::fs;

use serde_json::Value;

use crate::support::{Events, Home, bytes};

const STRANGER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

/// Starts a command with a list of peers.
fn start(home: &Home, list: &str, arguments: &[&str]) -> Events {
    fs::write(home.work().join("peers"), list).unwrap();
    let mut command = home.command();
    Events::of(command.env("PEERAGE_PEERS", "peers").arg("--json").args(arguments))
}

fn findings(events: &[Value]) -> Vec<&Value> {
    events.iter().filter(|event| event["event"] == "finding").collect()
}

#[test]
fn a_peer_on_a_list_is_found_reached_and_got_from() {
    let (home, other) = (Home::new(), Home::new());
    fs::write(other.work().join("picture.jpg"), bytes(100_000)).unwrap();
    let (_up, address) = other.up();
    let (place, peer) = address.split_once("/p2p/").unwrap();
    let cid = other.ok(&["add", "picture.jpg"]).split(' ').next().unwrap().to_owned();
    let list = format!("# the other home\n{address}\n");

    let (code, events) = start(&home, &list, &["find", peer]).finish();
    assert_eq!(code, Some(0), "{events:?}");
    let found = findings(&events);
    assert_eq!(found.len(), 1, "{events:?}");
    assert_eq!(found[0]["way"], "static");
    assert_eq!(found[0]["outcome"], "new");
    assert_eq!(found[0]["addresses"][0], place);
    assert_eq!(found[0]["suggested"], false);
    assert!(found[0]["milliseconds"].as_f64().unwrap() > 0.0);

    let port = place.rsplit('/').next().unwrap();
    let json = format!("{{ \"{peer}\": \"tcp://127.0.0.1:{port}\" }}");
    let (code, events) = start(&home, &json, &["find", peer]).finish();
    assert_eq!((code, &findings(&events)[0]["addresses"][0]), (Some(0), &place.into()));

    let (code, events) = start(&home, &list, &["find", &cid]).finish();
    assert_eq!((code, &findings(&events)[0]["suggested"]), (Some(0), &Value::Bool(true)));

    let (code, events) = start(&home, &list, &["ping", peer, "--count", "1"]).finish();
    assert_eq!(code, Some(0), "its id alone is enough: {events:?}");
    start(&home, &list, &["get", &cid]).wait_for("got");
    assert!(fs::read(home.work().join(&cid)).unwrap() == bytes(100_000));
}

#[test]
fn the_running_node_looks_by_its_own_ways() {
    let home = Home::new();
    let list = format!("/ip4/127.0.0.1/tcp/1/p2p/{STRANGER}");
    let mut up = start(&home, &list, &["up"]);
    up.wait_for("listening");
    let text = home.ok(&["find", STRANGER]);
    assert!(text.contains("static") && text.contains("/ip4/127.0.0.1/tcp/1"), "{text}");
}

#[test]
fn a_find_that_is_to_wait_hears_of_changes() {
    let home = Home::new();
    let mut find = start(&home, "", &["find", STRANGER, "--wait", "600"]);
    find.wait_for("way_ended");
    fs::write(home.work().join("peers"), format!("/ip4/127.0.0.1/tcp/1/p2p/{STRANGER}")).unwrap();
    assert_eq!(find.wait_for("finding")["way"], "static");
    assert_eq!(find.interrupt().0, Some(130));
}

#[test]
fn what_is_not_found_is_told_apart() {
    let home = Home::new();
    let other = "12D3KooWNu4NTsSxfRv5yRq2Y8Ch2rDSvS3DYtWMAqjWSYd1CpLx";
    let list = format!("/ip4/127.0.0.1/tcp/1/p2p/{other}");
    let (code, events) = start(&home, &list, &["find", STRANGER]).finish();
    assert_eq!(code, Some(6), "{events:?}");
    let (code, events) = start(&home, &list, &["find", "topic:street art"]).finish();
    assert_eq!(code, Some(6), "a list knows no topics: {events:?}");
    let (code, events) = start(&home, "hello", &["find", STRANGER]).finish();
    assert_eq!(code, Some(11));
    assert!(events[0]["cause"].as_str().unwrap().contains("line 1"), "{events:?}");

    for (key, code) in [("nonsense", 3), ("topic:", 3), (STRANGER, 2)] {
        let finished = home.run(&["find", key]);
        assert_eq!(finished.code, Some(code), "{key}: {}", finished.errors);
    }
}
