//! Which pairs of homes reach each other: a table of the network lab.
//!
//! ```text
//! cargo bench -p peerage-cli --bench reach -- --pairs usual
//! cargo bench -p peerage-cli --bench reach -- --pairs cone:cone,sym:sym+igd
//!     [--tries 20] [--wait 10] [--loss PERCENT] [--jobs 2] [--json]
//! ```
//!
//! `--moves` transfers files while the path between two homes changes;
//! `--speed` measures what one stream carries; both take `--tries N`, and
//! `--only TEXT` for the rows with this in their name.
//!
//! Without `--pairs` it measures nothing, so that it is not run by the way;
//! `all` is every type with every other, and takes hours.
//!
//! A pair is the type of NAT of the dialler, and of the listener; the lab's
//! README describes them. `+igd` is a router that maps ports on request. A
//! try has fresh processes with fresh keys, and routers that have forgotten.
//! One way, the dialler's uplink takes 20 ms, the listener's 10 ms and the
//! hubs' 5 ms. Times count from the dial. For times worth comparing, use an
//! idle machine and `--jobs 1`. Needs Linux, and root.

#[cfg(target_os = "linux")]
mod moves;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    table::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the network lab needs Linux");
}
