//! One pair in one lab, tried often.

use std::{io, time::Duration};

use super::{
    lab::Lab,
    lines::{Dial, Report},
    options::Options,
    pair::{Pair, Side},
    process::Player,
};

/// Where the roles are played: two hubs, since it takes two to tell a peer
/// what it looks like from outside.
const HUBS: [&str; 2] = ["relay", "relay2"];
const DIALLER: &str = "a";
const LISTENER: &str = "b";

/// How long the uplinks take, one way, in ms.
const DIALLER_DELAY: u32 = 20;
const LISTENER_DELAY: u32 = 10;
const HUB_DELAY: u32 = 5;

/// How long a process may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How much longer than asked for a dialler may take to tell how it went.
const GRACE: Duration = Duration::from_secs(20);

/// How a try went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Try {
    /// How long it took until the peer could be talked to, and how.
    pub(crate) connected: Option<(f64, String)>,
    /// How long it took until that was so without a third, and how.
    pub(crate) direct: Option<(f64, String)>,
    /// Why there was no more.
    pub(crate) why: String,
}

/// Tries a pair as often as was asked for.
///
/// # Errors
///
/// When the lab or the hubs do not work. What goes wrong with the pair is in
/// the tries.
pub(crate) fn measure(pair: &Pair, options: &Options) -> io::Result<Vec<Try>> {
    let lab = build(pair, options)?;
    let start = |host: &&str| Player::start(&lab, host, "hub", &[]);
    let players = HUBS.iter().map(start).collect::<io::Result<Vec<_>>>()?;
    let mut hubs = Vec::new();
    for player in &players {
        hubs.extend(player.ready(READY_WITHIN)?.1);
    }
    let tries = (0..options.tries).map(|_| {
        for home in [DIALLER, LISTENER] {
            run(&lab, "renat", &[home])?;
        }
        Ok(once(&lab, &hubs, options.wait)
            .unwrap_or_else(|error| Try { why: error.to_string(), ..Try::default() }))
    });
    tries.collect()
}

fn build(pair: &Pair, options: &Options) -> io::Result<Lab> {
    let lab = Lab::up(&["nat", &pair.dialler.nat, &pair.listener.nat]);
    let lab = lab.map_err(|error| io::Error::other(error.to_string()))?;
    for hub in HUBS {
        shape(&lab, hub, HUB_DELAY, 0.0)?;
    }
    shape(&lab, DIALLER, DIALLER_DELAY, options.loss)?;
    // Behind one router they have one uplink.
    if !pair.is_together() {
        shape(&lab, LISTENER, LISTENER_DELAY, options.loss)?;
    }
    map_ports(&lab, DIALLER, &pair.dialler)?;
    map_ports(&lab, LISTENER, &pair.listener)?;
    Ok(lab)
}

fn shape(lab: &Lab, host: &str, delay: u32, loss: f64) -> io::Result<()> {
    run(lab, "shape", &[host, &format!("delay={delay}"), &format!("loss={loss}")])
}

fn map_ports(lab: &Lab, home: &str, side: &Side) -> io::Result<()> {
    if side.maps_ports { run(lab, "igd", &[home]) } else { Ok(()) }
}

fn run(lab: &Lab, command: &str, arguments: &[&str]) -> io::Result<()> {
    let result = lab.try_run(command, arguments);
    result.map(drop).map_err(|error| io::Error::other(error.to_string()))
}

/// One try with fresh processes.
fn once(lab: &Lab, hubs: &[String], wait: Duration) -> io::Result<Try> {
    let listener = Player::start(lab, LISTENER, "listener", hubs)?;
    let mut dialler = Player::start(lab, DIALLER, "dialler", hubs)?;
    let (peer, addresses) = listener.ready(READY_WITHIN)?;
    dialler.ready(READY_WITHIN)?;
    let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    dialler.dial(&Dial { peer, addresses, wait: milliseconds })?;
    let mut how = Try::default();
    loop {
        match dialler.report(wait + GRACE)? {
            Report::Connected { after_ms, path } => how.connected = Some((after_ms, path)),
            Report::Direct { after_ms, path } => how.direct = Some((after_ms, path)),
            Report::Ended { why } => {
                how.why = why;
                return Ok(how);
            }
            Report::Ready { .. } => {}
        }
    }
}
