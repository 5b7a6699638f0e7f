//! `roles`: the table of the handbook, and what runs.

use std::fs;

use serde_json::Value;

use crate::support::{Events, Home};

/// The handbook's page of roles.
const PAGE: &str = include_str!("../../../../docs/handbook/src/roles.md");

/// The lines of `peerage roles --json`.
fn roles(home: &Home) -> Vec<Value> {
    let (code, events) = home.start(&["roles"]).finish();
    assert_eq!(code, Some(0), "{events:?}");
    assert!(events.iter().all(|event| event["event"] == "role"), "{events:?}");
    events
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

/// What runs of a role.
fn running<'a>(roles: &'a [Value], role: &str) -> Vec<&'a str> {
    words(&roles.iter().find(|line| line["role"] == role).unwrap()["running"])
}

#[test]
fn the_roles_are_those_of_the_handbook() {
    let listed = |cell: &str| -> Vec<String> {
        cell.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
    };
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| [")).map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        let name = cells[0].split(']').next().unwrap().to_owned();
        (name, listed(cells[1]), listed(cells[2]))
    });
    let told = roles(&Home::new());
    let told = told.iter().map(|line| {
        let owned = |field: &str| words(&line[field]).into_iter().map(str::to_owned).collect();
        (line["role"].as_str().unwrap().to_owned(), owned("ways"), owned("not_yet"))
    });
    assert_eq!(rows.collect::<Vec<_>>(), told.collect::<Vec<_>>());
}

#[test]
fn what_runs_is_what_this_home_was_asked_for() {
    let home = Home::new();
    let told = roles(&home);
    assert_eq!(running(&told, "identity"), ["ed25519"]);
    assert_eq!(running(&told, "discovery"), [""; 0], "discovery is off in these tests");
    assert_eq!(running(&told, "peer routing"), ["tcp"]);
    assert_eq!(running(&told, "content routing"), [""; 0]);
    assert_eq!(running(&told, "protocol"), ["gateway", "bitswap", "ping"]);

    let other = Home::new();
    other.ok(&["id", "new", "bitcoin", "--kind", "secp256k1"]);
    fs::write(other.work().join("peers"), "").unwrap();
    let mut command = other.command();
    command.args(["--json", "--peers", "peers", "up", "--http", "127.0.0.1:0"]);
    command.env("PEERAGE_LISTEN", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1");
    let mut up = Events::of(&mut command);
    up.wait_for("listening");
    let told = roles(&other);
    assert_eq!(running(&told, "identity"), ["secp256k1"], "it attaches to the running node");
    assert_eq!(running(&told, "discovery"), ["static"]);
    assert_eq!(running(&told, "peer routing"), ["tcp", "quic"]);
    assert_eq!(running(&told, "protocol"), ["gateway", "http", "bitswap", "ping"]);

    let mut pipe = other.start_bytes(&["--json", "pipe", "listen"]);
    pipe.wait_for_line("pipe_listening");
    assert!(running(&roles(&other), "protocol").contains(&"pipe"));
}

#[test]
fn people_read_a_role_and_what_runs_of_it() {
    let text = Home::new().ok(&["roles"]);
    assert!(text.starts_with("identity        Who am I, and who is that?\n"), "{text}");
    assert!(text.contains("  runs    tcp\n  can run quic, websocket"), "{text}");
    assert!(text.contains("  not yet gossip\n"), "{text}");
}
