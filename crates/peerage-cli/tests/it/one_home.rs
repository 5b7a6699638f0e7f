//! One home, one node: attaching, racing, and what killed processes leave.

use std::fs;

use rustix::process::Signal;

use crate::support::Home;

#[test]
fn commands_attach_to_the_node_that_runs() {
    let (home, other) = (Home::new(), Home::new());
    let (up, _) = home.up();
    let (_other_up, address) = other.up();
    home.ok(&["ping", &address, "--count", "1"]);
    let peers = home.ok(&["peers"]);
    assert!(address.ends_with(peers.split_whitespace().next().unwrap()), "{peers}");
    assert_eq!(up.interrupt().0, Some(0));
    assert!(!home.path().join("control.sock").exists());
    assert_eq!(home.ok(&["peers"]), "", "a node of its own, without peers");
}

#[test]
fn a_second_node_on_a_home_is_refused() {
    let home = Home::new();
    let (up, _) = home.up();
    let second = home.run(&["up"]);
    assert_eq!(second.code, Some(9), "{}", second.errors);
    assert!(second.errors.contains(&up.id().to_string()), "{}", second.errors);
}

#[test]
fn a_running_node_keeps_its_identity() {
    let home = Home::new();
    let (_up, _) = home.up();
    home.ok(&["id", "new", "other"]);
    assert_eq!(home.run(&["--identity", "other", "peers"]).code, Some(9));
    home.ok(&["--identity", "default", "peers"]);
}

#[test]
fn a_socket_that_a_killed_process_left_is_replaced() {
    let home = Home::new();
    let (up, _) = home.up();
    up.signal(Signal::KILL);
    up.finish();
    assert!(home.path().join("control.sock").exists());
    home.ok(&["peers"]);
    let (_up, _) = home.up();
    home.ok(&["peers"]);
}

#[test]
fn commands_that_start_at_once_share_one_node() {
    let home = Home::new();
    let running: Vec<_> = (0..8).map(|_| home.start_bytes(&["peers"])).collect();
    for one in running {
        let finished = one.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.errors);
    }
}

#[test]
fn a_home_with_a_long_path_has_a_node_too() {
    let home = Home::new();
    let long = home.work().join("n".repeat(120)).join("home");
    let long = long.to_str().unwrap();
    let mut up = home.start(&["--home", long, "up"]);
    up.wait_for("listening");
    let second = home.run(&["--home", long, "up"]);
    assert_eq!(second.code, Some(9), "{}", second.errors);
    home.ok(&["--home", long, "peers"]);
}

#[test]
fn what_is_no_command_is_no_danger_to_the_node() {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        os::unix::net::UnixStream,
    };

    let home = Home::new();
    let (_up, _) = home.up();
    let long = "x".repeat(5_000_000);
    for line in
        ["", "\n", "nonsense\n", "{\"version\":1,\"request\":{\"verb\":\"dance\"}}\n", &long]
    {
        let mut socket = UnixStream::connect(home.path().join("control.sock")).unwrap();
        let mut greeting = String::new();
        BufReader::new(socket.try_clone().unwrap()).read_line(&mut greeting).unwrap();
        assert!(greeting.contains("\"version\":1"), "{greeting}");
        // It may hang up in the middle.
        let _hung_up = socket.write_all(line.as_bytes());
    }
    home.ok(&["peers"]);
}

#[test]
fn a_home_that_cannot_be_made_is_a_clear_error() {
    let home = Home::new();
    fs::write(home.work().join("file"), "").unwrap();
    let finished = home.run(&["--home", "file/home", "peers"]);
    assert_eq!(finished.code, Some(8), "{}", finished.errors);
}
