//! `doctor`: what this network allows, in words, and what was tried.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use peerage::{
    Multiaddr,
    discovery::WayStatus,
    node::{Network, Reach},
    routing::{TransportKind, relay_url},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    context::Context,
    event::{Diagnosis, Event, Standing},
    failure::Failure,
    host::Host,
};

/// How long the network is given to show what it allows.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long hubs take to dial our addresses, once we are reached over them.
const VERDICTS: Duration = Duration::from_secs(6);

/// How long a relay may take to tell the time.
const CLOCK_PATIENCE: Duration = Duration::from_secs(3);

/// How much of its answer is read.
const ANSWER_BYTES: u64 = 4096;

/// By how many seconds a clock may differ: signed records are numbered by it.
const CLOCK_LENIENCE: u64 = 60;

/// Says what is known of how this node is reached.
///
/// # Errors
///
/// When it is stopped.
pub(super) async fn doctor(host: &Host, context: &Context) -> Result<(), Failure> {
    let settled = async {
        if host.node().until_reached(PATIENCE).await {
            tokio::time::sleep(VERDICTS).await;
        }
        Ok(())
    };
    context.unless_stopped(settled).await?;
    let reach = host.node().reach().await;
    let mut found = examine(&reach);
    found.extend(host.session().finder().status().iter().map(way));
    found.push(clock(&reach).await);
    for diagnosis in found {
        context.say(Event::Diagnosis(diagnosis)).await;
    }
    Ok(())
}

/// What the report means for its reader.
fn examine(reach: &Reach) -> Vec<Diagnosis> {
    let mut found = vec![listening(reach)];
    found.extend(reach.network.as_ref().map(|network| udp(network, reach)));
    found.extend(reach.network.as_ref().map(|network| nat(network, reach)));
    found.push(ports(reach));
    found.push(hubs(reach));
    found.extend(reach.network.as_ref().map(relays));
    found.push(dialled_back(reach));
    found
}

fn listening(reach: &Reach) -> Diagnosis {
    let direct = reach.addresses.iter().filter(|one| !TransportKind::of(one).is_relayed()).count();
    match direct {
        0 => bad("addresses", "this node listens nowhere: only those it dials reach it"),
        count => good("addresses", format!("listens at {count} addresses")),
    }
}

fn udp(network: &Network, reach: &Reach) -> Diagnosis {
    match network.udp {
        _ if network.relays.is_empty() => {
            limited("udp", "not measured: that needs a hub; name one with --hub")
        }
        (false, false) if reach.hubs.iter().any(|hub| hub.connected) => {
            limited("udp", "blocked: peers are reached over TCP, or over a relay")
        }
        (false, false) => bad("udp", "nothing gets through, and no hub is connected"),
        (v4, v6) => {
            let families = [(v4, "IPv4"), (v6, "IPv6")].map(|(it, name)| it.then_some(name));
            let families: Vec<_> = families.into_iter().flatten().collect();
            good("udp", format!("gets through over {}", families.join(" and ")))
        }
    }
}

fn nat(network: &Network, reach: &Reach) -> Diagnosis {
    let own = |seen: &SocketAddr| {
        reach.addresses.iter().any(|one| one.iter().next() == Some(seen.ip().into()))
    };
    let places: Vec<String> = network.seen_as.iter().map(ToString::to_string).collect();
    let places = places.join(", ");
    match (network.seen_as.is_empty(), network.seen_as.iter().all(own), network.varies) {
        (true, ..) => limited("nat", "unknown: no hub has seen this node over UDP"),
        (_, true, _) => good("nat", format!("none: seen as itself, {places}")),
        (.., Some(true)) => limited(
            "nat",
            format!(
                "symmetric: each destination sees another port of {places}; two such peers need \
                 a relay, or a router that maps ports"
            ),
        ),
        (.., Some(false)) => {
            good("nat", format!("one port for all destinations, {places}: holes can be punched"))
        }
        (.., None) => good("nat", format!("seen as {places}; a second hub would tell its kind")),
    }
}

fn ports(reach: &Reach) -> Diagnosis {
    let open: Vec<String> = reach
        .mapped
        .iter()
        .filter_map(|(_, outside)| Some(outside.as_ref()?.to_string()))
        .collect();
    match (reach.mapped.is_empty(), open.is_empty()) {
        (true, _) => limited("ports", "the router was not asked for any"),
        (_, true) => limited("ports", "the router maps none on request (PCP, NAT-PMP, UPnP)"),
        (_, false) => good("ports", format!("the router maps {}", open.join(", "))),
    }
}

fn hubs(reach: &Reach) -> Diagnosis {
    let connected = reach.hubs.iter().filter(|hub| hub.connected).count();
    let reserved = reach.hubs.iter().filter(|hub| hub.reserved).count();
    match (reach.hubs.len(), connected) {
        (0, _) => limited("hubs", "none named: peers behind routers may not reach this node"),
        (all, 0) => bad("hubs", format!("none of {all} answers")),
        (all, _) => good(
            "hubs",
            format!("{connected} of {all} connected, circuits come in over {reserved}"),
        ),
    }
}

