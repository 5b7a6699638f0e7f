//! The command between homes behind routers, with a hub and nothing else.

use std::fs;

use serde_json::Value;

use crate::{
    peers::{lab::Lab, lab_or_skip},
    support::{Events, Home, PEERAGE, bytes},
};

/// Starts a command in a host of the lab, without discovery on its network.
fn start(lab: &Lab, host: &str, home: &Home, arguments: &[&str]) -> Events {
    let mut command = home.settle(lab.host(host).command(PEERAGE));
    Events::of(command.args(["--json", "--no-discovery", "--no-port-mapping"]).args(arguments))
}

/// Starts a hub; gives what to tell others of it.
fn hub(lab: &Lab, home: &Home) -> (Events, String) {
    let mut hub = start(lab, "relay", home, &["hub"]);
    let addresses = hub.wait_for("hub")["addresses"].as_array().unwrap().clone();
    let texts: Vec<&str> = addresses.iter().filter_map(Value::as_str).collect();
    (hub, texts.join(","))
}

/// Shares in one home and gets in the other; the getter knows the link alone.
fn main_job(dialler: &str, listener: &str) {
    let topology = ["nat", dialler, listener];
    let what = format!("the main job, {dialler}:{listener}");
    let Some(lab) = lab_or_skip(&what, &topology) else { return };
    let (helper, ann, bob) = (Home::new(), Home::new(), Home::new());
    let (_hub, hub) = hub(&lab, &helper);
    fs::write(ann.work().join("picture.jpg"), bytes(3_000_000)).unwrap();
    let mut share = start(&lab, "b", &ann, &["--hub", &hub, "share", "picture.jpg"]);
    let link = share.wait_for("shared")["link"].as_str().unwrap().to_owned();
    let mut get = start(&lab, "a", &bob, &["get", &link]);
    println!("{dialler}:{listener} over {}", get.wait_for("connected")["path"]);
    get.wait_for("got");
    assert!(fs::read(bob.work().join("picture.jpg")).unwrap() == bytes(3_000_000));
}

#[test]
fn the_main_job_works_between_two_homes_with_a_hub_and_nothing_else() {
    main_job("cone", "cone");
}

#[test]
fn it_works_where_no_hole_can_be_punched() {
    main_job("sym", "sym");
}

#[test]
fn it_works_where_udp_is_blocked_or_little_gets_through_at_all() {
    main_job("udpblock", "cone");
    main_job("web", "cone");
}

#[test]
fn a_peer_id_alone_is_enough_and_the_doctor_says_how_it_is_reached() {
    let Some(lab) = lab_or_skip("a peer found by its id", &["nat", "cone", "cone"]) else { return };
    let (helper, ann, bob) = (Home::new(), Home::new(), Home::new());
    let (_hub, hub) = hub(&lab, &helper);
    let mut up = start(&lab, "b", &ann, &["--hub", &hub, "up"]);
    let peer = up.wait_for("listening")["peer"].as_str().unwrap().to_owned();
    let mut found = start(&lab, "a", &bob, &["--hub", &hub, "find", &peer, "--wait", "30"]);
    let finding = found.wait_until("finding", |event| event["way"] == "tracker");
    assert_eq!(finding["peer"], peer.as_str());
    drop(found);
    let mut ping = start(&lab, "a", &bob, &["--hub", &hub, "ping", &peer, "--count", "1"]);
    ping.wait_for("pong");
    let (code, events) = start(&lab, "a", &bob, &["--hub", &hub, "doctor"]).finish();
    assert_eq!(code, Some(0), "{events:?}");
    let of = |topic: &str| events.iter().find(|event| event["topic"] == topic).unwrap();
    assert_eq!(of("hubs")["standing"], "good", "{events:?}");
    assert_eq!(of("udp")["standing"], "good", "{events:?}");
    assert_eq!(of("clock")["standing"], "good", "{events:?}");
    assert!(of("nat")["text"].as_str().unwrap().contains("44.128.7."), "{events:?}");
}
