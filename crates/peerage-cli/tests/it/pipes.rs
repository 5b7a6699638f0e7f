//! `peerage pipe`: standard input and output, and TCP ports.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
};

use rustix::process::Signal;

use crate::support::{Home, Running, bytes};

/// A listening pipe, and what to type to connect with it.
fn listen(home: &Home, more: &[&str]) -> (Running, String) {
    let mut listener = home.start_bytes(&[&["pipe", "listen"], more].concat());
    let line = listener.wait_for_line("peerage pipe connect");
    let address = line.rsplit(' ').next().unwrap().to_owned();
    (listener, address)
}

#[test]
fn bytes_go_both_ways_and_each_way_ends_by_itself() {
    let (here, there) = (Home::new(), Home::new());
    let (mut listener, address) = listen(&there, &[]);
    let mut connector = here.start_bytes(&["pipe", "connect", &address]);
    let (question, answer) = (bytes(5_000_000), bytes(3_000_001));
    connector.write(&question);
    connector.close_input();
    // Half closed: the other way still works.
    listener.wait_for_line("Connected");
    listener.write(&answer);
    listener.close_input();
    let (connector, listener) = (connector.finish(), listener.finish());
    assert_eq!((connector.code, listener.code), (Some(0), Some(0)), "{}", connector.errors);
    assert!(connector.output == answer && listener.output == question);
}

#[test]
fn attached_pipes_are_like_those_with_a_node_of_their_own() {
    let (here, there) = (Home::new(), Home::new());
    let _nodes = (here.up(), there.up());
    let (mut listener, address) = listen(&there, &[]);
    let mut connector = here.start_bytes(&["pipe", "connect", &address]);
    let question = bytes(3_000_000);
    connector.write(&question);
    connector.close_input();
    listener.write(b"answer");
    listener.close_input();
    let (connector, listener) = (connector.finish(), listener.finish());
    assert_eq!((connector.code, listener.code), (Some(0), Some(0)), "{}", connector.errors);
    assert_eq!(connector.output, b"answer");
    assert!(listener.output == question);
}

#[test]
fn a_pipe_that_breaks_is_an_error_on_the_other_side() {
    let (here, there) = (Home::new(), Home::new());
    let (mut listener, address) = listen(&there, &[]);
    let mut connector = here.start_bytes(&["pipe", "connect", &address]);
    connector.write(b"half of it");
    listener.wait_for_line("Connected");
    connector.signal(Signal::KILL);
    let listener = listener.finish();
    assert_eq!(listener.code, Some(5), "{}", listener.errors);
}

#[test]
fn only_the_invited_are_let_in() {
    let (here, there) = (Home::new(), Home::new());
    let invited = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    let (_listener, address) = listen(&there, &["--from", invited]);
    let refused = here.run(&["pipe", "connect", &address]);
    assert_eq!(refused.code, Some(5), "{}", refused.errors);
}

/// The address in what is typed to connect, without the secret.
fn without_secret(typed: &str) -> String {
    typed.split_once('#').unwrap().0.to_owned()
}

#[test]
fn who_only_knows_the_peer_is_not_let_in_and_takes_nobodys_turn() {
    let (here, there, stranger) = (Home::new(), Home::new(), Home::new());
    let (mut listener, typed) = listen(&there, &[]);
    let address = without_secret(&typed);
    for wrong in [address.clone(), format!("{address}#{}", "0".repeat(32))] {
        let mut refused = stranger.start_bytes(&["pipe", "connect", &wrong]);
        refused.write(b"for you");
        let refused = refused.finish();
        assert_eq!((refused.code, refused.output.len()), (Some(5), 0), "{}", refused.errors);
    }
    assert_eq!(stranger.run(&["pipe", "connect", &format!("{address}#7")]).code, Some(3));
    let mut connector = here.start_bytes(&["pipe", "connect", &typed]);
    connector.write(b"for me");
    connector.close_input();
    listener.close_input();
    let (connector, listener) = (connector.finish(), listener.finish());
    assert_eq!((connector.code, listener.code), (Some(0), Some(0)), "{}", connector.errors);
    assert_eq!(listener.output, b"for me");
}

#[test]
fn anybody_is_let_in_where_that_is_asked_for() {
    let (here, there) = (Home::new(), Home::new());
    let (mut listener, typed) = listen(&there, &["--anybody"]);
    assert!(!typed.contains('#'));
    let mut connector = here.start_bytes(&["pipe", "connect", &typed]);
    connector.write(b"hello");
    connector.close_input();
    listener.close_input();
    assert_eq!(connector.finish().code, Some(0));
    assert_eq!(listener.finish().output, b"hello");
}

#[test]
fn a_peer_that_does_not_listen_is_told() {
    let (here, there) = (Home::new(), Home::new());
    let (_up, address) = there.up();
    let refused = here.run(&["pipe", "connect", &address]);
    assert_eq!(refused.code, Some(5), "{}", refused.errors);
    assert!(refused.errors.contains("peerage pipe listen"), "{}", refused.errors);
}

#[test]
fn a_tcp_port_is_forwarded() {
    let (here, there) = (Home::new(), Home::new());
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = echo.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut reader = stream.try_clone().unwrap();
                std::io::copy(&mut reader, &mut stream).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
        }
    });
    let (_listener, address) = listen(&there, &["--tcp", &service]);
    let mut forward = here.start(&["pipe", "connect", &address, "--tcp", "127.0.0.1:0"]);
    let port = forward.wait_for("pipe_forwarding")["address"].as_str().unwrap().to_owned();

    let connections: Vec<_> = (1..=4)
        .map(|number| {
            let port = port.clone();
            std::thread::spawn(move || {
                let mut socket = TcpStream::connect(port).unwrap();
                let sent = bytes(500_000 * number);
                let mut writer = socket.try_clone().unwrap();
                let copy = sent.clone();
                std::thread::spawn(move || {
                    writer.write_all(&copy).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut received = Vec::new();
                socket.read_to_end(&mut received).unwrap();
                assert!(received == sent, "connection {number}");
            })
        })
        .collect();
    for connection in connections {
        connection.join().unwrap();
    }
    assert_eq!(forward.interrupt().0, Some(0));
}
