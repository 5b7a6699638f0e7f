//! How long a peer takes to be found by its id alone, in a network of 50 nodes as
//! they are, over TCP on loopback. Larger ones, on far paths and while peers come
//! and go, are the simulator's: `sim/` at the root.
//!
//! `cargo bench -p peerage --bench find -- [--nodes N] [--look-ups N]`

#![allow(missing_docs)]

mod network;

use std::time::{Duration, Instant};

use network::Network;

struct Arguments {
    nodes: usize,
    look_ups: usize,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments { nodes: 50, look_ups: 200 };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        let mut number = || {
            let number = rest.next().and_then(|text| text.parse().ok());
            number.filter(|number| *number > 1).ok_or(format!("{argument} needs a number"))
        };
        match argument.as_str() {
            "--nodes" => parsed.nodes = number()?,
            "--look-ups" => parsed.look_ups = number()?,
            // Cargo says so itself.
            "--bench" => {}
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(parsed)
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let arguments = arguments()?;
    let start = Instant::now();
    let network = Network::new(arguments.nodes).await?;
    println!("{} nodes joined within {:.0} s", arguments.nodes, start.elapsed().as_secs_f64());
    let times = network.look_ups(arguments.look_ups).await;
    let mut found: Vec<Duration> = times.iter().flatten().copied().collect();
    found.sort_unstable();
    let at = |hundredth: usize| found.get((found.len() * hundredth).div_ceil(100).max(1) - 1);
    println!("found {} of {} by their ids alone", found.len(), times.len());
    for (label, time) in [("median", at(50)), ("99 %", at(99)), ("worst", at(100))] {
        let Some(time) = time else { continue };
        println!("{label} {} ms", time.as_millis());
    }
    Ok(())
}
