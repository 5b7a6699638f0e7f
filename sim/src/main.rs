//! A thousand peers of Kademlia in virtual time, while peers come and go.
//!
//! `cargo run -p peerage-sim -- [--seed N] [--peers N] [--replaced-an-hour PERCENT]
//! [--warm-up MINUTES] [--minutes N] [--look-ups N] [--loss PERCENT] [--reach PERCENT]`
//!
//! Prints its seed: the same seed is the same run. Fails when fewer look-ups
//! than `--reach` were answered within 10 s.

mod chance;
mod host;
mod line;
mod muxer;
mod peer;
mod population;
mod tally;
mod wire;

use std::time::{Duration, Instant};

use population::{Plan, Population};

struct Arguments {
    seed: u64,
    plan: Plan,
    reach: u32,
}

fn arguments() -> Result<Arguments, String> {
    let mut plan = Plan {
        peers: 1000,
        replaced_an_hour: 12.0,
        loss: 0.01,
        warm_up: Duration::from_secs(600),
        measured: Duration::from_secs(300),
        look_ups: 1000,
    };
    let (mut seed, mut reach) = (u64::from(std::process::id()), 0);
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        let number = rest.next().and_then(|text| text.parse::<u32>().ok());
        let number = number.ok_or(format!("{argument} needs a number"))?;
        let minutes = Duration::from_secs(60) * number;
        match argument.as_str() {
            "--seed" => seed = u64::from(number),
            "--peers" => plan.peers = usize::try_from(number.max(10)).unwrap_or(usize::MAX),
            "--replaced-an-hour" => plan.replaced_an_hour = f64::from(number) / 100.0,
            "--warm-up" => plan.warm_up = minutes,
            "--minutes" => plan.measured = minutes,
            "--look-ups" => plan.look_ups = number,
            "--loss" => plan.loss = f64::from(number.min(50)) / 100.0,
            "--reach" => reach = number,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(Arguments { seed, plan, reach })
}

fn main() -> Result<(), String> {
    let Arguments { seed, plan, reach } = arguments()?;
    println!("seed {seed}, {plan:?}");
    chance::seed(seed);
    // One thread and a clock that stands still: it jumps to the next timer when
    // nobody has anything to do.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let began = Instant::now();
    let tally = runtime.block_on(async {
        let population = Population::new(plan).await?;
        println!("{} peers have joined after {} s", plan.peers, began.elapsed().as_secs());
        population.run().await
    })?;
    println!("{tally}");
    println!("took {} s", began.elapsed().as_secs());
    match tally.reaches(usize::try_from(reach).unwrap_or(usize::MAX)) || reach == 0 {
        true => Ok(()),
        false => Err(format!("fewer than {reach} % within 10 s")),
    }
}
