//! What becomes of a transfer while its path changes, and how much a path
//! carries: whole commands, in homes of the lab.

mod command;
mod speed;
mod transfer;

use std::io;

use crate::table::{lab::Lab, options::Options};

/// A way to disturb a transfer; it is over when the network is back.
type Disturb = fn(&Lab) -> io::Result<()>;

/// One row: what happens, between which types of NAT.
struct Case {
    name: &'static str,
    homes: [&'static str; 2],
    disturb: Disturb,
}

const CASES: [Case; 5] = [
    Case { name: "moves from relay to direct", homes: ["cone", "cone"], disturb: |_| Ok(()) },
    Case {
        name: "the dialler changes its address",
        homes: ["cone", "cone"],
        disturb: |lab| run(lab, "roam", &["a", "10.1.0.77/24", "10.1.0.1"]),
    },
    Case {
        name: "the listener changes its address",
        homes: ["cone", "cone"],
        disturb: |lab| run(lab, "roam", &["b", "10.2.0.77/24", "10.2.0.1"]),
    },
    Case { name: "a partition of 14 s", homes: ["none", "none"], disturb: partition },
    Case { name: "the same, behind NAT", homes: ["cone", "cone"], disturb: partition },
];

fn partition(lab: &Lab) -> io::Result<()> {
    run(lab, "partition", &["a", "b relay relay2"])?;
    std::thread::sleep(std::time::Duration::from_secs(14));
    run(lab, "heal", &[])
}

/// Runs a command of the lab.
fn run(lab: &Lab, name: &str, arguments: &[&str]) -> io::Result<()> {
    let ran = lab.try_run(name, arguments);
    ran.map(drop).map_err(|error| io::Error::other(error.to_string()))
}

/// The lines of the table, and what they carry besides.
fn lines_of_the_table(more: &str) -> [String; 3] {
    ["delay=20", "delay=10", "delay=5"].map(|delay| format!("{delay} {more}"))
}

/// Brings a lab up; the lines are the dialler's, the listener's and the hub's.
fn build(homes: [&str; 2], lines: &[String; 3]) -> io::Result<Lab> {
    let lab = Lab::up(&["nat", homes[0], homes[1]]);
    let lab = lab.map_err(|error| io::Error::other(error.to_string()))?;
    for (host, line) in ["a", "b", "relay"].into_iter().zip(lines) {
        let settings: Vec<&str> = [host].into_iter().chain(line.split(' ')).collect();
        run(&lab, "shape", &settings)?;
    }
    Ok(lab)
}

/// Prints the table of transfers whose path changes.
///
/// # Errors
///
/// When the lab does not work.
pub(crate) fn print(options: &Options) -> io::Result<()> {
    println!(
        "| a transfer of 60 MB while | completes | identical | goes on after, s | longest stall, s | paths |"
    );
    println!("| --- | --- | --- | ---: | ---: | --- |");
    for case in CASES.iter().filter(|case| case.name.contains(&options.only)) {
        for _ in 0..options.tries {
            let row = match transfer::measure(case) {
                Ok(one) => one.row(case.name),
                Err(error) => format!("| {} | no: {error} | | | | |", case.name),
            };
            println!("{row}");
        }
    }
    Ok(())
}

/// Prints the table of how much paths carry.
///
/// # Errors
///
/// When the lab does not work.
pub(crate) fn print_speed(options: &Options) -> io::Result<()> {
    speed::print(options)
}