fn relays(network: &Network) -> Diagnosis {
    let told = network.relays.iter().map(|(relay, latency)| match latency {
        Some(latency) => format!("{relay} in {:.0} ms", latency.as_secs_f64() * 1000.0),
        None => format!("{relay} without an answer yet"),
    });
    let told: Vec<String> = told.collect();
    match (&network.home, told.is_empty()) {
        (_, true) => limited("relays", "none known"),
        (None, _) => bad("relays", format!("none answers: {}", told.join(", "))),
        (Some(home), _) => good("relays", format!("reached over {home}; {}", told.join(", "))),
    }
}

fn dialled_back(reach: &Reach) -> Diagnosis {
    let reached: Vec<String> = reach
        .verdicts
        .iter()
        .filter(|one| one.reached)
        .map(|one| one.address.to_string())
        .collect();
    match (reach.verdicts.is_empty(), reached.is_empty()) {
        (true, _) => limited("reachable", "no hub has dialled back yet"),
        (_, true) => limited("reachable", "hubs that dialled back did not get through"),
        (_, false) => good("reachable", format!("hubs got through to {}", reached.join(", "))),
    }
}

fn way(status: &WayStatus) -> Diagnosis {
    let topic = format!("find by {}", status.way);
    match (&status.announced, &status.last_error) {
        (Some(announced), _) => match &announced.result {
            Ok(_) => good(topic, format!("announced within {:.1} s", announced.took.as_secs_f64())),
            Err(error) => limited(topic, format!("not announced: {error}")),
        },
        (None, Some(error)) => limited(topic, format!("look-ups fail: {error}")),
        (None, None) => good(topic, "looks up; nothing is announced by it"),
    }
}

/// Compares this machine's clock with what a relay says the time is.
async fn clock(reach: &Reach) -> Diagnosis {
    let relays = reach.network.iter().flat_map(|network| &network.relays);
    for (relay, _) in relays {
        let Ok(Some(theirs)) = timeout(CLOCK_PATIENCE, time_at(relay)).await else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        return match now.abs_diff(theirs) {
            small if small <= CLOCK_LENIENCE => good("clock", format!("right to {small} s")),
            large => bad(
                "clock",
                format!(
                    "differs by {large} s from a relay's; set it, or others take our word for old"
                ),
            ),
        };
    }
    limited("clock", "nobody to compare it with")
}

/// The seconds since 1970 that a relay's HTTP server gives in its answers.
async fn time_at(relay: &Multiaddr) -> Option<u64> {
    let url = relay_url(relay).filter(|url| url.scheme() == "http")?;
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.ok()?;
    let request =
        format!("GET /generate_204 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer).await.ok()?;
    date_of(&String::from_utf8_lossy(&answer))
}

fn date_of(answer: &str) -> Option<u64> {
    let fields = answer.lines().filter_map(|line| line.split_once(':'));
    let (_, date) = fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    let date = httpdate::parse_http_date(date.trim()).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

fn good(topic: impl Into<String>, text: impl Into<String>) -> Diagnosis {
    Diagnosis { topic: topic.into(), standing: Standing::Good, text: text.into() }
}

fn limited(topic: impl Into<String>, text: impl Into<String>) -> Diagnosis {
    Diagnosis { topic: topic.into(), standing: Standing::Limited, text: text.into() }
}

fn bad(topic: impl Into<String>, text: impl Into<String>) -> Diagnosis {
    Diagnosis { topic: topic.into(), standing: Standing::Bad, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(seen: &[&str], varies: Option<bool>) -> Network {
        Network {
            udp: (true, false),
            seen_as: seen.iter().map(|text| text.parse().unwrap()).collect(),
            varies,
            ..Network::default()
        }
    }

    #[test]
    fn the_kind_of_nat_is_said_in_words() {
        let own = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let reach = Reach { addresses: vec![own], ..Reach::default() };
        for (seen, varies, word, standing) in [
            (&["192.0.2.1:9"][..], None, "none", Standing::Good),
            (&["198.51.100.1:9"], Some(true), "symmetric", Standing::Limited),
            (&["198.51.100.1:9"], Some(false), "one port", Standing::Good),
            (&[], None, "unknown", Standing::Limited),
        ] {
            let said = nat(&network(seen, varies), &reach);
            assert!(said.text.starts_with(word), "{}", said.text);
            assert_eq!(said.standing, standing);
        }
    }

    #[test]
    fn a_node_on_its_own_is_told_what_it_lacks() {
        let said = examine(&Reach::default());
        assert!(said.iter().any(|one| one.topic == "addresses" && one.standing == Standing::Bad));
        assert!(said.iter().any(|one| one.topic == "hubs" && one.text.contains("none named")));
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        let answer = "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        assert_eq!(date_of(answer), Some(784_111_777));
        assert_eq!(date_of("HTTP/1.1 204 No Content\r\n\r\n"), None);
    }
}
