//! Measures one stream between two processes on loopback, for every path a
//! node offers, against plain TCP in the same run.
//!
//! ```text
//! cargo run --release -p peerage --example stream_speed [MEBIBYTES]
//! ```
//!
//! CPU time is read from `/proc`, so that column is Linux's alone.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use peerage::node::{Node, NodeConfig, StreamProtocol};
use peerage::presets;
use peerage::routing::{Multiplexer, Security};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerage/speed/1");
const CHUNK: usize = 256 * 1024;
const PLAIN: &str = "plain tcp";
const PATHS: [&str; 7] = [
    PLAIN,
    "tcp+tls+yamux",
    "tcp+noise+yamux",
    "tcp+tls+mplex",
    "quic",
    "websocket+tls+yamux",
    PLAIN,
];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, path] = arguments.as_slice() {
        return match role.as_str() {
            "receive" => receive(path),
            other => Err(format!("what is {other}?").into()),
        };
    }
    let mebibytes: u64 = arguments.first().map_or(Ok(1024), |text| text.parse())?;
    println!("one stream, {mebibytes} MiB, two processes on loopback");
    println!("| path | set-up ms | GB/s | of plain TCP | sender CPU s/GB | receiver CPU s/GB |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut plain = None;
    for path in PATHS {
        let result = measure(path, mebibytes * 1024 * 1024)?;
        let reference = *plain.get_or_insert(result.rate());
        println!(
            "| {path} | {:.1} | {:.2} | {:.2} | {:.2} | {:.2} |",
            result.set_up.as_secs_f64() * 1e3,
            result.rate(),
            result.rate() / reference,
            result.sender / result.gigabytes,
            result.receiver / result.gigabytes,
        );
    }
    Ok(())
}

struct Measured {
    set_up: Duration,
    wall: Duration,
    gigabytes: f64,
    sender: f64,
    receiver: f64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.gigabytes / self.wall.as_secs_f64()
    }
}

/// Sends to a process of its own, which says in the end what it took.
fn measure(path: &str, bytes: u64) -> Outcome<Measured> {
    let mut receiver = Receiver::start(path)?;
    let place = receiver.line()?;
    let cpu = cpu_seconds();
    let (set_up, wall) = match path {
        PLAIN => send_plain(&place, bytes)?,
        _ => runtime()?.block_on(send(path, &place, bytes))?,
    };
    let sender = cpu_seconds() - cpu;
    let receiver = receiver.line()?.parse()?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for a table")]
    let gigabytes = bytes as f64 / 1e9;
    Ok(Measured { set_up, wall, gigabytes, sender, receiver })
}

struct Receiver(Child, BufReader<ChildStdout>);

impl Receiver {
    fn start(path: &str) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["receive", path])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no output")?;
        Ok(Self(child, BufReader::new(out)))
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.1.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn receive(path: &str) -> Outcome<()> {
    match path {
        PLAIN => receive_plain(),
        _ => runtime()?.block_on(receive_stream(path)),
    }
}

fn settings(path: &str) -> NodeConfig {
    let mut config = presets::loopback();
    config.security = match path.contains("noise") {
        true => vec![Security::Noise],
        false => vec![Security::Tls],
    };
    config.multiplexers = match path.contains("mplex") {
        true => vec![Multiplexer::Mplex],
        false => vec![Multiplexer::Yamux],
    };
    config.listen.retain(|address| {
        let address = address.to_string();
        match path.split('+').next() {
            Some("quic") => address.contains("/quic"),
            Some("websocket") => address.contains("/ws"),
            _ => address.contains("/tcp/") && !address.contains("/ws"),
        }
    });
    config
}

async fn send(path: &str, place: &str, bytes: u64) -> Outcome<(Duration, Duration)> {
    let (peer, address) = place.split_once(' ').ok_or("the receiver did not start")?;
    let node = Node::spawn(NodeConfig { listen: Vec::new(), ..settings(path) }).await?;
    let begin = Instant::now();
    let connection = node.connect(peer.parse()?, &[address.parse()?]).await?;
    let set_up = begin.elapsed();
    assert_eq!(connection.path.to_string(), path);
    let mut stream = node.open_stream(peer.parse()?, PROTOCOL).await?;
    let chunk = vec![7; CHUNK];
    let begin = Instant::now();
    for _ in 0..bytes / CHUNK as u64 {
        stream.write_all(&chunk).await?;
    }
    stream.close().await?;
    stream.read_exact(&mut [0]).await?;
    let wall = begin.elapsed();
    Ok((set_up, wall))
}

async fn receive_stream(path: &str) -> Outcome<()> {
    let node = Node::spawn(settings(path)).await?;
    let mut incoming = node.accept(PROTOCOL)?;
    let address = node.listen_addresses().first().cloned().ok_or("not listening")?;
    println!("{} {address}", node.peer_id());
    let cpu = cpu_seconds();
    let (_, mut stream) = incoming.next().await.ok_or("no stream came")?;
    let mut buffer = vec![0; CHUNK];
    while stream.read(&mut buffer).await? > 0 {}
    stream.write_all(&[1]).await?;
    stream.close().await?;
    println!("{}", cpu_seconds() - cpu);
    // Stays until the sender has read the last byte, and ends this process.
    std::future::pending().await
}

fn send_plain(place: &str, bytes: u64) -> Outcome<(Duration, Duration)> {
    let begin = Instant::now();
    let mut socket = TcpStream::connect(place)?;
    let set_up = begin.elapsed();
    let chunk = vec![7; CHUNK];
    let begin = Instant::now();
    for _ in 0..bytes / CHUNK as u64 {
        socket.write_all(&chunk)?;
    }
    socket.shutdown(std::net::Shutdown::Write)?;
    socket.read_exact(&mut [0])?;
    Ok((set_up, begin.elapsed()))
}

fn receive_plain() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let cpu = cpu_seconds();
    let (mut socket, _) = listener.accept()?;
    let mut buffer = vec![0; CHUNK];
    while socket.read(&mut buffer)? > 0 {}
    socket.write_all(&[1])?;
    println!("{}", cpu_seconds() - cpu);
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// CPU time of this process so far: user and system, in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |index: usize| -> f64 {
        after_name.split_whitespace().nth(index).and_then(|text| text.parse().ok()).unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}
