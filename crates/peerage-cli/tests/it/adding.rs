//! `add`, which hands nothing over.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use crate::support::{Events, Home};

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
