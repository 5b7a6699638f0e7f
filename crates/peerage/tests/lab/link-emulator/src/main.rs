//! A link emulator in user space, for kernels without `sch_netem`.
//!
//! ```text
//! link-emulator INTERFACE INTERFACE [NAME=NUMBER...]
//! ```
//!
//! Carries Ethernet frames between two interfaces, under the same conditions
//! each way; [`conditions`] lists them. Prints `ready` once it carries. Random
//! choices follow `LAB_SEED` where that is set. Ends when it is killed.

mod conditions;
mod line;
#[cfg(target_os = "linux")]
mod port;
#[cfg(target_os = "linux")]
mod wire;

use std::process::ExitCode;

use conditions::Conditions;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [one, other, settings @ ..] = &arguments[..] else {
        eprintln!("usage: link-emulator INTERFACE INTERFACE [NAME=NUMBER...]");
        return ExitCode::from(2);
    };
    let run = Conditions::read(settings).and_then(|conditions| carry(one, other, conditions));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("link-emulator: {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn carry(one: &str, other: &str, conditions: Conditions) -> Result<(), String> {
    let seed = std::env::var("LAB_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    wire::carry(one, other, conditions, seed).map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn carry(_: &str, _: &str, conditions: Conditions) -> Result<(), String> {
    let _unused = line::Line::new(conditions, 0);
    Err("only Linux has the sockets it needs".to_owned())
}
