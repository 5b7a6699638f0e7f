//! `ping` and `peers`.

use rustix::process::Signal;

use crate::support::Home;

#[test]
fn a_peer_answers_pings() {
    let (home, other) = (Home::new(), Home::new());
    let (_up, address) = other.up();
    let (address, peer) = address.rsplit_once("/p2p/").unwrap();
    let text = home.ok(&["ping", peer, address, "--count", "2"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(peer) && text.contains("tcp"), "{text}");
}

#[test]
fn a_ping_that_is_stopped_exits_with_130() {
    let (home, other) = (Home::new(), Home::new());
    let (_up, address) = other.up();
    let mut ping = home.start(&["ping", &address, "--count", "1000"]);
    ping.wait_for("pong");
    ping.signal(Signal::TERM);
    assert_eq!(ping.finish().0, Some(130));
}

#[test]
fn peers_that_are_not_there_are_told_apart() {
    let (home, other) = (Home::new(), Home::new());
    let (up, address) = other.up();
    let (place, _) = address.rsplit_once("/p2p/").unwrap();
    let stranger = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    let wrong = home.run(&["ping", &format!("{place}/p2p/{stranger}")]);
    assert_eq!(wrong.code, Some(5), "another peer answers: {}", wrong.errors);
    let nowhere = home.run(&["ping", stranger]);
    assert_eq!(nowhere.code, Some(4), "no address: {}", nowhere.errors);
    up.interrupt();
    let gone = home.run(&["ping", &address]);
    assert_eq!(gone.code, Some(4), "nobody listens: {}", gone.errors);
    for bad in ["nonsense", "/ip4/127.0.0.1/tcp/1", "/ip4/1.2.3/tcp/1"] {
        assert_eq!(home.run(&["ping", bad]).code, Some(3), "{bad}");
    }
}

#[test]
fn nearby_without_discovery_says_so() {
    let home = Home::new();
    let finished = home.run(&["peers", "--nearby"]);
    assert_eq!(finished.code, Some(2), "{}", finished.errors);
}
