//! The command on a local network.

use std::fs;

use crate::{
    peers::lan::{Host, Lan},
    support::{Events, Home, PEERAGE, bytes},
};

/// Starts a command on a host, which finds others by discovery alone.
fn start(host: &Host, home: &Home, arguments: &[&str]) -> Events {
    Events::of(home.settle(host.command(PEERAGE)).arg("--json").args(arguments))
}

#[test]
fn who_shares_is_listed_and_a_bare_cid_is_enough() {
    let Some(lan) = Lan::new("the command on a local network", 2) else { return };
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("picture.jpg"), bytes(3_000_000)).unwrap();
    let mut share = start(&lan.hosts[0], &ann, &["share", "picture.jpg"]);
    let cid = share.wait_for("shared")["cid"].as_str().unwrap().to_owned();
    let ann_is = ann.ok(&["id", "list"]);
    let (code, events) = start(&lan.hosts[1], &bob, &["peers", "--nearby", "--wait", "5"]).finish();
    assert_eq!(code, Some(0));
    let found: Vec<_> = events.iter().filter(|event| event["event"] == "nearby").collect();
    assert_eq!(found.len(), 1, "{events:?}");
    assert!(ann_is.contains(found[0]["peer"].as_str().unwrap()), "{found:?}, {ann_is}");
    let peer = found[0]["peer"].as_str().unwrap().to_owned();
    for (key, suggested) in [(peer.as_str(), false), (cid.as_str(), true)] {
        let (code, events) = start(&lan.hosts[1], &bob, &["find", key]).finish();
        assert_eq!(code, Some(0), "{events:?}");
        let found = events.iter().find(|event| event["event"] == "finding").unwrap();
        assert_eq!((found["peer"].as_str(), found["way"].as_str()), (Some(&*peer), Some("lan")));
        assert_eq!(found["suggested"], suggested);
        println!("{key} was found after {} ms", found["milliseconds"]);
    }
    start(&lan.hosts[1], &bob, &["get", &cid]).wait_for("got");
    assert_eq!(fs::read(bob.work().join(&cid)).unwrap(), bytes(3_000_000));
}

#[test]
fn a_link_with_addresses_of_before_is_enough_nearby() {
    let Some(lan) = Lan::new("a link with old addresses", 2) else { return };
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("picture.jpg"), bytes(100_000)).unwrap();
    let mut share = start(&lan.hosts[0], &ann, &["share", "picture.jpg"]);
    let link = share.wait_for("shared")["link"].as_str().unwrap().to_owned();
    lan.hosts[0].move_to(55);
    start(&lan.hosts[1], &bob, &["get", &link]).wait_for("got");
    assert!(fs::read(bob.work().join("picture.jpg")).unwrap() == bytes(100_000));
}

#[test]
fn a_get_goes_on_in_another_network() {
    let Some(lan) = Lan::new("a get that moves to another network", 2) else { return };
    let (ann, bob) = (Home::new(), Home::new());
    let (here, length) = (&lan.hosts[1], 300_000_000);
    fs::write(ann.work().join("film.bin"), bytes(length)).unwrap();
    let mut share = start(&lan.hosts[0], &ann, &["share", "film.bin"]);
    let link = share.wait_for("shared")["link"].as_str().unwrap().to_owned();
    let mut get = start(here, &bob, &["get", &link]);
    get.wait_until("progress", |event| event["bytes"].as_u64().unwrap() > 10_000_000);
    here.move_to(77);
    assert_eq!(get.wait_for("provider_lost")["again"], true);
    get.wait_for("connected");
    get.wait_for("got");
    assert!(fs::read(bob.work().join("film.bin")).unwrap() == bytes(length));
}
