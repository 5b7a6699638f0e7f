//! The verbs about other peers, and `up`.

use std::{collections::HashSet, time::Duration};

use peerage::{
    discovery::{Event as Found, NearbyPeer},
    node::PeerInfo,
};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    context::Context,
    event::{Event, PeerLine},
    failure::{Code, Failure},
    host::{Host, path},
    target::parse_target,
};

/// The pause between two pings.
const PING_PAUSE: Duration = Duration::from_secs(1);

/// Lists connected peers.
///
/// # Errors
///
/// Never; it has a `Result` like all of them.
pub(super) async fn peers(host: &Host, context: &Context) -> Result<(), Failure> {
    for peer in host.node().peers() {
        context.say(Event::Peer(line(&peer))).await;
    }
    Ok(())
}

fn line(info: &PeerInfo) -> PeerLine {
    let connection = info.connections.first();
    PeerLine {
        peer: info.peer.to_string(),
        agent: info.agent.clone().unwrap_or_default(),
        path: connection.map(path).unwrap_or_default(),
        direction: connection.map(|one| one.direction.to_string()).unwrap_or_default(),
        milliseconds: info.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
    }
}

/// Lists the peers that announce themselves, as they are heard.
///
/// # Errors
///
/// When discovery is off.
pub(super) async fn nearby(host: &Host, wait: u64, context: &Context) -> Result<(), Failure> {
    let Some((mut events, known)) = host.nearby().await else {
        return Err(Failure::new(
            Code::Usage,
            "this node does not take part in the local network's discovery",
            "leave out --no-discovery",
        ));
    };
    let mut seen = HashSet::new();
    for peer in known {
        seen.insert(peer.service.clone());
        context.say(announced(peer)).await;
    }
    let until = Instant::now() + Duration::from_secs(wait);
    loop {
        let next = async { Ok(timeout_at(until, events.next()).await.ok().flatten()) };
        let Some(event) = context.unless_stopped(next).await? else {
            return Ok(());
        };
        if let Found::Found(peer) | Found::Changed(peer) = event
            && seen.insert(peer.service.clone())
        {
            context.say(announced(peer)).await;
        }
    }
}

fn announced(peer: NearbyPeer) -> Event {
    Event::Nearby {
        peer: peer.peer_id.to_string(),
        name: peer.name,
        os: peer.os,
        version: peer.version,
        addresses: peer.addresses.iter().map(ToString::to_string).collect(),
    }
}

/// Pings a peer.
///
/// # Errors
///
/// When it cannot be reached, or is lost meanwhile.
pub(super) async fn ping(
    host: &Host,
    peer: &str,
    addresses: &[String],
    count: u32,
    context: &Context,
) -> Result<(), Failure> {
    let target = parse_target(peer, addresses)?;
    let path = context.unless_stopped(host.reach(&target)).await?;
    for round in 1..=count {
        let pinging = async {
            if round > 1 {
                sleep(PING_PAUSE).await;
            }
            let pinged = host.node().ping(target.peer).await;
            pinged.map_err(|error| Failure::of(Code::PeerLost, &error))
        };
        let took = context.unless_stopped(pinging).await?;
        let milliseconds = took.as_secs_f64() * 1000.0;
        let peer = target.peer.to_string();
        context.say(Event::Pong { peer, round, milliseconds, path: path.clone() }).await;
    }
    Ok(())
}

/// Runs until stopped.
///
/// # Errors
///
/// Never; it has a `Result` like all of them.
pub(super) async fn up(host: &Host, context: &Context) -> Result<(), Failure> {
    context.say(host.listening()).await;
    context.cancelled().await;
    Ok(())
}
