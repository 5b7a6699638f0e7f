//! How long a peer takes to be found by its id alone: in a simulated network of
//! 1,000 peers with round trips of 20 to 100 ms, and in a real one of 50 nodes
//! on loopback.
//!
//! `cargo bench -p peerage --bench find -- [--nodes N] [--look-ups N] [--real]`

#![allow(missing_docs)]

mod network;

use std::time::{Duration, Instant};

use network::{Kind, Network};

/// One-way delays of the simulation, in milliseconds.
const DELAY: (u64, u64) = (10, 50);

struct Arguments {
    nodes: Option<usize>,
    look_ups: usize,
    real_alone: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments { nodes: None, look_ups: 200, real_alone: false };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        let mut number = || {
            let number = rest.next().and_then(|text| text.parse().ok());
            number.filter(|number| *number > 1).ok_or(format!("{argument} needs a number"))
        };
        match argument.as_str() {
            "--nodes" => parsed.nodes = Some(number()?),
            "--look-ups" => parsed.look_ups = number()?,
            "--real" => parsed.real_alone = true,
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
    let simulated = Kind::Simulated { delay: DELAY };
    if !arguments.real_alone {
        measure("simulated", simulated, arguments.nodes.unwrap_or(1000), &arguments).await?;
    }
    if arguments.real_alone || arguments.nodes.is_none() {
        measure("real", Kind::Real, arguments.nodes.unwrap_or(50), &arguments).await?;
    }
    Ok(())
}

async fn measure(
    name: &str,
    kind: Kind,
    nodes: usize,
    arguments: &Arguments,
) -> Result<(), String> {
    let start = Instant::now();
    let network = Network::new(kind, nodes).await?;
    println!("{name}: {nodes} peers joined within {:.0} s", start.elapsed().as_secs_f64());
    let times = network.look_ups(arguments.look_ups).await;
    let mut found: Vec<Duration> = times.iter().flatten().copied().collect();
    found.sort_unstable();
    let at = |hundredth: usize| found.get((found.len() * hundredth).div_ceil(100).max(1) - 1);
    println!("{name}: found {} of {} by their ids alone", found.len(), times.len());
    for (label, time) in [("median", at(50)), ("99 %", at(99)), ("worst", at(100))] {
        let Some(time) = time else { continue };
        println!("{name}: {label} {} ms", time.as_millis());
    }
    Ok(())
}
