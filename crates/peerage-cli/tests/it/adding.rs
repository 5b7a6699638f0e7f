//! `add`, which hands nothing over.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use crate::support::{Events, Home, bytes};

/// How long each link waits for a hub.
const LINK: Duration = Duration::from_secs(5);

#[test]
fn adding_does_not_wait_for_a_hub_that_is_dead() {
    // The system takes its connections, and nobody ever answers them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    let hub = format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", silent.local_addr().unwrap().port());
    let home = Home::new();
    let names = ["a", "b", "c"];
    for name in names {
        fs::write(home.work().join(name), name).unwrap();
    }
    let mut add = home.command();
    let began = Instant::now();
    let mut add = Events::of(add.args(["--json", "--hub", &hub, "add"]).args(names));
    for name in names {
        assert_eq!(add.wait_for("added")["path"].as_str().unwrap().rsplit('/').next(), Some(name));
    }
    let took = began.elapsed();
    assert!(took < 2 * LINK, "{took:?}, and a link for each would take {:?}", 3 * LINK);
    let (code, events) = add.finish();
    assert_eq!(code, Some(0), "{events:?}");
}

#[test]
fn what_is_added_is_there_until_it_is_unshared() {
    let (home, other) = (Home::new(), Home::new());
    fs::write(home.work().join("picture.jpg"), bytes(100_000)).unwrap();
    let cid = home.ok(&["add", "picture.jpg"]).split(' ').next().unwrap().to_owned();
    let again = home.ok(&["add", "picture.jpg"]);
    assert!(again.starts_with(&cid), "{again}");

    let (_up, address) = home.up();
    other.ok(&["get", &cid, "--peer", &address]);
    assert!(fs::read(other.work().join(&cid)).unwrap() == bytes(100_000));

    let (code, events) = home.start(&["unshare", &cid]).finish();
    assert_eq!((code, &events[0]["event"]), (Some(0), &"unshared".into()), "{events:?}");
    assert_eq!((&events[0]["cid"], &events[0]["times"]), (&cid.as_str().into(), &2.into()));
    assert!(home.work().join("picture.jpg").exists());
    let stranger = Home::new();
    let refused = stranger.run(&["get", &cid, "--peer", &address]);
    assert_eq!(refused.code, Some(6), "{}", refused.errors);

    assert_eq!(home.run(&["unshare", &cid]).code, Some(6), "it is gone already");
    assert_eq!(other.run(&["unshare", &cid]).code, Some(6), "what was got is not offered");
    assert_eq!(home.run(&["unshare", "nonsense"]).code, Some(3));
}
