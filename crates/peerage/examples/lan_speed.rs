//! Measures how long it takes to find a peer on the local network, by its id
//! alone, with discovery that has only just started: 50 times, on a network of
//! namespaces that is made for it.
//!
//! ```sh
//! cargo run --release -p peerage --example lan_speed
//! ```

#![allow(clippy::unwrap_used)]

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "it needs little of what the tests need")]
#[path = "../tests/it/support/lab.rs"]
mod lab;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "it needs little of what the tests need")]
#[path = "../tests/it/support/lan.rs"]
mod lan;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "it needs little of what the tests need")]
#[path = "../tests/it/support/namespace.rs"]
mod namespace;

#[cfg(target_os = "linux")]
fn lab_or_skip(what: &str, topology: &[&str]) -> Option<lab::Lab> {
    lab::Lab::up(topology).inspect_err(|why| println!("{what} cannot be measured: {why}")).ok()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this needs the network namespaces of Linux");
}

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() {
    linux::measure().await;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use libp2p::{PeerId, identity::Keypair};
    use peerage::discovery::{Announcement, Finder, LanConfig, LanDiscovery, LanWay, Ports};

    use crate::lan::{Host, Lan};

    const RUNS: usize = 50;

    /// A responder says nothing twice within a second (RFC 6762, section 6), so
    /// a peer that was asked just now would not answer.
    const PAUSE: Duration = Duration::from_secs(2);

    pub(super) async fn measure() {
        let Some(lan) = Lan::new("finding a peer on the local network", 2) else { return };
        let [here, there] = lan.hosts.as_slice() else { panic!("two hosts") };
        let peer = Keypair::generate_ed25519().public().to_peer_id();
        let mut announcement = Announcement::new(peer, "somebody");
        announcement.ports = Ports { tcp: Some(4001), ..Ports::default() };
        let announced = LanConfig { announce: Some(announcement), ..LanConfig::default() };
        let announced = there.run(async { LanDiscovery::start(announced) }).await.unwrap();

        let mut times = Vec::new();
        for _ in 0..RUNS {
            tokio::time::sleep(PAUSE).await;
            times.push(find(here, peer).await);
        }
        announced.stop().await;
        report(times);
    }

    /// How long a fresh discovery takes to find the peer; nothing when it does not.
    async fn find(host: &Host, peer: PeerId) -> Option<Duration> {
        let finding = async move {
            let began = Instant::now();
            let lan = Arc::new(LanDiscovery::start(LanConfig::default()).unwrap());
            let finder = Finder::new(PeerId::random(), vec![Arc::new(LanWay::new(&lan))], |_| {});
            let found = finder.find_peer(peer).await.map(|_| began.elapsed());
            finder.close().await;
            Arc::into_inner(lan).expect("the way does not hold it").stop().await;
            found
        };
        host.run(finding).await
    }

    fn report(times: Vec<Option<Duration>>) {
        let mut found: Vec<_> = times.into_iter().flatten().collect();
        found.sort();
        let milliseconds = |part: usize| {
            let place = (found.len() * part / 100).min(found.len().saturating_sub(1));
            found.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
        };
        println!("found {} of {RUNS} times", found.len());
        println!("median {:.0} ms (to reach: 300 ms)", milliseconds(50));
        println!("90 %   {:.0} ms", milliseconds(90));
        println!("worst  {:.0} ms (to reach: 1500 ms)", milliseconds(100));
    }
}
